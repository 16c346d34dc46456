"""The protocol on the data channel: challenge, heartbeats, subscriptions, requests, inner requests and switches."""
from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
import string
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .answers import respond
from .inner import InnerRequests
from .publisher import Publisher
from .topics import Topics

if TYPE_CHECKING:
    from .robot import Robot

NEEDED = {"type": "err", "info": "Validation Needed."}


def validation_answer(challenge: str) -> str:
    """What a client must answer to a challenge."""
    return base64.b64encode(hashlib.md5(f"UnitreeGo2_{challenge}".encode()).digest()).decode()


class Session:
    """One client on one channel. `send` takes text or bytes; `switch` switches "vid" and "aud"; `lost` ends the connection."""

    def __init__(self, robot: Robot, send: Callable[[str | bytes], None], buffered: Callable[[], int], switch: Callable[[str, bool], None],
                 lost: Callable[[str], None]) -> None:
        self.robot, self._send, self._switch, self._lost = robot, send, switch, lost
        self.topics = Topics(robot.body, robot.services, robot.settings)
        self.publisher = Publisher(self.topics, robot.settings, robot.faults, self._position, send, buffered)
        self._inner = InnerRequests(robot, self.publisher, self.send)
        self._challenge = "".join(random.choices(string.ascii_letters + string.digits, k=19))
        self._tasks: set[asyncio.Task[None]] = set()
        self.validated = False
        self.heard = time.monotonic()

    def send(self, message: dict[str, Any]) -> None:
        """Sends a JSON message."""
        self._send(json.dumps(message))

    def begin(self) -> None:
        """The channel is open: the challenge goes out first of all."""
        if not self.robot.faults.take("validation.no_challenge"):
            self.send({"type": "validation", "data": self._challenge})

    def close(self) -> None:
        """The channel is gone."""
        self.publisher.close()
        for task in self._tasks:
            task.cancel()

    def spawn(self, work: Any) -> None:
        """Runs a coroutine until it is done or the session closes."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def received(self, message: str | bytes) -> None:
        """A message of the client; whatever it is, the robot goes on."""
        try:
            parsed = json.loads(message)
            kind, topic, data = parsed["type"], parsed.get("topic", ""), parsed.get("data")
        except (ValueError, KeyError, TypeError, AttributeError):
            self.robot.events.add("malformed", text=repr(message[:200]))
            return
        self.robot.events.add("message", type=kind, topic=topic, data=data)
        if kind == "validation":
            self._validate(data)
        elif not self.validated:
            self.send(NEEDED)
        else:
            self._handle(kind, topic, data)

    def _handle(self, kind: str, topic: str, data: Any) -> None:
        if kind == "heartbeat":
            self.heard = time.monotonic()
            if not self.robot.faults.take("heartbeat.silent"):
                self.send({"type": "heartbeat", "data": data})
        elif kind == "subscribe":
            self.publisher.subscribe(topic)
        elif kind == "unsubscribe":
            self.publisher.unsubscribe(topic)
        elif kind in ("vid", "aud"):
            self._switch(kind, data == "on")
        elif kind == "rtc_inner_req":
            self._inner.handle(data)
        elif kind == "req" or (kind == "msg" and topic.startswith("rt/api/")):
            self.spawn(respond(self, topic, data))
        elif kind == "msg":
            self._publish(topic, data)

    def _validate(self, answer: Any) -> None:
        faults = self.robot.faults
        if faults.take("validation.needed") or answer != validation_answer(self._challenge):
            self.send(NEEDED)
        elif not faults.take("validation.never_ok"):
            self.send({"type": "validation", "data": "Validation Ok."})
            self.send({"type": "errors", "data": self.robot.errors})
            if not self.validated:
                self.validated, self.heard = True, time.monotonic()
                self.robot.validated()
                self.robot.phase("validated")
                self.spawn(self._repeat(lambda: self.robot.settings.probe_seconds, self._probe))
                self.spawn(self._repeat(lambda: self.robot.settings.errors_seconds,
                                        lambda: self.send({"type": "errors", "data": self.robot.errors})))
                self.spawn(self._watch_heartbeat())

    async def _repeat(self, interval: Callable[[], float], act: Callable[[], None]) -> None:
        while True:
            seconds = interval()
            await asyncio.sleep(seconds or 1)
            if seconds:
                act()

    def _probe(self) -> None:
        self.send({"type": "rtc_inner_req", "info": {"req_type": "rtt_probe_send_from_mechine", "send_time_stamp": int(time.time()),
                                                     "uuid": str(uuid.uuid4())}})

    async def _watch_heartbeat(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            limit = self.robot.settings.heartbeat_timeout
            if limit and time.monotonic() - self.heard > limit:
                self._lost("no heartbeat")
                return

    def _publish(self, topic: str, data: Any) -> None:
        if topic == "rt/utlidar/switch":
            self.topics.lidar_on = str(data).lower() == "on"
        elif topic == "rt/wirelesscontroller" and isinstance(data, dict):
            self.robot.controller(data)
        elif topic == "rt/uslam/client_command" and isinstance(data, str):
            self.publisher.publish_now("rt/uslam/server_log", f"{data}/success")

    def _position(self) -> list[float]:
        return self.robot.body.position
