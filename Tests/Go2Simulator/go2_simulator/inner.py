"""`rtc_inner_req`: network status, traffic saving, probes that come back, and files."""
from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .publisher import Publisher

if TYPE_CHECKING:
    from .robot import Robot

FILE_CHUNK = 30_000
UPLOAD_LIMIT = 64 * 1024 * 1024


class InnerRequests:
    """Requests to the bridge itself. The client has its body in `data`, the robot in `info`."""

    def __init__(self, robot: Robot, publisher: Publisher, send: Callable[[dict[str, Any]], None]) -> None:
        self._robot, self._publisher, self._send = robot, publisher, send
        self._uploads: dict[str, list[str]] = {}

    def handle(self, data: Any) -> None:
        """One request; what is not understood stays unanswered."""
        if not isinstance(data, dict):
            return
        kind = data.get("req_type")
        if kind == "public_network_status":
            self._reply({"req_type": kind, "uuid": data.get("uuid"), "status": self._robot.settings.network_status})
        elif kind == "disable_traffic_saving":
            self._publisher.traffic_saving = data.get("instruction") != "on"
            self._reply({"req_type": kind, "execution": "ok"})
        elif kind == "rtt_probe_send_from_mechine":
            self._robot.events.add("probe", info=data, age=time.time() - float(data.get("send_time_stamp") or 0))
        elif kind == "request_static_file":
            self._download(data)
        elif kind == "push_static_file":
            self._upload(data)

    def _reply(self, info: dict[str, Any]) -> None:
        self._send({"type": "rtc_inner_req", "info": info})

    def _download(self, data: dict[str, Any]) -> None:
        content = base64.b64encode(self._robot.files.get(str(data.get("file_path")), b"")).decode()
        chunks = [content[start : start + FILE_CHUNK] for start in range(0, len(content), FILE_CHUNK)] or [""]
        for index, chunk in enumerate(chunks, 1):
            self._reply({"req_type": "request_static_file", "req_uuid": data.get("req_uuid"),
                         "file": {"enable_chunking": True, "chunk_index": index, "total_chunk_num": len(chunks), "data": chunk}})

    def _upload(self, data: dict[str, Any]) -> None:
        piece, path = data.get("file"), str(data.get("file_path"))
        if not isinstance(piece, dict):
            return
        pieces = self._uploads.setdefault(path, [])
        if piece.get("chunk_index") == 1:
            pieces.clear()
        pieces.append(str(piece.get("chunk_data", "")))
        if piece.get("chunk_index") == piece.get("total_chunk_num") and sum(map(len, pieces)) <= UPLOAD_LIMIT:
            try:
                self._robot.files[path] = base64.b64decode("".join(self._uploads.pop(path)))
            except ValueError:
                pass
        self._reply({"req_type": "push_static_file", "req_uuid": data.get("req_uuid"), "file_status": "ok"})
