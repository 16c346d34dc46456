"""Decodes videos by the `ffmpeg` and `ffprobe` programs, with limits. No Python binding is needed."""
from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .pictures import Picture
from .protocol import cut

#: What may be decoded: seconds of work for ffprobe, and for ffmpeg, which may sit on a hostile file for ever.
PROBE_SECONDS = 20
DECODE_SECONDS = 600
#: Raw pictures of one video that are held in memory: what the server's `idle_memory_limit` takes by default.
MAXIMUM_BYTES = 500 * 1024**2
#: Containers of one file each. Playlists are not among them: an uploaded one could name other files of this machine.
CONTAINERS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,gif,apng,yuv4mpegpipe"
INPUT = ["-protocol_whitelist", "file", "-format_whitelist", CONTAINERS]


class VideoError(Exception):
    """The file is no video that can be used; the message says why, in ffmpeg's words where it spoke."""


@dataclass(frozen=True)
class VideoInfo:
    """Size in pixels as shown (after rotation), pictures a second, seconds (0: unknown)."""

    width: int
    height: int
    fps: float
    seconds: float


def probe(path: str) -> VideoInfo:
    """What the first video stream of a file is."""
    if not os.path.isfile(path):
        raise VideoError(f"there is no file {path}")
    output = _run(["ffprobe", "-v", "error", *INPUT, "-select_streams", "v:0", "-show_entries",
                   "stream=width,height,avg_frame_rate,duration:stream_side_data=rotation:format=duration",
                   "-of", "json", f"file:{path}"], path)
    try:
        found = json.loads(output)
        stream = found["streams"][0]
        width, height = int(stream["width"]), int(stream["height"])
        if any(abs(int(data.get("rotation", 0))) % 180 == 90 for data in stream.get("side_data_list", [])):
            width, height = height, width
        over, _, under = stream.get("avg_frame_rate", "0/1").partition("/")
        fps = float(over) / float(under or 1) if float(under or 1) else 0.0
        seconds = _float(stream.get("duration")) or _float(found.get("format", {}).get("duration"))
    except (ValueError, LookupError, TypeError):
        raise VideoError(f"{os.path.basename(path)} has no video") from None
    if width <= 0 or height <= 0:
        raise VideoError(f"{os.path.basename(path)} has no video")
    return VideoInfo(width, height, fps, seconds)


def decode(path: str, width: int, height: int, fps: float, most_pictures: int,
           progress: Callable[[float], None] = lambda share: None) -> list[Picture]:
    """The video's pictures in BGR, scaled to fill `width` x `height` (the middle of what overlaps), at `fps`; at most so many.

    `progress` is told 0..1 and may raise to give up.
    """
    size = width * height * 3
    most_pictures = max(1, min(most_pictures, MAXIMUM_BYTES // size))
    info = probe(path)
    expected = min(most_pictures, max(1, math.ceil(info.seconds * fps))) if info.seconds else most_pictures
    scale = (f"fps={fps:g},scale={width}:{height}:force_original_aspect_ratio=increase:flags=bicubic,crop={width}:{height},"
             "setsar=1,format=bgr24")
    command = ["ffmpeg", "-v", "error", "-nostdin", *INPUT, "-threads", "2", "-i", f"file:{path}", "-map", "0:v:0",
               "-vf", scale, "-frames:v", str(most_pictures), "-t", str(DECODE_SECONDS), "-f", "rawvideo", "pipe:1"]
    if shutil.which("timeout"):
        command = ["timeout", "-k", "2", str(DECODE_SECONDS), *command]
    pictures: list[Picture] = []
    with tempfile.TemporaryFile() as errors:
        process = _start(command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, bufsize=size)
        try:
            stream = process.stdout
            while stream is not None and len(pictures) < most_pictures:
                raw = stream.read(size)
                if len(raw) < size:
                    break
                pictures.append(np.frombuffer(raw, np.uint8).reshape(height, width, 3))
                progress(min(1.0, len(pictures) / expected))
        finally:
            # More pictures than wanted, or `progress` raised: ffmpeg would wait for a reader for ever.
            if process.stdout is not None:
                process.stdout.close()
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if not pictures:
            errors.seek(0)
            reason = cut(errors.read(2000).decode("utf-8", "replace").replace(path, os.path.basename(path)), 300)
            raise VideoError(reason or f"{os.path.basename(path)} has no pictures")
    return pictures


def _float(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0


def _start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, **options)
    except FileNotFoundError:
        raise VideoError(f"the program {command[0]} is not installed (Debian: apt install ffmpeg)") from None


def _run(command: list[str], path: str) -> bytes:
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=PROBE_SECONDS, check=False)
    except FileNotFoundError:
        raise VideoError(f"the program {command[0]} is not installed (Debian: apt install ffmpeg)") from None
    except subprocess.TimeoutExpired:
        raise VideoError(f"{os.path.basename(path)}: {command[0]} did not end within {PROBE_SECONDS} s") from None
    if done.returncode:
        reason = done.stderr[-2000:].decode("utf-8", "replace").replace(path, os.path.basename(path))
        raise VideoError(cut(reason, 300) or f"{os.path.basename(path)} cannot be read")
    return done.stdout
