"""A client made of aiortc alone, for what the public client cannot be asked: each byte of signaling, each RTP packet, each message."""
from __future__ import annotations

import asyncio
import base64
import http.client
import json
import re
import time
from collections.abc import Callable
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtp import RtpPacket
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from go2_simulator.encryption import STATIC_KEY, decrypt_envelope, encrypt_envelope
from go2_simulator.process import SimulatorProcess
from go2_simulator.session import validation_answer

SESSION_KEY = b"0123456789abcdef0123456789abcdef"


def post(robot: SimulatorProcess, path: str, body: bytes = b"", port: str = "notify") -> tuple[int, bytes]:
    """Status and body; raises what http.client raises."""
    connection = http.client.HTTPConnection(robot.address, robot.ready["ports"][port], timeout=30)
    try:
        connection.request("POST", path, body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def notify(robot: SimulatorProcess, key: bytes | None = STATIC_KEY) -> tuple[str, Any]:
    """The path for the offer and the robot's public key."""
    status, body = post(robot, "/con_notify")
    assert status == 200, status
    told = json.loads(base64.b64decode(body))
    data1 = told["data1"]
    if key:
        raw = base64.b64decode(data1)
        data1 = AESGCM(key).decrypt(raw[-28:-16], raw[:-28] + raw[-16:], None).decode()
    digits = "".join(str("ABCDEFGHIJ".index(letter)) for letter in data1[-9::2])
    return "/con_ing_" + digits, serialization.load_der_public_key(base64.b64decode(data1[10:-10]))


def envelope(sdp: str) -> bytes:
    """The envelope of an offer."""
    return json.dumps({"id": "STA_localNetwork", "sdp": sdp, "type": "offer", "token": ""}).encode()


def exchange(robot: SimulatorProcess, sdp: str) -> str:
    """The answer to an offer over con_notify."""
    path, key = notify(robot)
    wrapped = base64.b64encode(key.encrypt(SESSION_KEY, PKCS1v15())).decode()
    body = json.dumps({"data1": encrypt_envelope(SESSION_KEY, envelope(sdp)).decode(), "data2": wrapped}).encode()
    status, reply = post(robot, path, body)
    assert status == 200, status
    return json.loads(decrypt_envelope(SESSION_KEY, reply))["sdp"]


def one_fingerprint(sdp: str) -> str:
    """The offer as the robot wants it: without the fingerprints that aiortc adds."""
    return re.sub(r"a=fingerprint:sha-(384|512) .*\r\n", "", sdp)


class RawClient:
    """`async with RawClient(robot) as client`: offers, connects, and keeps all messages and all RTP payloads of the camera."""

    def __init__(self, robot: SimulatorProcess, change: Callable[[str], str] = one_fingerprint, track: MediaStreamTrack | None = None,
                 validate: bool = True) -> None:
        self._robot, self._change, self._validate = robot, change, validate
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.pc.addTransceiver(track or "audio", direction="sendrecv")
        self.pc.addTransceiver("video", direction="recvonly")
        self.channel = self.pc.createDataChannel("data")
        self.messages: list[Any] = []
        self.packets: list[RtpPacket] = []
        self.answer = ""
        self._news = asyncio.Event()
        self.channel.on("message", self._received)
        for event in ("iceconnectionstatechange", "connectionstatechange"):
            self.pc.on(event, lambda: self._news.set())
        self.channel.on("close", lambda: self._news.set())

    async def __aenter__(self) -> RawClient:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        self.answer = await asyncio.to_thread(exchange, self._robot, self._change(self.pc.localDescription.sdp))
        await self.pc.setRemoteDescription(RTCSessionDescription(self.answer, "answer"))
        receiver = self.pc.getTransceivers()[1].receiver
        handle = receiver._handle_rtp_packet

        async def counted(packet: RtpPacket, arrival_time_ms: int) -> None:
            self.packets.append(packet)
            self._news.set()
            await handle(packet, arrival_time_ms)

        receiver._handle_rtp_packet = counted
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.pc.close()

    def _received(self, message: str | bytes) -> None:
        parsed: Any = message
        if isinstance(message, str):
            try:
                parsed = json.loads(message)
            except ValueError:
                pass
        self.messages.append(parsed)
        self._news.set()
        if self._validate and isinstance(parsed, dict) and parsed.get("type") == "validation" and parsed["data"] != "Validation Ok.":
            self.send("validation", data=validation_answer(parsed["data"]))

    def send(self, kind: str, topic: str = "", data: Any = None) -> None:
        """Sends a message; the robot acknowledges no channel, so the channel is opened by hand."""
        if self.channel.readyState == "connecting":
            self.channel._setReadyState("open")
        self.channel.send(json.dumps({"type": kind, "topic": topic, **({} if data is None else {"data": data})}))

    def request(self, number: int, api_id: int, parameter: Any = "", topic: str = "rt/api/sport/request", kind: str = "req") -> None:
        """Sends a request."""
        self.send(kind, topic, {"header": {"identity": {"id": number, "api_id": api_id}}, "parameter": parameter})

    async def wait_until(self, condition: Callable[[], Any], timeout: float = 20) -> Any:
        """Until a condition holds, looked at with each message, packet and change of state; returns what the condition gave."""
        end = time.monotonic() + timeout
        while not (found := condition()):
            self._news.clear()
            left = end - time.monotonic()
            assert left > 0, f"it does not come; messages: {self.messages[-5:]}, {len(self.packets)} packets, {self.pc.connectionState}"
            try:
                await asyncio.wait_for(self._news.wait(), min(left, 0.1))
            except TimeoutError:
                pass
        return found

    async def message(self, which: Callable[[Any], bool], timeout: float = 20) -> Any:
        """The first message that fits."""
        return await self.wait_until(lambda: next((one for one in self.messages if which(one)), None), timeout)

    async def validated(self) -> None:
        """Until the robot has accepted the answer to its challenge."""
        await self.message(lambda one: isinstance(one, dict) and one.get("data") == "Validation Ok.")

    async def response(self, number: int) -> Any:
        """The answer to a request."""
        found = await self.message(lambda one: isinstance(one, dict) and one.get("type") == "res" and one["data"]["header"]["identity"]["id"] == number)
        return found["data"]
