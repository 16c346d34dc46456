"""A Go2 behind the server's management API: docs/protocols/robot.md."""
from __future__ import annotations

import json
import threading
import time
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from sport_client import SportClient

#: A lease lasts 2 s from its last renewal.
RENEWAL_SECONDS = 0.5
#: More than the 5 s that the server gives the robot for an answer.
PATIENCE_SECONDS = 10.0


class RobotRefusal(Exception):
    """The server or the robot said no."""


class Go2SportClient(SportClient):
    """Drives the robot that the server names. `Move` has the driver's seat while it lasts."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._lease: str | None = None
        self._stopping = threading.Event()
        self._gave_orders = False
        # The server is on this machine, or on the robot's network: no proxy leads there.
        self._opener = build_opener(ProxyHandler({}))

    def describe(self) -> str:
        """What this client drives."""
        return f"drives the Go2 at {self._url}"

    def stop(self) -> None:
        """Stands still and gives the seat back, if anything was ordered: somebody else may be driving."""
        self._stopping.set()
        if self._gave_orders:
            self._gave_orders = False
            try:
                self._ask("POST", "stop")
            finally:
                self._release()

    def GetRobot(self) -> Any:
        """The robot as the server sees it: connection, battery, faults."""
        return self._ask("GET", "")

    def _order(self, command: str, **arguments: Any) -> Any:
        self._gave_orders = self._gave_orders or not command.startswith("get_")
        return self._ask("POST", command, arguments)

    def _move(self, vx: float, vy: float, vyaw: float, duration: float) -> Any:
        self._stopping.clear()
        self._gave_orders = True
        self._lease = self._ask("POST", "drive")["lease_id"]
        try:
            end = time.monotonic() + duration
            answer = self._ask("POST", "move", {"x": vx, "y": vy, "yaw": vyaw, "duration_ms": round(duration * 1000)})
            while (left := end - time.monotonic()) > 0 and not self._stopping.wait(min(left, RENEWAL_SECONDS)):
                if left > RENEWAL_SECONDS:
                    self._ask("PUT", "drive")
            return answer
        finally:
            # Also where the call is interrupted. The robot stops with the seat.
            self._release()

    def _release(self) -> None:
        if self._lease is None:
            return
        try:
            self._ask("DELETE", "drive")
        except RobotRefusal:
            pass  # It is over already: whoever stops the robot ends the seat.
        finally:
            self._lease = None

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if self._lease:
            headers["X-Drive-Lease"] = self._lease
        data = json.dumps(body or {}, allow_nan=False).encode() if method != "GET" else None
        request = Request(f"{self._url}/{path}" if path else self._url, data=data, method=method, headers=headers)
        try:
            with self._opener.open(request, timeout=PATIENCE_SECONDS) as response:
                text = response.read()
        except HTTPError as problem:
            raise RobotRefusal(_reason(problem)) from None
        except OSError as problem:
            raise RobotRefusal(f"The server's robot cannot be reached: {problem}") from None
        answer = json.loads(text) if text else None
        if isinstance(answer, dict) and answer.get("code"):
            raise RobotRefusal(f"The robot refused {path}: {answer.get('message')} (code {answer['code']})")
        return answer


def _reason(problem: HTTPError) -> str:
    try:
        refusal = json.loads(problem.read())
        return f"{refusal['detail']} ({refusal['error_code']})"
    except (ValueError, KeyError, TypeError, OSError):
        return f"HTTP status {problem.code}"
