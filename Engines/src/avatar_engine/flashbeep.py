"""An engine to measure with: its avatar is dark and flashes white exactly where the speech beeps.

A beep begins at the first loud sample after quiet. The picture during which most of a beep is heard is white; the picture's
`first_sample` says exactly what it belongs to, so a viewer that compares flash and beep measures the server alone.
"""
from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from . import command_line
from .engine import Engine
from .pictures import PIXEL_FORMATS, AvatarDescription, Frame, Output, Picture, PixelFormat, Samples
from .protocol import SAMPLE_RATE
from .sessions import DuePicture, Session, Utterance

#: Luma of the dark picture, of the grey idle band and of the flash.
DARK, GREY, WHITE = 16, 60, 235


@dataclass(frozen=True)
class FlashBeepSettings:
    """What the command line says."""

    avatars: Sequence[str] = ("flashbeep",)
    width: int = 320
    height: int = 320
    fps: float = 25
    pixel_format: PixelFormat = "bgr24"
    patches: bool = False
    idle_count: int = 25
    #: Pictures that are made at once.
    burst: int = 1
    #: Seconds of sound that a second of work makes; 0: as fast as it can, 0.5: half as fast as real time.
    slow: float = 0
    loud: int = 2000
    #: Flashes of 100 ms at every multiple of so many samples of the utterance, besides those of beeps; 0: none.
    flash_every: int = 0
    #: Seconds of speech after which the engine dies, hangs or sends bytes that are no message.
    die_after: float | None = None
    hang_after: float | None = None
    rubbish: int = 0


class FlashBeep(Engine):
    """One flash a beep. No models, no state but the sound itself."""

    name = "flashbeep 1.0"

    def __init__(self, settings: FlashBeepSettings = FlashBeepSettings()) -> None:
        self.settings = settings
        self.batch_size = settings.burst
        self._heard = 0
        self._pictures: dict[int, Picture] = {}
        self._avatars = [
            AvatarDescription(name, settings.width, settings.height, settings.fps, settings.pixel_format, settings.patches,
                              settings.idle_count) for name in settings.avatars]

    def open(self) -> Sequence[AvatarDescription]:
        return self._avatars

    def idle_picture(self, avatar: str, index: int) -> Picture:
        """Dark, with a grey column that wanders from left to right: `index` can be read off its place."""
        settings = self.settings
        luma = np.full((settings.height, settings.width), DARK, np.uint8)
        width = max(2, settings.width // 16)
        left = (settings.width - width) * index // max(1, settings.idle_count - 1)
        luma[: settings.height // 8, left : left + width] = GREY
        return self._picture(luma)

    def attach(self, session: Session) -> None:
        if self.settings.rubbish:
            self._send_rubbish(self.settings.rubbish)

    def speech(self, session: Session, utterance: Utterance, samples: Samples) -> Iterator[Output]:
        self._misbehave(len(samples))
        yield from self._bursts(utterance, is_end=False)

    def end(self, session: Session, utterance: Utterance) -> Iterator[Output]:
        yield from self._bursts(utterance, is_end=True)

    def _bursts(self, utterance: Utterance, is_end: bool) -> Iterator[Output]:
        # A picture waits until its companions of the burst are due, too.
        if utterance.data is None:
            utterance.data = []
        waiting: list[DuePicture] = utterance.data
        for due in utterance.due():
            waiting.append(due)
            if len(waiting) >= self.settings.burst:
                yield from self._burst(utterance, waiting)
        if is_end:
            yield from self._burst(utterance, waiting)

    def _burst(self, utterance: Utterance, waiting: list[DuePicture]) -> Iterator[Output]:
        pictures, waiting[:] = list(waiting), []
        if self.settings.slow > 0 and pictures:
            time.sleep(len(pictures) / utterance.avatar.fps / self.settings.slow)
        for due in pictures:
            yield self._frame(utterance, due)

    def _frame(self, utterance: Utterance, due: DuePicture) -> Frame:
        settings = self.settings
        luma = WHITE if is_flash(utterance, due.number, settings.loud) or self._is_time(utterance, due.number) else DARK
        if not settings.patches:
            return Frame.full(due.first_sample, self._flat(luma, settings.width, settings.height))
        width, height = max(2, settings.width // 4 * 2), max(2, settings.height // 4 * 2)
        x, y = settings.width // 8 * 2, settings.height // 8 * 2
        return Frame.patch(due.first_sample, self._flat(luma, width, height), due.idle_index, x, y)

    def _is_time(self, utterance: Utterance, number: int) -> bool:
        every, avatar = self.settings.flash_every, utterance.avatar
        middle = (avatar.first_sample(number) + avatar.first_sample(number + 1)) // 2
        return every > 0 and middle % every < SAMPLE_RATE // 10

    def _flat(self, luma: int, width: int, height: int) -> Picture:
        if luma not in self._pictures:
            self._pictures[luma] = self._picture(np.full((height, width), luma, np.uint8))
        return self._pictures[luma]

    def _picture(self, luma: Picture) -> Picture:
        """A grey picture in the avatar's format from luma in limited range."""
        if self.settings.pixel_format in ("i420", "nv12"):
            chroma = np.full((luma.shape[0] // 2, luma.shape[1]), 128, np.uint8)
            return np.concatenate([luma, chroma])
        grey = np.clip((luma.astype(np.int32) - 16) * 255 // 219, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)

    def _misbehave(self, count: int) -> None:
        self._heard += count
        seconds, settings = self._heard / SAMPLE_RATE, self.settings
        if settings.die_after is not None and seconds >= settings.die_after:
            os._exit(3)
        if settings.hang_after is not None and seconds >= settings.hang_after:
            while True:
                time.sleep(3600)

    def _send_rubbish(self, count: int) -> None:
        """Messages that the protocol does not allow, the same ones each time."""
        bad = [[b""], [b"{}"], [b"\xff\xfe"], [b"[" * 16000], [b'{"type":"frame"}', b"x"], [b'{"type":"nonsense"}'], [b"{" * 20000],
               [b'{"type":"frame","session":"nobody","epoch":-1,"utterance":"u","first_sample":1e300,"kind":"full"}', b""],
               [b'{"type":"statistics","inference_fps":-1,"queue":99999999999999999999}'], [b'{"type":"pong","id":"x"}', b"", b""]]
        for number in range(count):
            self.send_raw(bad[number % len(bad)])


def is_flash(utterance: Utterance, number: int, loud: int = 2000) -> bool:
    """Whether a beep is heard during most of picture `number`: half of its samples or more lie within 2 ms of a loud one."""
    first, after = utterance.avatar.first_sample(number), utterance.avatar.first_sample(number + 1)
    block = SAMPLE_RATE // 500
    sound = np.abs(utterance.window(first, after - first).astype(np.int32))
    blocks = np.add.reduceat(sound > loud, np.arange(0, len(sound), block)) > 0
    return bool(np.count_nonzero(blocks) * 2 >= len(blocks))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="avatar-engine-flashbeep",
        description="An engine to measure with: a dark picture that flashes white exactly where the speech beeps.")
    defaults = FlashBeepSettings()
    parser.add_argument("--avatar", metavar="ID", action="append", help="avatar id; may be given several times (default: flashbeep)")
    parser.add_argument("--size", metavar="WxH", default="320x320", help="even, 16..2160 (default: %(default)s)")
    parser.add_argument("--fps", type=float, default=defaults.fps, help="pictures a second, 5..60 (default: %(default)g)")
    parser.add_argument("--pixel-format", choices=PIXEL_FORMATS, default=defaults.pixel_format, help="(default: %(default)s)")
    parser.add_argument("--patches", action="store_true", help="send patches over idle pictures instead of whole pictures")
    parser.add_argument("--idle-count", metavar="N", type=int, default=defaults.idle_count, help="idle pictures (default: %(default)d)")
    parser.add_argument("--burst", metavar="N", type=int, default=1, help="pictures that are made at once, 1..64 (default: 1)")
    parser.add_argument("--slow", metavar="FACTOR", type=float, default=0,
                        help="seconds of speech that a second of work makes: 1 is real time, 0.5 half as fast (default: no delay)")
    parser.add_argument("--loud", metavar="LEVEL", type=int, default=defaults.loud, help="a sample above it is a beep's (default: %(default)d)")
    parser.add_argument("--flash-every", metavar="SECONDS", type=float, default=0,
                        help="flash for 100 ms at every multiple of so much speech, too, for voices that do not beep (default: never)")
    group = parser.add_argument_group("misbehaviour, to test servers with")
    group.add_argument("--die-after", metavar="SECONDS", type=float, help="exit with status 3 after so much speech was received")
    group.add_argument("--hang-after", metavar="SECONDS", type=float, help="never return from a call after so much speech was received (see --hang-timeout)")
    group.add_argument("--rubbish", metavar="N", type=int, default=0, help="send N messages that the protocol does not allow at each attach")

    def make(options: argparse.Namespace) -> Engine:
        width, _, height = options.size.partition("x")
        if not 1 <= options.burst <= 64:
            raise ValueError(f"--burst {options.burst} is not 1..64")
        return FlashBeep(FlashBeepSettings(
            options.avatar or ["flashbeep"], int(width), int(height), options.fps, options.pixel_format, options.patches,
            options.idle_count, options.burst, options.slow, options.loud, max(0, int(options.flash_every * SAMPLE_RATE)), options.die_after,
            options.hang_after, options.rubbish))

    return command_line.main(make, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
