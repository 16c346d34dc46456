"""An engine without a model: a video as idle motion, and the mouth of a second video while it speaks.

The talking video runs while there is sound and stands on the idle picture in silence. Made to see a whole system work
with real pictures, and as an example of an engine with patches and preparation.
"""
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from . import command_line
from .engine import Engine, Preparation, Refusal
from .pictures import AvatarDescription, Frame, Output, Picture, Samples
from .protocol import SAMPLE_RATE
from .sessions import DuePicture, Session, Utterance
from .video import VideoError, decode, probe

#: Seconds of a video that are used, if the pictures fit into memory (`video.MAXIMUM_BYTES`).
MAXIMUM_SECONDS = 20


@dataclass(frozen=True)
class Mouth:
    """The region that is cut out of the talking video, in the avatar's pixels; all even."""

    x: int
    y: int
    width: int
    height: int

    @staticmethod
    def parse(text: str) -> Mouth:
        try:
            x, y, width, height = (int(part) for part in text.split(","))
        except ValueError:
            raise ValueError(f"--mouth {text} is not x,y,w,h") from None
        return Mouth(x, y, width, height)

    @staticmethod
    def lower_middle(width: int, height: int) -> Mouth:
        """Where the mouth is in a portrait: the middle third across, from 40 % to 70 % down."""
        return Mouth(width // 3 // 2 * 2, height * 4 // 10 // 2 * 2, width // 3 // 2 * 2, height * 3 // 10 // 2 * 2)

    def check(self, width: int, height: int) -> Mouth:
        if (any(value % 2 or value < 0 for value in (self.x, self.y, self.width, self.height)) or not self.width or not self.height
                or self.x + self.width > width or self.y + self.height > height):
            raise ValueError(f"mouth {self.x},{self.y},{self.width},{self.height}: odd or outside the picture of {width}x{height}")
        return self


@dataclass(frozen=True)
class Cast:
    """One avatar in memory: its idle pictures and the pictures while it talks, BGR."""

    avatar: AvatarDescription
    idle: Sequence[Picture]
    talking: Sequence[Picture]
    mouth: Mouth


class Player(Engine):
    """Plays what it was given; `prepare` makes an avatar of an uploaded video (idle and talking are the same then)."""

    name = "player 1.0"
    can_prepare = True

    #: A picture is silent if its sound's mean amplitude is below.
    QUIET = 100.0

    def __init__(self, avatar: str = "player", idle: str | None = None, talking: str | None = None, mouth: Mouth | None = None,
                 width: int = 0, height: int = 0, fps: float = 0, patches: bool = True) -> None:
        self._avatar, self._idle, self._talking, self._mouth = avatar, idle, talking, mouth
        self._width, self._height, self._fps, self._patches = width, height, fps, patches
        self._casts: dict[str, Cast] = {}

    def open(self) -> Sequence[AvatarDescription]:
        if self._idle is None:
            return []
        try:
            cast = self._make(self._avatar, self._idle, self._talking, self._mouth, lambda share: None)
        except (VideoError, ValueError) as error:
            raise Refusal(str(error)) from None
        self._casts[cast.avatar.id] = cast
        return [cast.avatar]

    def idle_picture(self, avatar: str, index: int) -> Picture:
        return self._casts[avatar].idle[index]

    def attach(self, session: Session) -> None:
        # The cast stays the session's, even if an avatar of the same name is prepared meanwhile.
        session.data = self._casts[session.avatar.id]

    def speech(self, session: Session, utterance: Utterance, samples: Samples) -> Iterator[Output]:
        return self._frames(session, utterance)

    def end(self, session: Session, utterance: Utterance) -> Iterator[Output]:
        return self._frames(session, utterance)

    def _frames(self, session: Session, utterance: Utterance) -> Iterator[Output]:
        for due in utterance.due():
            yield self._frame(session.data, utterance, due)

    def _frame(self, cast: Cast, utterance: Utterance, due: DuePicture) -> Frame:
        count = int(SAMPLE_RATE / cast.avatar.fps)
        level = np.abs(utterance.window(due.first_sample, count).astype(np.int32)).mean()
        if level < self.QUIET:
            return Frame.idle(due.first_sample, due.idle_index)
        talking = cast.talking[due.number % len(cast.talking)]
        mouth = cast.mouth
        region = talking[mouth.y : mouth.y + mouth.height, mouth.x : mouth.x + mouth.width]
        if cast.avatar.patches:
            return Frame.patch(due.first_sample, region, due.idle_index, mouth.x, mouth.y)
        picture = cast.idle[due.idle_index].copy()
        picture[mouth.y : mouth.y + mouth.height, mouth.x : mouth.x + mouth.width] = region
        return Frame.full(due.first_sample, picture)

    def prepare(self, preparation: Preparation, progress: Callable[[float], None]) -> AvatarDescription:
        try:
            cast = self._make(preparation.avatar, preparation.video_path, None, None, progress)
        except (VideoError, ValueError) as error:
            raise Refusal(str(error)) from None
        self._casts[preparation.avatar] = cast
        return cast.avatar

    def _make(self, name: str, idle: str, talking: str | None, mouth: Mouth | None, progress: Callable[[float], None]) -> Cast:
        info = probe(idle)
        width, height = self._size(info.width, info.height)
        fps = self._fps or min(30.0, max(15.0, round(info.fps or 25)))
        most = int(MAXIMUM_SECONDS * fps)
        share = 1.0 if talking is None else 0.5
        idles = decode(idle, width, height, fps, most, lambda part: progress(part * share))
        talks = idles if talking is None else decode(talking, width, height, fps, most, lambda part: progress(share + part * share))
        avatar = AvatarDescription(name, width, height, fps, "bgr24", self._patches, len(idles))
        return Cast(avatar, idles, talks, (mouth or Mouth.lower_middle(width, height)).check(width, height))

    def _size(self, width: int, height: int) -> tuple[int, int]:
        if self._width and self._height:
            return self._width, self._height
        shrink = min(1.0, 1080 / max(1, min(width, height)), 1920 / max(1, max(width, height)))
        return max(16, int(width * shrink) // 2 * 2), max(16, int(height * shrink) // 2 * 2)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="avatar-engine-player",
        description="An engine without a model: a video as idle motion, and the mouth of a second video while it speaks. "
        "Decodes by the ffmpeg program. Without --idle it has no avatar and waits for videos to prepare.")
    parser.add_argument("--avatar", metavar="ID", default="player", help="avatar id (default: %(default)s)")
    parser.add_argument("--idle", metavar="FILE", help=f"video of the idle motion, played forth and back; the first {MAXIMUM_SECONDS} s are used")
    parser.add_argument("--talking", metavar="FILE", help="video of the same person talking (default: the idle video)")
    parser.add_argument("--mouth", metavar="X,Y,W,H", help="region of the mouth in the avatar's pixels, even numbers (default: the lower middle)")
    parser.add_argument("--size", metavar="WxH", help="the avatar's size (default: the idle video's, at most 1080x1920)")
    parser.add_argument("--fps", type=float, default=0, help="pictures a second (default: the idle video's, 15..30)")
    parser.add_argument("--full", action="store_true", help="send whole pictures instead of patches")

    def make(options: argparse.Namespace) -> Engine:
        width, height = 0, 0
        if options.size:
            first, _, second = options.size.partition("x")
            width, height = int(first), int(second)
        for file in (options.idle, options.talking):
            if file and not os.path.isfile(file):
                raise ValueError(f"there is no file {file}")
        if options.talking and not options.idle:
            raise ValueError("--talking needs --idle")
        mouth = Mouth.parse(options.mouth) if options.mouth else None
        return Player(options.avatar, options.idle, options.talking, mouth, width, height, options.fps, not options.full)

    return command_line.main(make, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
