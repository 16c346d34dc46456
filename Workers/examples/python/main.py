"""An example: a counter on a thread of its own that pushes what it does.

Zip this folder's contents and upload it; call `counter.start` with `{"count": 5, "seconds": 1}`, and see `count_changed` and `task_completed`.
"""
from __future__ import annotations

import threading

from robot_worker.project import push_message


class Counter:
    """Counts in the background."""

    def __init__(self) -> None:
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._value = 0

    def start(self, count: int = 10, seconds: float = 1.0) -> dict[str, bool]:
        """Counts to `count`, a step every so many seconds. One count at a time."""
        if self._thread is not None and self._thread.is_alive():
            return {"started": False}
        self._ending.clear()
        self._thread = threading.Thread(target=self._count, args=(count, seconds), name="counter")
        self._thread.start()
        return {"started": True}

    def value(self) -> int:
        """How far it is. It stays when the client goes and comes again."""
        return self._value

    def stop(self) -> None:
        """Called when the client has gone; the server then waits for the thread."""
        self._ending.set()

    def _count(self, count: int, seconds: float) -> None:
        for _ in range(count):
            if self._ending.wait(seconds):
                push_message("task_error", {"reason": "stopped", "value": self._value})
                return
            self._value += 1
            push_message("count_changed", {"value": self._value})
        push_message("task_completed", {"value": self._value})


counter = Counter()


def init() -> None:
    """Runs once, after loading; calls come when it has returned."""
    print("the counter is ready")
