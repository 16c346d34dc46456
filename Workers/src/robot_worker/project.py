"""What a project may import: `from robot_worker.project import push_message`. In `main.py` it is there without an import."""
from __future__ import annotations

import os
from collections.abc import Callable

_push: Callable[[str, object], None] | None = None


def push_message(event: str, data: object = None) -> None:
    """Sends an event to the client, from any thread. Never waits: where the client is too slow, the oldest messages are dropped.

    Raises TypeError or ValueError where `event` is no name or `data` is not JSON, RuntimeError outside of the worker's own process.
    """
    if _push is None:
        raise RuntimeError("push_message works in the worker's own process only")
    _push(event, data)


def connect(push: Callable[[str, object], None]) -> None:
    """Opens the way; a child that the project forks does not have it."""
    global _push
    _push = push
    os.register_at_fork(after_in_child=_disconnect)


def _disconnect() -> None:
    global _push
    _push = None
