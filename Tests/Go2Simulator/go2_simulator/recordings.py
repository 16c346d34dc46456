"""What the robot sends, encoded once: a loop of camera pictures as H.264 and a second of sound as Opus."""
from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from .pictures import luma

KEY_FRAME_SECONDS = 2
SOUND_PACKET_MS = 20


@dataclass
class Picture:
    """One encoded picture: its NAL units without start codes."""

    counter: int
    nal_units: list[bytes]

    @property
    def is_key_frame(self) -> bool:
        """Whether it holds an IDR slice."""
        return any(unit[0] & 0x1F == 5 for unit in self.nal_units)


def encode_video(width: int, height: int, fps: int, seconds: int, bit_rate: int) -> list[Picture]:
    """The loop: Constrained Baseline, one slice a picture, SPS and PPS in front of each IDR, a key frame every 2 s."""
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt, context.bit_rate = width, height, "yuv420p", bit_rate
    context.time_base, context.framerate, context.thread_count = Fraction(1, fps), Fraction(fps, 1), 1
    context.options = {"preset": "ultrafast", "profile": "baseline", "tune": "zerolatency", "level": "3.1",
                       "x264-params": f"keyint={fps * KEY_FRAME_SECONDS}:min-keyint={fps * KEY_FRAME_SECONDS}:scenecut=0:bframes=0:slices=1:"
                                      f"repeat-headers=1:sliced-threads=0:aud=0"}
    pictures: list[Picture] = []
    chroma = np.full((height // 2, width), 128, np.uint8)
    for counter in range(fps * seconds):
        frame = av.VideoFrame.from_ndarray(np.concatenate([luma(counter, width, height, fps), chroma]), "yuv420p")
        frame.pts = counter
        pictures += [Picture(counter, _nal_units(bytes(packet))) for packet in context.encode(frame)]
    pictures += [Picture(len(pictures), _nal_units(bytes(packet))) for packet in context.encode(None)]
    return pictures


def _nal_units(stream: bytes) -> list[bytes]:
    """The units between Annex B start codes; SEI and delimiters are left out, as the robot sends none."""
    units = [unit for piece in stream.split(b"\x00\x00\x01") if (unit := piece.rstrip(b"\x00"))]
    return [unit for unit in units if unit[0] & 0x1F in (1, 5, 7, 8)]


def payloads(unit: bytes, largest: int) -> list[bytes]:
    """One NAL unit as RTP payloads: single, or FU-A; never STAP-A (RFC 6184 sections 5.6 and 5.8)."""
    if len(unit) <= largest:
        return [unit]
    indicator, kind, body = unit[0] & 0xE0 | 28, unit[0] & 0x1F, unit[1:]
    step = largest - 2
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    return [bytes([indicator, kind | (0x80 if index == 0 else 0) | (0x40 if index == len(pieces) - 1 else 0)]) + piece
            for index, piece in enumerate(pieces)]


def encode_tone(frequency: float) -> list[bytes]:
    """One second of a tone as 50 Opus packets; whole periods of it, so that it can be repeated."""
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout, context.format, context.bit_rate = 48_000, "stereo", "s16", 48_000
    context.time_base = Fraction(1, 48_000)
    samples = 48_000 * SOUND_PACKET_MS // 1000
    packets: list[bytes] = []
    whole = max(1, round(frequency))
    for index in range(2 * 1000 // SOUND_PACKET_MS):
        times = (np.arange(samples) + index * samples) / 48_000
        mono = (8000 * np.sin(2 * np.pi * whole * times)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(mono, 2).reshape(1, -1), "s16", "stereo")
        frame.sample_rate, frame.pts = 48_000, index * samples
        packets += [bytes(packet) for packet in context.encode(frame)]
    return packets[50:100] if len(packets) >= 100 else packets[-50:]
