"""`stop()` of the project's objects, and the threads that it started. On a thread of its own: a call may be running that `stop()` ends."""
from __future__ import annotations

import atexit
import inspect
import sys
import threading
import time
from collections.abc import Callable
from types import BuiltinFunctionType, CoroutineType, FunctionType

from .answering import run_coroutine
from .failures import words
from .lookup import Project
from .messages import cut

ERROR_LIMIT = 100


class Stopper:
    """One stop at a time. `own_threads` tells which threads are the worker's."""

    def __init__(self, own_threads: Callable[[], list[threading.Thread]]) -> None:
        self.project: Project | None = None
        self._own_threads = own_threads
        self._turn = threading.Lock()
        self._doing = ""

    def stop(self, seconds: float, is_last: bool = False) -> tuple[list[str], list[str]]:
        """Errors, and the names of threads that did not end. Takes `seconds` at most."""
        deadline = time.monotonic() + seconds
        if not self._turn.acquire(timeout=max(0, seconds)):
            return [f"An earlier stop is not done: {self._doing}"], []
        try:
            errors: list[str] = []
            ours = {*self._own_threads(), threading.current_thread(), threading.main_thread()}
            self._within(deadline, lambda: self._stop_objects(errors), errors, ours)
            running = threading.enumerate()
            # A later order's thread, which waits for its turn, is not the project's either.
            ours.update(self._own_threads())
            late = [thread for thread in running if thread not in ours and not isinstance(thread, threading._DummyThread)]
            for thread in late:
                thread.join(max(0, deadline - time.monotonic()))
            if is_last:
                self._within(max(deadline, time.monotonic() + 0.5), _finish, errors, ours)
            return errors[:ERROR_LIMIT], [cut(thread.name, 200) for thread in late if thread.is_alive()][:ERROR_LIMIT]
        finally:
            self._turn.release()

    def _within(self, deadline: float, work: Callable[[], None], errors: list[str], ours: set[threading.Thread]) -> None:
        worker = threading.Thread(target=work, name="robot-worker-stop", daemon=True)
        ours.add(worker)
        worker.start()
        worker.join(max(0, deadline - time.monotonic()))
        if worker.is_alive():
            errors.append(f"{self._doing} did not end in time")

    def _stop_objects(self, errors: list[str]) -> None:
        project = self.project
        if project is None:
            return
        stops = []
        for name, value in project.living():
            # Static: asking must not run a property, and a stand-in that has every attribute has no `stop` of its own.
            if isinstance(inspect.getattr_static(value, "stop", None), (FunctionType, BuiltinFunctionType, staticmethod, classmethod)):
                stops.append((f"{name}.stop()", value))
        if not stops and callable(vars(project.module).get("stop")):
            stops = [("stop()", project.module)]
        for name, value in stops:
            self._doing = name
            try:
                outcome = value.stop()  # type: ignore[attr-defined]
                if isinstance(outcome, CoroutineType):
                    run_coroutine(outcome)
            except BaseException as problem:  # noqa: B902 - one that fails keeps no other from being stopped
                kind = f"{type(problem).__name__}: " if isinstance(problem, Exception) else ""
                errors.append(cut(f"{name}: {kind}{words(problem)}"))


def _finish() -> None:
    """What Python does at its end, without waiting for threads."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
