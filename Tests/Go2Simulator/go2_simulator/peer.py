"""One client's connection: ICE, DTLS, SCTP, media and the session on the channel `data`."""
from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

from aiortc.rtcdatachannel import RTCDataChannel
from aiortc.rtcicetransport import candidate_to_aioice
from aiortc.sdp import candidate_from_sdp

from .dtls import RobotCertificate, RobotDtls
from .ice import RobotIce, local_candidates
from .media import Camera, Loudspeaker, Microphone, RtpStream
from .sctp import RobotSctp
from .sdp import AnswerFacts, Offer, write_answer
from .session import Session

if TYPE_CHECKING:
    from .robot import Robot


class Peer:
    """Lives from the offer until the connection ends; `ended` of the robot hears why."""

    def __init__(self, robot: Robot, offer: Offer) -> None:
        self.robot, self.offer = robot, offer
        self.begun = time.monotonic()
        self.ice = RobotIce(robot.settings, robot.faults)
        self._certificate = RobotCertificate.generateCertificate()
        self._dtls = RobotDtls(self.ice, self._certificate)
        self._sctp: RobotSctp | None = None
        self.session: Session | None = None
        self.extra_channels: list[str] = []
        video, audio = offer.first("video"), offer.first("audio")
        self._video_payload_type = video.payload_type("h264", "packetization-mode=1", "42e01f") or video.payload_type("h264") if video else None
        self._audio_payload_type = audio.payload_type("opus/48000") if audio else None
        self._video = RtpStream(self._dtls, self._video_payload_type or 0, 90_000)
        self._audio = RtpStream(self._dtls, self._audio_payload_type or 0, 48_000)
        self.camera = Camera(self._video, robot.pictures, robot.settings, robot.faults)
        self.microphone = Microphone(self._audio, robot.tone, robot.faults)
        self.loudspeaker = Loudspeaker(robot.events)
        self._tasks: list[asyncio.Task[Any]] = []
        self._closed = False

    async def answer(self) -> str:
        """Gathers and writes the answer; connecting begins at once."""
        settings, faults = self.robot.settings, self.robot.faults
        await self.ice.gather([] if settings.address == "0.0.0.0" else [settings.address])
        fingerprint, password = self._certificate.fingerprint, self.ice.local_password
        if faults.take("dtls.wrong_fingerprint"):
            fingerprint = "sha-256 " + ":".join(f"{random.getrandbits(8):02X}" for _ in range(32))
        if faults.take("ice.wrong_credentials"):
            password = password[::-1]
        facts = AnswerFacts(self.ice.local_username, password, fingerprint, local_candidates(self.ice, settings, faults), self._video.ssrc,
                            self._audio.ssrc, self._video_payload_type, self._audio_payload_type)
        self.ice.remote_username, self.ice.remote_password = self.offer.ufrag, self.offer.password
        self._start(self._run())
        self._start(self._watch())
        return write_answer(self.offer, facts)

    def _start(self, work: Any) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _run(self) -> None:
        try:
            await self._connect()
        except (ConnectionError, OSError, ValueError) as problem:
            await self.close(f"failed: {problem}", graceful=False)

    async def _connect(self) -> None:
        robot = self.robot
        robot.phase("ice")
        # The list of candidates is never ended: the SDK goes on waiting for checks of a client that listed none it can use.
        for line in self.offer.candidates:
            try:
                if not (candidate := candidate_from_sdp(line)).ip.endswith(".local"):  # the SDK knows no mDNS names
                    await self.ice.add_remote_candidate(candidate_to_aioice(candidate))
            except (ValueError, IndexError, AssertionError, KeyError):
                continue
        if robot.faults.holds("ice.silent") or robot.faults.holds("ice.unreachable"):
            await asyncio.Event().wait()
        await self.ice.connect()
        robot.phase("dtls")
        if robot.faults.holds("dtls.silent"):
            await asyncio.Event().wait()
        self._dtls.on("statechange", self._dtls_changed)
        if not await self._dtls.handshake():
            raise ConnectionError("DTLS handshake")
        self.ice.connected = True
        robot.phase("sctp")
        if not self._dtls.peer_matches(self.offer.fingerprint):
            robot.events.add("fingerprint", what="the last fingerprint of the offer is not that of the peer's certificate; neither SRTP nor SCTP begin")
            return
        if self._audio_payload_type is not None:
            self._dtls._rtp_router.register_receiver(self.loudspeaker, ssrcs=[], payload_types=[self._audio_payload_type])  # type: ignore[arg-type]
        self._sctp = RobotSctp(self._dtls, lambda: robot.settings.dcep_ack, robot.faults, self._opened, self._association_ended)
        self._sctp._remote_max_message_size = self.offer.maximum_message
        await self._sctp.start(None, self.offer.sctp_port)
        if self._video_payload_type is not None:
            self._start(self.camera.run())
        if self._audio_payload_type is not None:
            self._start(self.microphone.run())

    def _opened(self, channel: RTCDataChannel) -> None:
        if self.session is not None or channel.label != "data":
            self.extra_channels.append(channel.label)
            return
        self.robot.phase("channel")
        session = self.session = Session(self.robot, lambda message: self._send(channel, message), lambda: channel.bufferedAmount, self._switch,
                                         lambda reason: self._start(self.close(reason)))
        channel.on("message", session.received)
        channel.on("close", lambda: self._channel_closed(session))
        session.begin()

    def _channel_closed(self, session: Session) -> None:
        session.close()
        if self.session is session:
            self.session = None
            self.robot.events.add("channel_closed")

    def _send(self, channel: RTCDataChannel, message: str | bytes) -> None:
        if channel.readyState == "open":
            try:
                channel.send(message)
            except ValueError:
                self.robot.events.add("too_large", bytes=len(message))

    def _switch(self, kind: str, on: bool) -> None:
        if kind == "vid":
            self.camera.on = on
        else:
            self.microphone.on = on
        self.robot.events.add("switch", media=kind, on=on)

    def _dtls_changed(self) -> None:
        if self._dtls.state in ("closed", "failed") and not self._closed:
            self._start(self.close("closed by the client" if self._dtls.state == "closed" else "DTLS failed", graceful=False))

    def _association_ended(self) -> None:
        if not self._closed:
            self._start(self.close("association ended by the client", graceful=True))

    async def _watch(self) -> None:
        settings = self.robot.settings
        while True:
            await asyncio.sleep(0.1)
            now = time.monotonic()
            if not self.ice.connected and now - self.begun > settings.connect_seconds:
                return await self.close("not connected in time", graceful=False)
            if self.ice.connected and now - self.ice.last_heard > settings.silence_seconds:
                return await self.close("silent for too long", graceful=False)

    async def abort(self) -> None:
        """SCTP ABORT without anything else."""
        if self._sctp:
            await self._sctp.abort()

    async def send(self, message: str | bytes) -> None:
        """Any message on the channel."""
        if self.session:
            self.session._send(message)

    async def close(self, reason: str, graceful: bool = True) -> None:
        """Ends the connection: gracefully with ABORT and close_notify, else without a word."""
        if self._closed:
            return
        self._closed = True
        self.robot.ended(self, reason)
        if self.session:
            self.session.close()
        if self._sctp and graceful:
            await self._sctp.stop()
        elif self._sctp:
            self._sctp._abort = _nothing  # type: ignore[method-assign]
            await self._sctp.stop()
        if graceful:
            await self._dtls.stop()
        elif self._dtls._task:
            self._dtls._task.cancel()
        await self.ice.close()
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()

    def report(self) -> dict[str, Any]:
        """For the control port."""
        session, sctp = self.session, self._sctp
        return {"seconds": time.monotonic() - self.begun, "ice_checks_heard": self.ice.checks_heard, "dtls": self._dtls.state,
                "sctp": sctp.state if sctp else None, "inits_heard": sctp.inits_heard if sctp else 0,
                "channel": session is not None, "validated": bool(session and session.validated), "extra_channels": self.extra_channels,
                "subscribed": session.publisher.subscribed if session else [], "sent": session.publisher.sent if session else {},
                "skipped": session.publisher.skipped if session else 0,
                "traffic_saving": session.publisher.traffic_saving if session else True, "lidar_on": bool(session and session.topics.lidar_on),
                "video": {"on": self.camera.on, "packets": self._video.packets, "bytes": self._video.bytes, "withheld": self.camera.withheld,
                          "nacks": self._video.nacks,
                          "resent": self._video.resent, "plis": self._video.plis, "payload_type": self._video_payload_type},
                "audio": {"on": self.microphone.on, "packets": self._audio.packets, "payload_type": self._audio_payload_type},
                "sound_in": self.loudspeaker.report()}


async def _nothing() -> None:
    """In place of a goodbye."""
