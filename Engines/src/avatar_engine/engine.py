"""The class that an engine's author derives from."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .pictures import AvatarDescription, Output, Picture, Samples
from .sessions import Session, Utterance


class Refusal(Exception):
    """Raised by an engine's callback to refuse what was asked: the server is told why, and nothing else happens.

    `code` is `failed` (cannot at all) or `busy` (cannot now).
    """

    def __init__(self, reason: str, code: str = "failed") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


@dataclass(frozen=True)
class Preparation:
    """An avatar that is to be made of an uploaded video (an absolute path on the server's machine)."""

    avatar: str
    video_path: str
    apply_blur: bool


class Engine:
    """Turns speech into pictures. Derive from it, implement what applies, and give it to `avatar_engine.main`.

    All callbacks but `prepare` run on one thread, the inference thread, one at a time; a long call blocks neither
    pings nor `clear`. `speech` and `end` may be generators: the library asks for the next picture when there is room
    for it, takes turns between sessions, and closes the generator (GeneratorExit at its `yield`) when its epoch is over.
    """

    #: Kind and version of the engine, for the server's logs; 1..64 bytes.
    name: str = "engine"
    #: The voice that viewers hear comes from the engine, which yields `Sound`.
    provides_audio: bool = False
    #: Pictures are shown so much later than their first sample says; -1000..1000.
    av_offset_ms: int = 0
    #: Sound that is needed beyond a picture's own samples; 0..5000.
    lookahead_ms: int = 0
    #: Pictures that come at once; 1..64.
    batch_size: int = 1
    #: `prepare` is implemented.
    can_prepare: bool = False
    #: Set by the library: sends the parts of a message as they are. Only tests of servers have a use for it.
    send_raw: Callable[[list[bytes]], None] = staticmethod(lambda parts: None)

    def open(self) -> Sequence[AvatarDescription]:
        """Loads whatever is needed and returns the avatars (at most 64). Called once, before the server hears of it."""
        raise NotImplementedError

    def idle_picture(self, avatar: str, index: int) -> Picture:
        """Idle picture `index` of an avatar, in its format and size. Asked for once each, usually."""
        raise NotImplementedError

    def attach(self, session: Session) -> None:
        """A stage shows the avatar from now on. Raise `Refusal` if it cannot be served."""

    def speech(self, session: Session, utterance: Utterance, samples: Samples) -> Iterable[Output] | None:
        """More sound of an utterance (16 kHz, already in `utterance.sound`): returns or yields what can be shown of it.

        Most engines go through `utterance.due(lookahead)` and yield one `Frame` each.
        """
        raise NotImplementedError

    def end(self, session: Session, utterance: Utterance) -> Iterable[Output] | None:
        """The utterance is complete: returns or yields the rest. The library then tells the server that it is done."""
        raise NotImplementedError

    def clear(self, session: Session) -> None:
        """Everything said to this session is void: forget its sound and state. Queued pictures are dropped already."""

    def detach(self, session: Session) -> None:
        """The session is over (its stage ended or the connection was lost)."""

    def prepare(self, preparation: Preparation, progress: Callable[[float], None]) -> AvatarDescription:
        """Makes an avatar of a video; calls `progress` with 0..1 now and then (it raises when the engine ends).

        Runs on a thread of its own, at most one at a time, while the inference thread goes on.
        """
        raise Refusal("this engine prepares no avatars")

    def gpu_load(self) -> float | None:
        """How busy the accelerator is, 0..1; None where it is unknown."""
        return None

    def close(self) -> None:
        """The engine ends: let go of what `open` took. Not called if a callback hangs."""
