"""What an engine gives: pictures bound to a sample of the speech, sound of its own, and how avatars are described."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .protocol import MAXIMUM_IDLE_PICTURES, SAMPLE_RATE

#: uint8. bgr24 and rgb24: height x width x 3. i420 and nv12: (height * 3 / 2) x width, the planes one below the other.
Picture = npt.NDArray[np.uint8]
#: int16, mono.
Samples = npt.NDArray[np.int16]
PixelFormat = Literal["bgr24", "rgb24", "i420", "nv12"]
PIXEL_FORMATS: tuple[PixelFormat, ...] = ("bgr24", "rgb24", "i420", "nv12")

_AVATAR = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


class OutputError(ValueError):
    """A picture or sound that the protocol does not allow: wrong size, odd place, unknown idle picture."""


@dataclass(frozen=True)
class AvatarDescription:
    """One avatar of an engine, as `hello` tells it.

    Width and height are even, 16..2160. `fps` (5..60) is the rate of the engine's pictures, speaking and idle.
    `idle_count` pictures make the idle motion, shown forth and back. With `patches` the engine sends only the region
    that moves, drawn over an idle picture by the server.
    """

    id: str
    width: int
    height: int
    fps: float = 25
    pixel_format: PixelFormat = "bgr24"
    patches: bool = False
    idle_count: int = 1

    def __post_init__(self) -> None:
        if not _AVATAR.match(self.id):
            raise ValueError(f"avatar id {self.id!r} is not 1..64 characters of A-Z a-z 0-9 . _ -")
        for name, size in (("width", self.width), ("height", self.height)):
            if not 16 <= size <= 2160 or size % 2:
                raise ValueError(f"avatar {self.id}: {name} {size} is not even and 16..2160")
        if not 5 <= self.fps <= 60:
            raise ValueError(f"avatar {self.id}: {self.fps} pictures a second are not 5..60")
        if self.pixel_format not in PIXEL_FORMATS:
            raise ValueError(f"avatar {self.id}: pixel format {self.pixel_format!r} is none of {', '.join(PIXEL_FORMATS)}")
        if not 1 <= self.idle_count <= MAXIMUM_IDLE_PICTURES:
            raise ValueError(f"avatar {self.id}: {self.idle_count} idle pictures are not 1..{MAXIMUM_IDLE_PICTURES}")

    @property
    def idle_positions(self) -> int:
        """Positions in one cycle of the idle motion, forth and back."""
        return max(1, 2 * self.idle_count - 2)

    def idle_index(self, position: int) -> int:
        """The idle picture that is shown at a position of the idle motion."""
        place = position % self.idle_positions
        return place if place < self.idle_count else 2 * self.idle_count - 2 - place

    def first_sample(self, number: int) -> int:
        """The sample at 16 kHz that is heard first while picture `number` of an utterance is shown."""
        return int(number * SAMPLE_RATE / self.fps + 0.5)

    def members(self) -> dict[str, Any]:
        fps = int(self.fps) if float(self.fps).is_integer() else self.fps
        return {"id": self.id, "width": self.width, "height": self.height, "fps": fps,
                "pixel_format": self.pixel_format, "patches": self.patches, "idle_count": self.idle_count}


@dataclass(frozen=True)
class Frame:
    """One picture of speech. Make it by `full`, `patch` or `idle`.

    `first_sample` is the first sample of the utterance (16 kHz) that is heard while the picture is shown.
    """

    kind: Literal["full", "patch", "idle"]
    first_sample: int
    picture: Picture | None = None
    idle_index: int | None = None
    x: int = 0
    y: int = 0
    pixel_format: PixelFormat | None = None

    @staticmethod
    def full(first_sample: int, picture: Picture, pixel_format: PixelFormat | None = None) -> Frame:
        """A whole picture of the avatar's size."""
        return Frame("full", first_sample, picture, pixel_format=pixel_format)

    @staticmethod
    def patch(first_sample: int, picture: Picture, idle_index: int, x: int, y: int,
              pixel_format: PixelFormat | None = None) -> Frame:
        """A region, its left upper corner at (x, y), over idle picture `idle_index`. All four numbers of it are even."""
        return Frame("patch", first_sample, picture, idle_index, x, y, pixel_format)

    @staticmethod
    def idle(first_sample: int, idle_index: int) -> Frame:
        """An idle picture as it is: nothing moves."""
        return Frame("idle", first_sample, idle_index=idle_index)


@dataclass(frozen=True)
class Sound:
    """Sound of the engine's own (engines with `provides_audio`): int16 mono at 16, 24 or 48 kHz, without gaps.

    `first_sample` counts at `rate`. At most 48,000 samples.
    """

    first_sample: int
    rate: Literal[16000, 24000, 48000]
    samples: Samples


Output = Frame | Sound


def size_of(picture: Picture, pixel_format: PixelFormat) -> tuple[int, int]:
    """Width and height of a picture. Raises `OutputError` where its shape does not fit the format."""
    if picture.dtype != np.uint8:
        raise OutputError(f"a picture of {picture.dtype} instead of uint8")
    if pixel_format in ("bgr24", "rgb24"):
        if picture.ndim != 3 or picture.shape[2] != 3:
            raise OutputError(f"{pixel_format} needs height x width x 3, not {picture.shape}")
        return picture.shape[1], picture.shape[0]
    if picture.ndim != 2 or picture.shape[0] % 3:
        raise OutputError(f"{pixel_format} needs (height * 3 / 2) x width, not {picture.shape}")
    return picture.shape[1], picture.shape[0] * 2 // 3


def checked(frame: Frame, avatar: AvatarDescription) -> dict[str, Any]:
    """A frame's members of the header; `OutputError` where the server would refuse it."""
    if frame.kind not in ("full", "patch", "idle"):
        raise OutputError(f"a frame of kind {frame.kind!r}")
    members: dict[str, Any] = {"kind": frame.kind, "first_sample": int(frame.first_sample)}
    if frame.first_sample < 0:
        raise OutputError(f"a frame before the utterance ({frame.first_sample})")
    if frame.kind != "full":
        if frame.idle_index is None or not 0 <= frame.idle_index < avatar.idle_count:
            raise OutputError(f"idle picture {frame.idle_index} of {avatar.idle_count}")
        members["idle_index"] = int(frame.idle_index)
    if frame.kind == "idle":
        return members
    if frame.picture is None:
        raise OutputError(f"a {frame.kind} frame without picture")
    pixel_format = frame.pixel_format or avatar.pixel_format
    width, height = size_of(frame.picture, pixel_format)
    if frame.kind == "full":
        if (width, height) != (avatar.width, avatar.height):
            raise OutputError(f"a picture of {width}x{height} for an avatar of {avatar.width}x{avatar.height}")
    else:
        if not avatar.patches:
            raise OutputError(f"a patch for {avatar.id}, which was described without patches")
        if (any(value % 2 or value < 0 for value in (frame.x, frame.y, width, height)) or not width or not height
                or frame.x + width > avatar.width or frame.y + height > avatar.height):
            raise OutputError(f"a patch of {width}x{height} at ({frame.x}, {frame.y}) is odd or outside "
                              f"{avatar.width}x{avatar.height}")
        members.update(x=int(frame.x), y=int(frame.y), width=width, height=height)
    if frame.pixel_format is not None:
        members["pixel_format"] = frame.pixel_format
    return members


def blank(avatar: AvatarDescription, luma: int = 16) -> Picture:
    """A grey picture of the avatar's size and format; `luma` 16 (black) ..235 (white)."""
    if avatar.pixel_format in ("bgr24", "rgb24"):
        grey = min(255, max(0, round((luma - 16) * 255 / 219)))
        return np.full((avatar.height, avatar.width, 3), grey, np.uint8)
    picture = np.full((avatar.height * 3 // 2, avatar.width), 128, np.uint8)
    picture[: avatar.height] = luma
    return picture
