"""Calls one at a time, in order, on the main thread: where a signal ends whatever Python waits for."""
from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import NoReturn

from .answering import Call, Interrupted, answer, interrupted
from .connection import Link
from .lookup import Project

#: Projects have their own uses for SIGUSR1 and SIGUSR2.
SIGNAL = signal.SIGRTMIN
#: Interrupts that came before their call.
EARLY_LIMIT = 1_000


class OrderedCalls:
    """An interrupt is raised by a signal's handler, and only while `answer` is on the stack: never in what comes before or after it.

    `_early` and `_running` are written by one thread and read by the other in opposite order, so that at least one of the two sees the other.
    """

    def __init__(self, endpoint: str) -> None:
        self._link = Link(endpoint, "calls")
        self._running: str | None = None
        self._wanted: str | None = None
        self._early: dict[str, None] = {}
        self._was_hit = False
        signal.signal(SIGNAL, self._handle)

    def is_open(self, patience: float) -> bool:
        """Whether the server has greeted."""
        return self._link.is_open(patience)

    @property
    def count(self) -> int:
        """How many calls run."""
        return 0 if self._running is None else 1

    def serve(self, project: Project) -> NoReturn:
        """The main thread's life. One wake-up for a call, none for its answer."""
        socket = self._link.socket
        while True:
            call = Call.parse(socket.recv())
            if call is not None:
                socket.send(self._answer(project, call))

    def interrupt(self, identifier: str | None) -> None:
        """From the control thread. Remembered where the call has not come yet; null means the one that runs."""
        if identifier is not None:
            for oldest in list(self._early)[: 1 - EARLY_LIMIT]:
                self._early.pop(oldest, None)
            self._early[identifier] = None
        running = self._running
        if running is None or (identifier is not None and identifier != running):
            return
        if identifier is None:
            self._early[running] = None
        self._wanted = running
        self.insist()

    def insist(self) -> bool:
        """Signals again while an interrupt has not taken effect: one that comes just before a wait begins does not end that wait."""
        if self._wanted is None or self._wanted != self._running:
            return False
        signal.pthread_kill(threading.main_thread().ident or 0, SIGNAL)
        return True

    def _answer(self, project: Project, call: Call) -> bytes:
        self._was_hit = False
        self._running = call.id
        try:
            message = self._guarded(project, call)
        except Interrupted:
            self._was_hit = True
        self._running = None
        self._early.pop(call.id, None)
        return interrupted(call.id) if self._was_hit else message

    def _guarded(self, project: Project, call: Call) -> bytes:
        if call.id in self._early:
            raise Interrupted
        return answer(project, call)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._wanted is None or self._wanted != self._running:
            return
        while frame is not None and frame.f_code is not _GUARDED:
            frame = frame.f_back
        if frame is not None:
            self._wanted = None
            self._was_hit = True
            raise Interrupted


_GUARDED = OrderedCalls._guarded.__code__
