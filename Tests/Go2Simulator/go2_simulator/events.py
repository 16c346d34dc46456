"""What the robot saw and did, in order, for whoever tests against it."""
from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

LIMIT = 20_000


class Events:
    """A numbered list of events; the oldest are dropped beyond LIMIT."""

    def __init__(self) -> None:
        self._events: deque[dict[str, Any]] = deque(maxlen=LIMIT)
        self._next = 1
        self._arrived = asyncio.Event()

    def add(self, kind: str, **what: Any) -> None:
        """Adds an event: its number, Unix time, time of the monotonic clock (one for all processes of the machine) and what happened."""
        self._events.append({"index": self._next, "time": time.time(), "monotonic": time.monotonic(), "kind": kind, **what})
        self._next += 1
        self._arrived.set()
        self._arrived = asyncio.Event()

    def after(self, index: int, kinds: set[str] | None = None) -> list[dict[str, Any]]:
        """The events with a higher number, of the given kinds."""
        return [event for event in self._events if event["index"] > index and (kinds is None or event["kind"] in kinds)]

    async def wait(self, index: int, kinds: set[str] | None, timeout: float) -> list[dict[str, Any]]:
        """The same, once there is one, or none when the time is over."""
        end = time.monotonic() + timeout
        while True:
            arrived, found = self._arrived, self.after(index, kinds)
            left = end - time.monotonic()
            if found or left <= 0:
                return found
            try:
                await asyncio.wait_for(arrived.wait(), left)
            except TimeoutError:
                pass
