"""The control thread: it answers the server whatever the project does, and sees that the server is gone."""
from __future__ import annotations

import json
import os
import signal
import threading
import time
import traceback
from collections import deque
from typing import Any, NoReturn, Protocol

import zmq

from .connection import Link
from .messages import encode
from .output import complain
from .pushing import Pusher
from .stopping import Stopper

HEARTBEAT_SECONDS = 1.0
#: How long `stop()` may take where nobody said: the server is gone, or somebody sent SIGTERM.
LAST_STOP_SECONDS = 1.0
#: An interrupt that has no effect is repeated after this time, then after twice that, and so on to the last.
FIRST_INSISTENCE, LAST_INSISTENCE = 0.01, 1.0


class Calls(Protocol):
    """What runs the calls."""

    @property
    def count(self) -> int:
        """How many calls run."""

    def interrupt(self, identifier: str | None) -> None:
        """Ends one, or all."""

    def insist(self) -> bool:
        """Once more. Whether that may be needed again."""


class Control:
    """Owns the socket `control`. `send` and `leave` are for any thread."""

    def __init__(self, endpoint: str, lifeline: int, calls: Calls, pusher: Pusher, stopper: Stopper) -> None:
        self._link = Link(endpoint, "control", waits=False)
        self._lifeline, self._calls, self._pusher, self._stopper = lifeline, calls, pusher, stopper
        self._outgoing: deque[bytes] = deque()
        self._exit_status: int | None = None
        self._is_leaving = False
        self._insistence: float | None = None
        self._listening, self._wake_up = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="robot-worker-control", daemon=True)
        self._take_signals()

    def start(self) -> threading.Thread:
        """Begins to listen."""
        self._thread.start()
        return self._thread

    def send(self, kind: str, **fields: Any) -> None:
        """Queues a message."""
        self._outgoing.append(encode({"type": kind, **fields}))
        self._wake(b"\0")

    def leave(self, status: int) -> NoReturn:
        """Sends what waits and ends the process. Does not return: the control thread ends it."""
        self._pusher.close(0.5)
        self._exit_status = status
        self._wake(b"\0")
        while True:
            time.sleep(60)

    def _take_signals(self) -> None:
        """Python tells the pipe of a signal at once, whatever the main thread does. The handlers do nothing, and are needed for that."""
        signal.set_wakeup_fd(self._wake_up, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda number, frame: self._wake(bytes([number])))
        signal.signal(signal.SIGINT, lambda number, frame: None)
        os.register_at_fork(after_in_child=_become_ordinary)

    def _wake(self, reason: bytes) -> None:
        try:
            os.write(self._wake_up, reason)
        except BlockingIOError:
            pass  # It is being woken.

    def _run(self) -> None:
        try:
            self._listen()
        except BaseException:  # noqa: B902 - without this thread nobody could end the process in good order
            traceback.print_exc()
            os._exit(70)

    def _listen(self) -> None:
        socket = self._link.socket
        poller = zmq.Poller()
        for source in (socket, self._listening, self._lifeline):
            poller.register(source, zmq.POLLIN)
        next_beat = time.monotonic() + HEARTBEAT_SECONDS
        while True:
            wait = max(0.0, min(next_beat - time.monotonic(), self._insistence or HEARTBEAT_SECONDS))
            ready = dict(poller.poll(int(wait * 1000) + 1))
            if self._insistence is not None:
                self._insistence = min(LAST_INSISTENCE, self._insistence * 2) if self._calls.insist() else None
            if self._listening in ready and signal.SIGTERM in os.read(self._listening, 4096):
                self._order("terminate", LAST_STOP_SECONDS)
            if self._lifeline in ready and self._server_is_gone():
                poller.unregister(self._lifeline)
                self._order("terminate", LAST_STOP_SECONDS)
            if socket in ready:
                self._take(socket.recv())
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + HEARTBEAT_SECONDS
                self._outgoing.append(encode({"type": "heartbeat", "calls": self._calls.count, "pushes_dropped": self._pusher.dropped}))
            while self._outgoing:
                socket.send(self._outgoing.popleft())
            if self._exit_status is not None:
                self._link.close(1)
                os._exit(self._exit_status)

    def _server_is_gone(self) -> bool:
        try:
            return not os.read(self._lifeline, 4096)
        except OSError:
            return True

    def _take(self, data: bytes) -> None:
        try:
            message = json.loads(data)
            kind = message["type"]
            if kind == "interrupt":
                if not isinstance(message["id"], (str, type(None))):
                    raise ValueError("id is text or null")
                self._calls.interrupt(message["id"])
                self._insistence = FIRST_INSISTENCE
            elif kind in ("stop", "shutdown"):
                seconds = float(message["seconds"])
                if not 0 <= seconds <= 3600:
                    raise ValueError("seconds is a number from 0 to 3600")
                self._order(kind, seconds)
            else:
                raise ValueError(f"of type {kind!r}")
        except (ValueError, KeyError, TypeError, RecursionError) as problem:
            complain(f"a message on control was dropped: {problem!r}")

    def _order(self, kind: str, seconds: float) -> None:
        if self._is_leaving:
            return
        self._is_leaving = kind != "stop"
        threading.Thread(target=self._stop, args=(kind, seconds), name="robot-worker-order", daemon=True).start()

    def _stop(self, kind: str, seconds: float) -> None:
        errors, threads = self._stopper.stop(seconds, is_last=kind != "stop")
        self.send("stopped", errors=errors, threads=threads)
        if kind != "stop":
            self.leave(0 if kind == "shutdown" else 128 + signal.SIGTERM)


def _become_ordinary() -> None:
    """A child that the project forks takes signals as programs do, and does not wake its parent's control thread."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
