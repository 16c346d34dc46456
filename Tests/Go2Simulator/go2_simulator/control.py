"""The control port: HTTP with JSON on loopback, for tests to see what the robot saw and to make it fail."""
from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import http
from .faults import FAULTS
from .robot import Robot
from .settings import change

PORT_SETTINGS = {"address", "port", "plain_port", "plain", "multicast"}


class Control:
    """`GET /state`, `/events`, `/frames`, `/settings`, `/faults`; `POST /settings`, `/faults`, `/actions`; `DELETE /faults`."""

    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        self._actions: dict[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "reboot": self._reboot, "disconnect": self._disconnect, "vanish": self._vanish, "abort": self._abort, "send": self._send,
            "send_binary": self._send_binary, "add_error": self._add_error, "remove_error": self._remove_error, "stop": self._stop}
        self.stopping = asyncio.Event()

    async def start(self, port: int) -> int:
        """Serves; returns the port."""
        server = await http.serve("127.0.0.1", port, self._handle)
        self._server = server
        return server.sockets[0].getsockname()[1]

    async def _handle(self, request: http.Request) -> http.Reply:
        parts = urlsplit(request.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        try:
            body = json.loads(request.body) if request.body else {}
            result = await self._answer(request.method, parts.path, query, body)
        except (ValueError, KeyError, TypeError) as problem:
            return http.Reply(400, json.dumps({"error": str(problem)}).encode(), "application/json")
        if result is None:
            return http.Reply(404, json.dumps({"error": f"{request.method} {parts.path} is not served"}).encode(), "application/json")
        return http.Reply(200, json.dumps(result).encode(), "application/json")

    async def _answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        robot = self._robot
        if (method, path) == ("GET", "/state"):
            return {"time": time.time(), "monotonic": time.monotonic(), **robot.report()}
        if (method, path) == ("GET", "/events"):
            kinds = set(query["kinds"].split(",")) if "kinds" in query else None
            return await robot.events.wait(int(query.get("after", 0)), kinds, min(60.0, float(query.get("timeout", 0))))
        if (method, path) == ("GET", "/frames"):
            return [{"counter": counter, "time": sent} for counter, sent in robot.peer.camera.sent] if robot.peer else []
        if (method, path) == ("GET", "/settings"):
            return asdict(robot.settings)
        if (method, path) == ("GET", "/faults"):
            return {"active": robot.faults.active(), "known": FAULTS}
        if (method, path) == ("POST", "/settings"):
            change(robot.settings, body)
            if PORT_SETTINGS & body.keys():
                await robot.restart_ports()
            return asdict(robot.settings)
        if path == "/faults" and method in ("POST", "DELETE"):
            return await self._change_faults(method, body)
        if (method, path) == ("POST", "/actions"):
            await self._actions[body["action"]](body)
            return {"done": body["action"]}
        return None

    async def _change_faults(self, method: str, body: dict[str, Any]) -> Any:
        faults = self._robot.faults
        refused = faults.holds("http.refuse")
        if method == "DELETE":
            faults.clear()
        for name, value in body.items():
            faults.set(name, value)
        if faults.holds("http.refuse") != refused:
            await self._robot.restart_ports()
        return faults.active()

    async def _reboot(self, body: dict[str, Any]) -> None:
        self._robot.reboot(float(body.get("seconds", 1)), body.get("address"))

    async def _disconnect(self, body: dict[str, Any]) -> None:
        if self._robot.peer:
            await self._robot.peer.close("asked to", graceful=True)

    async def _vanish(self, body: dict[str, Any]) -> None:
        if self._robot.peer:
            await self._robot.peer.close("asked to vanish", graceful=False)

    async def _abort(self, body: dict[str, Any]) -> None:
        if self._robot.peer:
            await self._robot.peer.abort()

    async def _send(self, body: dict[str, Any]) -> None:
        if self._robot.peer:
            message = body["message"]
            await self._robot.peer.send(message if isinstance(message, str) else json.dumps(message))

    async def _send_binary(self, body: dict[str, Any]) -> None:
        if self._robot.peer:
            await self._robot.peer.send(base64.b64decode(body["base64"]))

    async def _add_error(self, body: dict[str, Any]) -> None:
        error = [int(body.get("timestamp", time.time())), int(body["source"]), int(body["code"])]
        self._robot.errors.append(error)
        await self._send({"message": {"type": "add_error", "data": error}})

    async def _remove_error(self, body: dict[str, Any]) -> None:
        for error in [one for one in self._robot.errors if one[1:] == [int(body["source"]), int(body["code"])]]:
            self._robot.errors.remove(error)
            await self._send({"message": {"type": "rm_error", "data": error}})

    async def _stop(self, body: dict[str, Any]) -> None:
        self.stopping.set()
