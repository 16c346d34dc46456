"""What an engine sees of a stage: the session, its utterances, and which pictures are due."""
from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .pictures import AvatarDescription, Samples
from .protocol import SAMPLE_RATE


@dataclass(frozen=True)
class DuePicture:
    """A picture that can be made: its number in the utterance, its first sample (16 kHz), and the idle picture below it."""

    number: int
    first_sample: int
    idle_index: int


class Utterance:
    """The sound of one utterance as far as it is known, and the pictures that it needs.

    Used on the inference thread, but for `heard`.
    """

    #: A picture is made in spite of its lateness if it costs more than this to be in time.
    MAXIMUM_MARGIN = 0.4

    def __init__(self, identifier: str, epoch: int, avatar: AvatarDescription, start: int, idle_position: int) -> None:
        self.id = identifier
        self.epoch = epoch
        self.avatar = avatar
        #: The first sample that is known; more than 0 where the server said the utterance anew after a restart.
        self.start = start
        #: Position of the idle motion when `start` is heard.
        self.idle_position = idle_position
        #: Samples in all, once `end` came; None before.
        self.total: int | None = None
        #: For the author.
        self.data: Any = None
        #: Pictures left out because they would have come too late.
        self.skipped = 0
        #: The sample after the last one that the server sent; the library's.
        self.announced = start
        self._sound: Samples = np.zeros(SAMPLE_RATE, np.int16)
        self._known = 0
        self._first_number = int(start * avatar.fps / SAMPLE_RATE)
        while avatar.first_sample(self._first_number) > start:
            self._first_number -= 1
        self._next_number = self._first_number
        self._heard: tuple[int, float] | None = None
        self._cost = 0.0

    @property
    def known(self) -> int:
        """The sample after the last one that is known."""
        return self.start + self._known

    @property
    def is_complete(self) -> bool:
        return self.total is not None

    @property
    def sound(self) -> Samples:
        """Everything known, from sample `start` on. A view: do not write."""
        return self._sound[: self._known]

    def window(self, first: int, count: int) -> Samples:
        """`count` samples from `first` on; silence where nothing is known. A copy."""
        result: Samples = np.zeros(count, np.int16)
        low, high = max(first, self.start), min(first + count, self.known)
        if low < high:
            result[low - first : high - first] = self._sound[low - self.start : high - self.start]
        return result

    def idle_index(self, number: int) -> int:
        """The idle picture that lies below picture `number`."""
        return self.avatar.idle_index(self.idle_position + number - self._first_number)

    @property
    def heard(self) -> int | None:
        """The sample that is heard now, by the server's last word and the clock since; None before it is heard."""
        if self._heard is None:
            return None
        sample, at = self._heard
        # The server speaks every 200 ms: after a second without a word the sound has stopped.
        return sample + int(min(1.0, time.monotonic() - at) * SAMPLE_RATE)

    def due(self, lookahead: int = 0, skip_late: bool = True) -> Iterator[DuePicture]:
        """The pictures that were not due before, and for which all sound is known, `lookahead` samples more included.

        After the end every remaining picture is due: what lies beyond counts as silence. With `skip_late` pictures
        are left out that could not be shown in time, judged by what is heard now and how long the last ones took.
        """
        asked = None
        while True:
            if asked is not None:
                self._cost = min(self.MAXIMUM_MARGIN, max(time.monotonic() - asked, self._cost * 0.9))
            number = self._next_number
            first = self.avatar.first_sample(number)
            if self.total is not None:
                if first >= self.total:
                    return
            elif self.avatar.first_sample(number + 1) + lookahead > self.known:
                return
            self._next_number += 1
            heard = self.heard
            if skip_late and heard is not None and first < heard + int(self._cost * SAMPLE_RATE):
                self.skipped += 1
                asked = None
                # Costs are forgotten while skipping, or a single slow picture could skip a whole utterance.
                self._cost *= 0.9
                continue
            asked = time.monotonic()
            yield DuePicture(number, first, self.idle_index(number))

    # What follows is the library's.

    def append(self, first_sample: int, samples: Samples) -> int:
        """Adds sound; a gap becomes silence, an overlap is dropped. Returns by how many samples it did not fit."""
        misfit = first_sample - self.known
        if misfit > 0:
            samples = np.concatenate([np.zeros(misfit, np.int16), samples])
        elif misfit < 0:
            samples = samples[min(len(samples), -misfit):]
        needed = self._known + len(samples)
        if needed > len(self._sound):
            grown: Samples = np.zeros(max(needed, 2 * len(self._sound)), np.int16)
            grown[: self._known] = self._sound[: self._known]
            self._sound = grown
        self._sound[self._known : needed] = samples
        self._known = needed
        return misfit

    def note_heard(self, sample: int) -> None:
        self._heard = (sample, time.monotonic())


class Session:
    """A stage that shows one of the engine's avatars. `data` is the author's, for whatever belongs to it."""

    def __init__(self, identifier: str, avatar: AvatarDescription, epoch: int, fps: int, width: int, height: int) -> None:
        self.id = identifier
        self.avatar = avatar
        #: The epoch of what is being worked on; grows with every `clear`.
        self.epoch = epoch
        #: The stage's own pictures a second and size, for information: pictures keep the avatar's.
        self.fps = fps
        self.width = width
        self.height = height
        self.data: Any = None

    def __repr__(self) -> str:
        return f"<session {self.id} of {self.avatar.id}>"
