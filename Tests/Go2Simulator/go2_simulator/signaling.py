"""The robot's HTTP signaling: con_notify and con_ing on one port, the old /offer on the other."""
from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from .encryption import STATIC_KEY, SignalingKeys, encrypt_envelope
from .http import CloseWithoutReply, NeverReply, Reply, Request
from .sdp import parse_offer

if TYPE_CHECKING:
    from .robot import Robot

GARBAGE = b"\x00\xff this is no reply of a robot \xfe"


class Signaling:
    """Answers requests; the keys are new with each start of the robot."""

    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        self.keys = SignalingKeys()

    async def handle_notify(self, request: Request) -> Reply:
        """The port of con_notify."""
        self._robot.events.add("http", port="notify", method=request.method, path=request.path, headers=request.headers)
        if request.path == "/con_notify":
            return self._notify()
        if request.path == self.keys.path:
            try:
                key, envelope = self.keys.open_offer(request.body)
            except ValueError:
                raise CloseWithoutReply from None
            return await self._offer(envelope, key)
        return Reply(404, b"Not Found")

    async def handle_plain(self, request: Request) -> Reply:
        """The port of /offer."""
        self._robot.events.add("http", port="plain", method=request.method, path=request.path, headers=request.headers)
        return await self._offer(request.body, None) if request.path == "/offer" else Reply(404, b"Not Found")

    def _notify(self) -> Reply:
        settings = self._robot.settings
        self._fail("notify")
        if self._robot.faults.take("http.notify_429") or self._robot.too_soon():
            return Reply(429, b"Too Many Requests")
        if self._robot.faults.take("http.notify_500"):
            return Reply(500, b"Internal Server Error")
        if self._robot.faults.take("http.notify_garbage"):
            return Reply(200, GARBAGE)
        key = {1: None, 2: STATIC_KEY, 3: STATIC_KEY if settings.static_key else bytes.fromhex(settings.aes_key)}[settings.data2]
        if self._robot.faults.take("http.notify_other_key"):
            key = random.randbytes(16)
        return Reply(200, self.keys.notify_body(settings.data2, settings.data2_text, key))

    def _fail(self, step: str) -> None:
        if self._robot.faults.take(f"http.{step}_hang"):
            raise NeverReply
        if self._robot.faults.take(f"http.{step}_empty"):
            raise CloseWithoutReply

    async def _offer(self, envelope: bytes, key: bytes | None) -> Reply:
        """The answer, encrypted with the offer's key when there is one; 0 bytes when the envelope is none."""
        robot = self._robot
        self._fail("offer")
        if robot.faults.take("http.offer_429") or robot.too_soon():
            return Reply(429, b"Too Many Requests")
        if robot.faults.take("http.offer_garbage"):
            return Reply(200, GARBAGE)
        try:
            parsed: dict[str, Any] = json.loads(envelope)
            sdp, _, _, kind = parsed["sdp"], parsed["id"], parsed["token"], parsed["type"]
            offer = parse_offer(sdp)
            if kind != "offer":
                raise ValueError("no offer")
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            robot.events.add("bad_envelope", problem=str(problem))
            raise CloseWithoutReply from None
        robot.events.add("offer", id=parsed["id"], sdp=sdp)
        if robot.faults.take("http.offer_reject") or not robot.free:
            robot.events.add("reject", held_by="the phone app" if robot.settings.busy else "a client")
            answer = "reject"
        elif robot.faults.take("http.offer_no_sdp"):
            answer = ""
        else:
            answer = await robot.accept(offer)
            robot.events.add("answer", sdp=answer)
        body = json.dumps({"sdp": answer, "type": "answer"}).encode()
        if key is None:
            return Reply(200, body, "application/json")
        if robot.faults.take("http.offer_other_key"):
            key = random.randbytes(16).hex().encode()
        return Reply(200, encrypt_envelope(key, body))
