"""The inference thread: calls the engine, one callback at a time, and lets its generators draw in turn."""
from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from .engine import Engine, Refusal
from .exchange import Exchange
from .pictures import Frame, Output
from .protocol import cut
from .seats import Attach, Clear, Detach, End, IdleJob, Input, Seat, Speech
from .sessions import Utterance

log = logging.getLogger("avatar_engine")
T = TypeVar("T")


class Inference:
    """Works off the exchange's jobs. `run` is the thread's body."""

    #: So many failures of callbacks in a row, and the engine ends: a new process may do better.
    FAILURE_LIMIT = 20

    def __init__(self, engine: Engine, exchange: Exchange, clock: Callable[[], float] = time.monotonic) -> None:
        self.engine = engine
        self.exchange = exchange
        self.clock = clock
        #: Since when the engine has been in one callback; None while it is not. Read by the link thread.
        self.busy_since: float | None = None
        self.has_failed = False
        self.frames = 0
        self.busy_seconds = 0.0
        self._failures = 0

    def run(self) -> None:
        while not self.exchange.is_stopping and not self.has_failed:
            self.step(timeout=1)

    def step(self, timeout: float | None = 0) -> bool:
        """Does one thing. False if there was nothing to do."""
        job = self.exchange.take_job(timeout)
        if job is None:
            return False
        if isinstance(job, IdleJob):
            try:
                picture = self._call(lambda: self.engine.idle_picture(job.avatar.id, job.index))
                self.exchange.put_idle_picture(job.avatar, job.index, picture)
                self._failures = 0
            except Exception as error:
                self._note_failure(f"idle picture {job.index} of {job.avatar.id}", error)
                self.exchange.send("refused", what="idle_request", code="failed", avatar=job.avatar.id,
                                   reason=cut(_describe(error)))
            return True
        seat = job.seat
        if seat.work is not None:
            if self.exchange.is_stale(seat):
                self._close_work(seat)
            else:
                self._draw(seat)
        else:
            item = self.exchange.next_input(seat)
            if item is not None:
                self._take(seat, item)
        return True

    def _take(self, seat: Seat, item: Input) -> None:
        session = seat.session
        if isinstance(item, Attach):
            try:
                self._call(lambda: self.engine.attach(session))
                seat.was_attached = True
            except Exception as error:
                refusal = error if isinstance(error, Refusal) else Refusal(_describe(error))
                if refusal is not error:
                    self._note_failure(f"attach of {session}", error)
                self.exchange.refuse_session(seat, refusal)
        elif isinstance(item, Detach):
            if seat.was_attached:
                self._guarded(seat, "detach", lambda: self.engine.detach(session))
        elif isinstance(item, Clear):
            session.epoch = item.epoch
            self._guarded(seat, "clear", lambda: self.engine.clear(session))
        elif isinstance(item, Speech):
            if item.utterance.total is not None:
                self.exchange.count("speech_after_end")
                return
            if item.utterance.append(item.first_sample, item.samples):
                self.exchange.count("speech_with_gaps")
            samples = item.samples
            self._begin(seat, item.utterance, lambda: self.engine.speech(session, item.utterance, samples))
        else:
            item.utterance.total = max(item.total, item.utterance.start)
            seat.work_ends = True
            self._begin(seat, item.utterance, lambda: self.engine.end(session, item.utterance))

    def _begin(self, seat: Seat, utterance: Utterance, call: Callable[[], Iterable[Output] | None]) -> None:
        outputs = self._guarded(seat, "speech", call)
        seat.work_utterance = utterance
        seat.work = iter(outputs if outputs is not None else ())
        self._draw(seat)

    def _draw(self, seat: Seat) -> None:
        """One more picture of the session's work."""
        work, utterance = seat.work, seat.work_utterance
        if work is None or utterance is None:
            return
        try:
            output = self._call(lambda: next(work, None))
            if output is None:
                self._finish_work(seat)
                return
            self.exchange.put(seat, utterance, output)
            self._failures = 0
            if isinstance(output, Frame):
                self.frames += 1
        except Exception as error:
            self._refuse_speech(seat, error)
            self._finish_work(seat)

    def _finish_work(self, seat: Seat) -> None:
        utterance, ends = seat.work_utterance, seat.work_ends
        seat.work, seat.work_utterance, seat.work_ends = None, None, False
        if ends and utterance is not None:
            if utterance.skipped:
                self.exchange.count("skipped_frames", utterance.skipped)
            self.exchange.put_done(seat, utterance)

    def _close_work(self, seat: Seat) -> None:
        work = seat.work
        seat.work, seat.work_utterance, seat.work_ends = None, None, False
        close = getattr(work, "close", None)
        if close is not None:
            self._guarded(seat, "clear", close)

    def _guarded(self, seat: Seat, what: str, call: Callable[[], Iterable[Output] | None]) -> Iterable[Output] | None:
        try:
            return self._call(call)
        except Exception as error:
            if what == "speech":
                self._refuse_speech(seat, error)
            else:
                self._note_failure(f"{what} of {seat.session}", error)
            return None

    def _refuse_speech(self, seat: Seat, error: Exception) -> None:
        if isinstance(error, Refusal):
            log.warning("speech refused: session=%s reason=%s", seat.session.id, error.reason)
        else:
            self._note_failure(f"speech of {seat.session}", error)
        if not seat.is_over:
            self.exchange.send("refused", what="speech", code=getattr(error, "code", "failed"), session=seat.session.id,
                               reason=cut(_describe(error)))

    def _note_failure(self, what: str, error: Exception) -> None:
        log.error("the engine failed: %s", what, exc_info=error)
        self.exchange.count("failures")
        self._failures += 1
        if self._failures >= self.FAILURE_LIMIT:
            log.critical("%d failures in a row: the engine ends", self._failures)
            self.has_failed = True

    def _call(self, call: Callable[[], T]) -> T:
        self.busy_since = started = self.clock()
        try:
            return call()
        finally:
            self.busy_since = None
            self.busy_seconds += self.clock() - started


def _describe(error: Exception) -> str:
    return error.reason if isinstance(error, Refusal) else f"{type(error).__name__}: {error}"
