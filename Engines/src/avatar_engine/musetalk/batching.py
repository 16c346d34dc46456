"""Decides how many pictures are made at once, and which. No I/O, no clock: times come in with the pictures.

```
an utterance begins     ─► few: the first picture as soon as possible
time to spare           ─► many: a batch costs less a picture
late                    ─► one at a time, and what could not be shown any more is left out
```
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32)
"""Batch sizes to choose from: few, so that the times of each become known soon."""

LATE_LIMIT = 0.4
"""Seconds. Pictures are left out for no more than this, however long a batch takes: or a very slow device would never show one."""

_WEIGHT = 0.3


class Waiting(Protocol):
    """A picture that waits for the network."""

    @property
    def lead(self) -> float:
        """Seconds until it must be there. Before the utterance is heard: as if it began to be heard now."""

    @property
    def duration(self) -> float:
        """Seconds that it is shown."""

    @property
    def has_begun(self) -> bool:
        """Whether an earlier picture of its utterance is made."""

    @property
    def is_heard(self) -> bool:
        """Whether its utterance is heard already: only then can a picture be too late."""


@dataclass
class BatchTimes:
    """How long batches take, learnt as they are made."""

    seconds: dict[int, float] = field(default_factory=dict)

    def observe(self, size: int, seconds: float) -> None:
        """A batch of ``size`` took ``seconds``."""
        before = self.seconds.get(size)
        self.seconds[size] = seconds if before is None else before + _WEIGHT * (seconds - before)

    def estimate(self, size: int) -> float:
        """How long a batch of ``size`` will take: as it did, else after the nearest size known; 0 while none is."""
        if not self.seconds:
            return 0.0
        if size in self.seconds:
            return self.seconds[size]
        nearest = min(self.seconds, key=lambda known: (abs(known - size), known))
        # A larger batch costs at most in proportion, a smaller one at most as much as the larger.
        return self.seconds[nearest] * max(1.0, size / nearest)


@dataclass(frozen=True)
class BatchPlan:
    """What to do with the pictures that were offered, by their positions."""

    made: list[int]
    """The next batch, in the order offered."""
    left_out: list[int]
    """Too late to be shown."""


@dataclass
class BatchPlanner:
    """Plans the batches of all sessions together."""

    first: int = 2
    """Pictures of a batch with which an utterance begins."""
    largest: int = 16
    times: BatchTimes = field(default_factory=BatchTimes)

    def size(self, lead: float) -> int:
        """The size of a batch whose most urgent picture must be there in ``lead`` seconds: it takes at most half of that time."""
        fitting = [size for size in SIZES if size <= self.largest and self.times.estimate(size) <= lead / 2]
        return max(fitting, default=1)

    def plan(self, waiting: Sequence[Waiting]) -> BatchPlan:
        """Chooses among the pictures of all sessions, each session's in order of time: the most urgent ones first."""
        margin = min(LATE_LIMIT, self.times.estimate(1))
        left_out = [
            position for position, picture in enumerate(waiting) if picture.is_heard and picture.lead + picture.duration <= margin
        ]
        late = set(left_out)
        urgent = [position for position in range(len(waiting)) if position not in late]
        urgent.sort(key=lambda position: waiting[position].lead)
        if not urgent:
            return BatchPlan([], left_out)
        if all(waiting[position].has_begun for position in urgent):
            size = self.size(waiting[urgent[0]].lead)
        else:
            # Several utterances that begin together get their first pictures out of one batch.
            beginning = sum(1 for position in urgent if not waiting[position].has_begun and waiting[position].lead <= 0)
            size = min(self.largest, max(self.first, beginning))
        return BatchPlan(sorted(urgent[:size]), left_out)
