"""What the exchange holds: a session's seat with its queues, and the inputs and jobs of the inference thread."""
from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from .pictures import AvatarDescription, Output, Samples
from .sessions import Session, Utterance


@dataclass
class Attach:
    """The inference thread is to call `attach`."""


@dataclass
class Speech:
    utterance: Utterance
    first_sample: int
    samples: Samples


@dataclass
class End:
    utterance: Utterance
    total: int


@dataclass
class Clear:
    epoch: int


@dataclass
class Detach:
    """The inference thread is to call `detach` and forget the session."""


Input = Attach | Speech | End | Clear | Detach


@dataclass
class Waiting:
    """A message that waits in a session's queue."""

    parts: list[bytes]
    needs_credit: bool
    utterance: str
    first_sample: int


@dataclass(eq=False)
class Seat:
    """One session as the library keeps it."""

    session: Session
    epoch: int
    credit: int = 0
    inputs: deque[Input] = field(default_factory=deque)
    waiting: deque[Waiting] = field(default_factory=deque)
    #: Frames among `waiting`.
    frames: int = 0
    utterances: dict[str, Utterance] = field(default_factory=dict)
    #: The inference thread's: what it is drawing pictures from, and for which epoch and utterance.
    work: Iterator[Output] | None = None
    work_utterance: Utterance | None = None
    work_ends: bool = False
    is_over: bool = False
    was_attached: bool = False


@dataclass
class IdleJob:
    """One idle picture is to be drawn."""

    avatar: AvatarDescription
    index: int


@dataclass
class SeatJob:
    """A session has something to do: a step of its work, or its next input."""

    seat: Seat
