"""Calls side by side, each on a thread of a pool. An interrupt takes effect when Python's next instruction runs: a blocking call into C goes on."""
from __future__ import annotations

import ctypes
import os
import threading
import time
from collections import deque
from queue import SimpleQueue
from typing import NoReturn

import zmq

from .answering import Call, Interrupted, answer, interrupted
from .connection import Link
from .lookup import Project
from .ordered import EARLY_LIMIT

THREADS = 16
#: An exception that was set is raised within this time; another one before that could hit our own handling of it.
INTERRUPT_INTERVAL = 0.1


class _Task:
    """A call on its way through a thread of the pool."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.thread: int | None = None
        self.is_begun = False
        self.is_interrupted = False
        self.interrupted_at = 0.0
        self.message: bytes | None = None


class ConcurrentCalls:
    """The main thread owns the socket; the pool's threads hand it their answers."""

    def __init__(self, endpoint: str) -> None:
        self._link = Link(endpoint, "calls")
        self._waiting: SimpleQueue[_Task] = SimpleQueue()
        self._answers: deque[bytes] = deque()
        self._wake_up = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._lock = threading.Lock()
        self._tasks: dict[str, _Task] = {}
        self._early: dict[str, None] = {}
        self.threads: list[threading.Thread] = []

    def is_open(self, patience: float) -> bool:
        """Whether the server has greeted."""
        return self._link.is_open(patience)

    @property
    def count(self) -> int:
        """How many calls run or wait."""
        return len(self._tasks)

    def serve(self, project: Project) -> NoReturn:
        """The main thread's life."""
        socket = self._link.socket
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN)
        poller.register(self._wake_up, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self._wake_up in ready:
                os.eventfd_read(self._wake_up)
                while self._answers:
                    socket.send(self._answers.popleft())
            if socket in ready:
                call = Call.parse(socket.recv())
                if call is not None:
                    self._accept(project, call)

    def interrupt(self, identifier: str | None) -> None:
        """From the control thread."""
        with self._lock:
            if identifier is None:
                tasks = list(self._tasks.values())
            elif identifier in self._tasks:
                tasks = [self._tasks[identifier]]
            else:
                while len(self._early) >= EARLY_LIMIT:
                    del self._early[next(iter(self._early))]
                self._early[identifier] = None
                return
            now = time.monotonic()
            for task in tasks:
                task.is_interrupted = True
                if task.thread is not None and now - task.interrupted_at > INTERRUPT_INTERVAL:
                    task.interrupted_at = now
                    _raise_in(task.thread, Interrupted)

    def insist(self) -> bool:
        """Nothing to do again: Python keeps what was set."""
        return False

    def _accept(self, project: Project, call: Call) -> None:
        task = _Task(call)
        with self._lock:
            if call.id in self._early:
                del self._early[call.id]
                task.is_interrupted = True
            self._tasks[call.id] = task
            needs_thread = len(self.threads) < min(THREADS, len(self._tasks))
        if needs_thread:
            self.threads.append(threading.Thread(target=self._work, args=(project,), name=f"robot-worker-call-{len(self.threads)}",
                                                 daemon=True))
            self.threads[-1].start()
        self._waiting.put(task)

    def _work(self, project: Project) -> None:
        while True:
            task = self._waiting.get()
            while True:
                try:
                    self._advance(project, task)
                    break
                except Interrupted:
                    continue  # It may come at any point of `_advance` but its end, and each step there can be done again.
            self._answers.append(interrupted(task.call.id) if task.is_interrupted or task.message is None else task.message)
            os.eventfd_write(self._wake_up, 1)

    def _advance(self, project: Project, task: _Task) -> None:
        thread = threading.get_ident()
        if not task.is_begun:
            with self._lock:
                task.is_begun = True
                if not task.is_interrupted:
                    task.thread = thread
            if task.thread is not None:
                task.message = answer(project, task.call)
        with self._lock:
            self._tasks.pop(task.call.id, None)
            task.thread = None
        _raise_in(thread, None)


def _raise_in(thread: int, exception: type[BaseException] | None) -> None:
    """Python raises it at the thread's next instruction; None takes back what has not been raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(exception) if exception else None)
