"""The robot's RTP: camera and microphone out, the client's sound in."""
from __future__ import annotations

import asyncio
import random
import struct
import time
from collections import deque
from typing import Any

import av
import numpy as np
from aiortc import clock
from aiortc.rtp import RTCP_RTPFB_NACK, RtcpPsfbPacket, RtcpRtpfbPacket, RtcpSenderInfo, RtcpSrPacket, RtpPacket

from .dtls import RobotDtls
from .events import Events
from .faults import Faults
from .recordings import SOUND_PACKET_MS, Picture, payloads
from .settings import Settings

HISTORY = 512
BURST = 10


class RtpStream:
    """One outgoing stream: numbers, history for NACK, and sender reports."""

    def __init__(self, dtls: RobotDtls, payload_type: int, clock_rate: int) -> None:
        self._dtls, self._payload_type, self.clock_rate = dtls, payload_type, clock_rate
        self.ssrc = random.getrandbits(32)
        self._sequence = random.getrandbits(15)
        self._origin = random.getrandbits(32)
        self._history: dict[int, bytes] = {}
        self.packets = self.bytes = self.nacks = self.resent = self.plis = 0
        self._timestamp = 0
        dtls._rtp_router.register_sender(self, self.ssrc)

    async def send(self, payload: bytes, timestamp: int, marker: bool) -> None:
        """Sends one packet; the time counts from the stream's origin."""
        self._timestamp = (self._origin + timestamp) & 0xFFFFFFFF
        packet = struct.pack("!BBHII", 0x80, self._payload_type | (0x80 if marker else 0), self._sequence, self._timestamp, self.ssrc) + payload
        self._history[self._sequence % HISTORY] = packet
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.packets += 1
        self.bytes += len(payload)
        await self._dtls._send_rtp(packet)

    async def report(self) -> None:
        """A sender report."""
        info = RtcpSenderInfo(ntp_timestamp=clock.current_ntp_time(), rtp_timestamp=self._timestamp, packet_count=self.packets & 0xFFFFFFFF,
                              octet_count=self.bytes & 0xFFFFFFFF)
        await self._dtls._send_rtp(bytes(RtcpSrPacket(ssrc=self.ssrc, sender_info=info)))

    async def _handle_rtcp_packet(self, packet: Any) -> None:
        if isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            self.nacks += 1
            for sequence in packet.lost:
                kept = self._history.get(sequence % HISTORY)
                if kept and struct.unpack_from("!H", kept, 2)[0] == sequence:
                    self.resent += 1
                    await self._dtls._send_rtp(kept)
        elif isinstance(packet, RtcpPsfbPacket):
            self.plis += packet.fmt in (1, 4)


class Camera:
    """Sends the loop of pictures while it is switched on."""

    def __init__(self, stream: RtpStream, pictures: list[Picture], settings: Settings, faults: Faults) -> None:
        self._stream, self._pictures, self._settings, self._faults = stream, pictures, settings, faults
        self.sent: deque[tuple[int, float]] = deque(maxlen=1000)
        self.withheld = 0
        self.on = False

    async def run(self) -> None:
        """Until cancelled. It starts with a key frame each time it is switched on."""
        index = plis = 0
        due = reported = time.monotonic()
        while self._pictures:
            now = time.monotonic()
            if not self.on:
                index, due = 0, now
                await asyncio.sleep(0.02)
                continue
            if self._settings.honor_pli and self._stream.plis > plis:
                index, plis = 0, self._stream.plis
            await asyncio.sleep(max(0.0, due - now))
            await self._send(self._pictures[index % len(self._pictures)])
            rate = self._settings.video_fps * (BURST if self._faults.holds("media.burst") else 1)
            index, due = index + 1, max(due + 1 / rate, time.monotonic() - 0.2)
            if now - reported > 1:
                reported = now
                await self._stream.report()

    async def _send(self, picture: Picture) -> None:
        faults = self._faults
        if faults.holds("media.none") or faults.holds("media.stop"):
            self.withheld += 1
            return
        units = [unit for unit in picture.nal_units if not faults.holds("media.no_idr") or unit[0] & 0x1F == 1]
        timestamp = int(time.monotonic() * 90_000)
        pieces = [piece for unit in units for piece in payloads(unit, self._settings.packet_size)]
        for number, piece in enumerate(pieces):
            data = random.randbytes(len(piece)) if faults.holds("media.garbage") else piece
            await self._stream.send(data, timestamp, number == len(pieces) - 1)
        self.sent.append((picture.counter, time.time()))


class Microphone:
    """Sends the tone while it is switched on."""

    def __init__(self, stream: RtpStream, packets: list[bytes], faults: Faults) -> None:
        self._stream, self._packets, self._faults = stream, packets, faults
        self.on = False

    async def run(self) -> None:
        """Until cancelled."""
        number, due = 0, time.monotonic()
        while self._packets:
            due = max(due + SOUND_PACKET_MS / 1000, time.monotonic() - 0.2)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if self.on and not self._faults.holds("media.no_sound"):
                await self._stream.send(self._packets[number % len(self._packets)], number * 48 * SOUND_PACKET_MS, number == 0)
                if number % 50 == 49:
                    await self._stream.report()
            number += 1


class Loudspeaker:
    """What came in from the client: counted, and the last second measured."""

    def __init__(self, events: Events) -> None:
        self._decoder = av.CodecContext.create("libopus", "r")
        self._samples: deque[np.ndarray] = deque(maxlen=50)
        self._events = events
        self.packets = self.bytes = self.broken = 0
        self.last: float | None = None

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        if self.packets == 0:
            self._events.add("sound", what="first packet")
        self.packets += 1
        self.bytes += len(packet.payload)
        self.last = time.time()
        try:
            for frame in self._decoder.decode(av.Packet(packet.payload)):
                array = frame.to_ndarray().astype(np.float64)
                channels = len(frame.layout.channels)
                self._samples.append(array.mean(axis=0) if array.shape[0] > 1 else array.reshape(-1, channels).mean(axis=1))
        except av.FFmpegError:
            self.broken += 1

    async def _handle_rtcp_packet(self, packet: Any) -> None:
        pass

    def _handle_disconnect(self) -> None:
        pass

    def report(self) -> dict[str, Any]:
        """Counts, loudness (RMS, full scale 1) and the strongest frequency of the last second."""
        heard = np.concatenate(list(self._samples)) if self._samples else np.zeros(0)
        scale = 32768.0 if heard.size and np.abs(heard).max() > 1.5 else 1.0
        result: dict[str, Any] = {"packets": self.packets, "bytes": self.bytes, "broken": self.broken, "last": self.last, "rms": 0.0, "frequency": None}
        if heard.size >= 4800:
            result["rms"] = float(np.sqrt(np.mean((heard / scale) ** 2)))
            spectrum = np.abs(np.fft.rfft(heard * np.hanning(heard.size)))
            if result["rms"] > 1e-4:
                result["frequency"] = float(np.argmax(spectrum) * 48_000 / heard.size)
        return result
