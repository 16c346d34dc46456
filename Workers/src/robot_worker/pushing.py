"""Pushes: a bounded queue that any thread fills, and the thread that sends it."""
from __future__ import annotations

import threading
from collections import deque

from .connection import Link
from .messages import NotJSON, TooLarge, cut, encode_with

#: Messages, and their bytes, that wait here; beyond, the oldest goes.
QUEUE_MESSAGES = 1_000
QUEUE_BYTES = 32 * 1024 * 1024
#: Messages that wait in ZeroMQ besides. Few: what is there can be neither dropped nor counted.
SOCKET_MESSAGES = 64
#: Bytes.
EVENT_NAME_LIMIT = 200
#: Socket.IO's own, and the one that the former service kept for itself.
RESERVED_EVENTS = {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener", "callback"}


class Pusher:
    """`push` never waits for the server."""

    def __init__(self, endpoint: str) -> None:
        self.dropped = 0
        self._link = Link(endpoint, "events", queue=SOCKET_MESSAGES)
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._is_closing = False
        # Not a plain lock: a signal's handler may run in the middle of a push, and push.
        self._change = threading.Condition(threading.RLock())
        self._thread = threading.Thread(target=self._send, name="robot-worker-events", daemon=True)

    def start(self) -> threading.Thread:
        """Begins to send."""
        self._thread.start()
        return self._thread

    def is_open(self, patience: float) -> bool:
        """Before `start`."""
        return self._link.is_open(patience)

    def push(self, event: str, data: object) -> None:
        """Queues a message."""
        if not isinstance(event, str):
            raise TypeError(f"push_message: the event's name is text, not {type(event).__name__}")
        if not 0 < len(event.encode("utf-8", "replace")) <= EVENT_NAME_LIMIT:
            raise ValueError(f"push_message: the event's name has 1 to {EVENT_NAME_LIMIT} bytes")
        if event in RESERVED_EVENTS:
            raise ValueError(f"push_message: {event!r} is a name that the service keeps for itself")
        try:
            message = encode_with({"type": "push", "event": event}, "data", data)
        except NotJSON as problem:
            raise TypeError(f"push_message {cut(event, 40)!r}: {problem}") from None
        except TooLarge as problem:
            raise ValueError(f"push_message {cut(event, 40)!r}: {problem}") from None
        with self._change:
            self._queue.append(message)
            self._bytes += len(message)
            while len(self._queue) > QUEUE_MESSAGES or self._bytes > QUEUE_BYTES:
                self._bytes -= len(self._queue.popleft())
                self.dropped += 1
            if len(self._queue) == 1:
                self._change.notify()

    def close(self, patience: float) -> None:
        """Sends what waits, for so long at most."""
        with self._change:
            self._is_closing = True
            self._change.notify()
        if self._thread.is_alive():
            self._thread.join(patience)

    def _send(self) -> None:
        while True:
            with self._change:
                while not self._queue and not self._is_closing:
                    self._change.wait()
                if not self._queue:
                    break
                message = self._queue.popleft()
                self._bytes -= len(message)
            self._link.socket.send(message, copy=len(message) < 65_536)
        self._link.close(0.5)
