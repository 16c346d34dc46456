"""A viewer on aiortc that talks: sends a microphone, keeps every packet and every message, and says when things were due.

Times of what was played are on the sender's own clock (RTP time, mapped by the sender reports), so they do not depend on
how busy the machine is.
"""
from __future__ import annotations

import asyncio
import contextlib
import fractions
import io
import json
import subprocess
import threading
import time
import wave
from dataclasses import dataclass, field

import aiohttp
import aioice.ice
import numpy as np
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs.opus import OpusDecoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import AudioStreamTrack
from aiortc.rtp import RtcpSrPacket
from aiortc.sdp import candidate_from_sdp
from av import AudioFrame

# aioice offers every address but loopback's, and the servers under test listen there alone.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]

RATE = 48_000
PACKET = 960
LOUD = 1000


def run(coroutine):
    """Runs a coroutine to its end on a thread of its own: the browser's driver keeps a loop on pytest's."""
    outcome = {}

    def work():
        try:
            outcome["value"] = asyncio.run(coroutine)
        except BaseException as error:  # Raised again where the test can see it.
            outcome["error"] = error
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    """A WAV file of 16-bit mono samples."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def tone(seconds: float, hertz: float = 440, level: float = 8000) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.int16)


def spoken(text: str, path) -> np.ndarray:
    """The text as Flite's program reads it, 48 kHz."""
    subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(path)], check=True)
    with wave.open(str(path)) as reader:
        samples = np.frombuffer(reader.readframes(reader.getnframes()), "<i2")
        times = np.arange(len(samples) * RATE // reader.getframerate()) * reader.getframerate() / RATE
    return np.interp(times, np.arange(len(samples)), samples).astype(np.int16)


class Microphone(AudioStreamTrack):
    """Silence, but for what it is given to say."""

    def __init__(self):
        super().__init__()
        self.waiting = np.zeros(0, np.int16)
        self.said = asyncio.Event()
        self.started, self.sent = None, 0

    def say(self, samples: np.ndarray) -> asyncio.Event:
        """Sends the sound from now on; the event is set once its last sample is out."""
        self.waiting = np.concatenate([self.waiting, samples])
        self.said = asyncio.Event()
        return self.said

    async def recv(self) -> AudioFrame:
        self.started = self.started or time.monotonic()
        await asyncio.sleep(max(0, self.started + self.sent / RATE - time.monotonic()))
        samples = self.waiting[:PACKET]
        self.waiting = self.waiting[PACKET:]
        if len(self.waiting) == 0:
            self.said.set()
        samples = np.concatenate([samples, np.zeros(PACKET - len(samples), np.int16)])
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.sent, fractions.Fraction(1, RATE)
        self.sent += PACKET
        return frame


@dataclass
class Packet:
    arrival: float
    timestamp: int
    payload: bytes


@dataclass
class Picture:
    timestamp: int
    brightness: float


@dataclass
class Reports:
    """The newest sender report of each stream: (seconds of the sender's wall clock, RTP timestamp)."""
    newest: dict = field(default_factory=dict)

    def time(self, kind: str, timestamp: int) -> float:
        ntp, rtp = self.newest[kind]
        ticks = (timestamp - rtp + 2**31) % 2**32 - 2**31
        return ntp + ticks / (90_000 if kind == "video" else RATE)


class Talker:
    """One session and one peer connection; use it in `async with`."""

    def __init__(self, server, student: int = 1, avatar: str = "avatar_tutor_1", decodes_pictures: bool = True,
                 has_microphone: bool = True, session: dict | None = None,
                 region: tuple[float, float, float, float] = (0.25, 0.25, 0.75, 0.75)):
        """`session`: one that is there already; `region`: the part of the pictures whose brightness is kept, left, top,
        right and bottom as shares of the picture."""
        self.server, self.student, self.avatar, self.has_microphone = server, student, avatar, has_microphone
        self.session, self.region = session, region
        self.has_own_session = session is None
        self.decodes_pictures = decodes_pictures
        self.packets: list[Packet] = []
        self.pictures: list[Picture] = []
        self.reports = Reports()
        self.messages: list[dict] = []
        self.states: list[str] = []
        self.changed = asyncio.Condition()
        self.tasks: list[asyncio.Task] = []

    async def __aenter__(self) -> "Talker":
        self.microphone = Microphone()
        self.resources = contextlib.AsyncExitStack()
        self.http = await self.resources.enter_async_context(aiohttp.ClientSession())
        config = await (await self.http.get(self.server.http + "/api/webrtc/config")).json()
        servers = [RTCIceServer(urls=entry["urls"], username=entry.get("username"), credential=entry.get("credential"))
                   for entry in config["iceServers"] if any("turn:" in url for url in entry["urls"])]
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self.pc.on("connectionstatechange", lambda: self.states.append(self.pc.connectionState))
        self.pc.on("track", self.take)
        self.pc.addTransceiver("video", direction="recvonly")
        if self.has_microphone:
            self.pc.addTransceiver(self.microphone, direction="sendrecv")
        else:
            self.pc.addTransceiver("audio", direction="recvonly")
        if self.session is None:
            answer = await self.http.post(self.server.http + "/v1/sessions", json={
                "tutor_id": 1, "student_id": self.student, "kb_id": None})
            self.session = await answer.json()
        self.socket = await self.http.ws_connect(
            f"{self.session['engine_url']}?token={self.session['engine_token']}", max_msg_size=1 << 24)
        self.tasks.append(asyncio.create_task(self.listen()))
        await self.pc.setLocalDescription(await self.pc.createOffer())
        offer = self.pc.localDescription.sdp
        if config["iceTransportPolicy"] == "relay":
            # aiortc has no policy: only its relay candidates are told.
            offer = "".join(line + "\r\n" for line in offer.splitlines()
                            if not (line.startswith("a=candidate:") and " typ relay" not in line))
        await self.send(type="webrtc_offer", sdp=offer, user_id=self.student, avatar_id=self.avatar, tutor_id=1)
        await self.until(lambda: self.pc.connectionState == "connected" and len(self.reports.newest) == 2, 40)
        return self

    async def __aexit__(self, *_):
        await self.send(type="bye")
        for task in self.tasks:
            task.cancel()
        await self.pc.close()
        if self.has_own_session:
            await self.http.delete(f"{self.server.http}/v1/sessions/{self.session['session_id']}")
        await self.resources.aclose()

    # What comes in

    def take(self, track):
        receiver = next(entry for entry in self.pc.getReceivers() if entry.track is track)
        handle_rtp, handle_rtcp = receiver._handle_rtp_packet, receiver._handle_rtcp_packet

        async def note_rtp(packet, arrival_time_ms):
            if track.kind == "audio":
                self.packets.append(Packet(time.monotonic(), packet.timestamp, packet.payload))
                await self.tell()
            await handle_rtp(packet, arrival_time_ms)

        async def note_rtcp(packet):
            if isinstance(packet, RtcpSrPacket):
                info = packet.sender_info
                self.reports.newest[track.kind] = (info.ntp_timestamp / 2**32, info.rtp_timestamp)
                await self.tell()
            await handle_rtcp(packet)
        receiver._handle_rtp_packet, receiver._handle_rtcp_packet = note_rtp, note_rtcp
        # aiortc counts a stream's time from its first packet.
        mapper = receiver._RTCRtpReceiver__timestamp_mapper

        async def consume():
            while True:
                frame = await track.recv()
                if track.kind == "video" and self.decodes_pictures:
                    grey = frame.to_ndarray(format="gray")
                    left, top, right, bottom = (round(share * size) for share, size in zip(self.region, grey.shape[::-1] * 2))
                    middle = grey[top:bottom, left:right]
                    timestamp = (frame.pts + mapper._origin) % 2**32
                    self.pictures.append(Picture(timestamp, float(middle.mean())))
                    await self.tell()
        self.tasks.append(asyncio.create_task(consume()))

    async def listen(self):
        async for message in self.socket:
            body = json.loads(message.data)
            body["arrival"] = time.monotonic()
            if body["type"] == "webrtc_answer":
                await self.pc.setRemoteDescription(RTCSessionDescription(body["sdp"], "answer"))
            elif body["type"] == "webrtc_ice_candidate":
                candidate = candidate_from_sdp(body["candidate"]["candidate"].split(":", 1)[1])
                candidate.sdpMid = body["candidate"]["sdpMid"]
                candidate.sdpMLineIndex = body["candidate"]["sdpMLineIndex"]
                await self.pc.addIceCandidate(candidate)
            self.messages.append(body)
            await self.tell()

    async def tell(self):
        async with self.changed:
            self.changed.notify_all()

    # What is asked

    async def send(self, **message):
        await self.socket.send_json(message)

    async def ask(self, text: str, **fields):
        await self.send(type="text_webrtc", content=text, avatar_id=self.avatar, user_id=self.student, tutor_id=1, **fields)

    async def post(self, verb: str, body=None) -> tuple[int, dict]:
        """One of the session's HTTP verbs, such as `speak`."""
        answer = await self.http.post(
            f"{self.server.http}/v1/sessions/{self.session['session_id']}/{verb}", json=body or {},
            headers={"Authorization": f"Bearer {self.session['engine_token']}"})
        return answer.status, await answer.json()

    def heard(self, kind: str, **fields) -> list[dict]:
        """The messages of that type whose fields are these."""
        return [message for message in self.messages if message["type"] == kind
                and all(message.get(name) == value for name, value in fields.items())]

    async def until(self, condition, timeout: float = 20):
        async def wait():
            async with self.changed:
                await self.changed.wait_for(condition)
        try:
            await asyncio.wait_for(wait(), timeout)
        except TimeoutError as error:
            raise AssertionError(f"did not come true in {timeout} s; last messages: {self.messages[-5:]}") from error

    async def hear(self, kind: str, timeout: float = 20, after: int = 0, **fields) -> dict:
        """The first message of that type beyond the first `after` messages."""
        def found():
            return next((message for message in self.messages[after:] if message["type"] == kind
                         and all(message.get(name) == value for name, value in fields.items())), None)
        await self.until(found, timeout)
        return found()

    # What was played

    def sound(self, since: int = 0) -> tuple[np.ndarray, list[Packet]]:
        """The sound of the packets from number `since` on, decoded in their order, 960 samples a packet."""
        decoder, packets = OpusDecoder(), sorted(self.packets[since:], key=lambda packet: packet.timestamp)
        samples = []
        for packet in packets:
            for frame in decoder.decode(JitterFrame(packet.payload, packet.timestamp)):
                samples.append(frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0])
        return (np.concatenate(samples) if samples else np.zeros(0, np.int16)), packets

    def loud_spans(self, since: int = 0, gap: float = 0.03) -> list[tuple[float, float]]:
        """From when to when there was sound, in seconds of the sender's wall clock; shorter gaps are bridged."""
        samples, packets = self.sound(since)
        loud = np.flatnonzero(np.abs(samples.astype(int)) > LOUD)
        if len(loud) == 0:
            return []
        breaks = np.flatnonzero(np.diff(loud) > gap * RATE)
        starts, ends = loud[np.r_[0, breaks + 1]], loud[np.r_[breaks, len(loud) - 1]]
        at = [self.reports.time("audio", packet.timestamp) for packet in packets]
        return [(at[start // PACKET] + start % PACKET / RATE, at[end // PACKET] + (end % PACKET + 1) / RATE)
                for start, end in zip(starts, ends)]

    def flashes(self, since: int = 0, threshold: float = 128) -> list[float]:
        """When bright pictures began, in seconds of the sender's wall clock."""
        pictures = self.pictures[since:]
        return [self.reports.time("video", after.timestamp) for before, after in zip(pictures, pictures[1:])
                if before.brightness <= threshold < after.brightness]
