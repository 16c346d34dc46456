"""A server's end of docs/protocols/worker.md: it binds the ROUTER, starts workers as the server does, and says nothing by itself."""
from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import tempfile
import textwrap
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

ROOT = Path(__file__).resolve().parents[2]
INTERPRETER = ROOT / ".venv-worker/bin/python"
#: Long enough for a busy machine: nothing waits so long unless it is broken.
PATIENCE = 30
TOKEN = "a secret of the server"


class Ended(Exception):
    """The worker ended while something was expected of it."""


class Worker:
    """One worker and the three ways to it."""

    def __init__(self, context: zmq.Context, folder: Path, socket_folder: str, **environment: str) -> None:
        self.folder = folder
        self.router = context.socket(zmq.ROUTER)
        self.router.linger = 0
        self.router.rcvhwm = self.router.sndhwm = 0
        self.router.router_mandatory = True
        self.joined = self.router.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self.router.bind(f"ipc://{socket_folder}/worker.ipc")
        self.waiting: dict[str, deque[dict[str, Any]]] = {"control": deque(), "calls": deque(), "events": deque()}
        self.heartbeats: list[dict[str, Any]] = []
        self.lines: list[bytes] = []
        self.errors: list[bytes] = []
        self._number = 0
        self.process = subprocess.Popen(
            [str(INTERPRETER), "-m", "robot_worker"], cwd=folder, start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "Workers/src"), "PYTHONDONTWRITEBYTECODE": "1",
                 "AVATAR_STREAMER_WORKER_ENDPOINT": f"ipc://{socket_folder}/worker.ipc", "AVATAR_STREAMER_WORKER_TOKEN": TOKEN,
                 "AVATAR_STREAMER_PROJECT": str(folder), "AVATAR_STREAMER_CALLS": "ordered", **environment})
        self.readers = [threading.Thread(target=self._read, args=way, daemon=True)
                        for way in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream: Any, lines: list[bytes]) -> None:
        for line in stream:
            lines.append(line)

    def send(self, way: str, message: dict[str, Any]) -> None:
        self.send_bytes(way, json.dumps(message).encode())

    def send_bytes(self, way: str, data: bytes) -> None:
        """Waits for a way that the ROUTER does not know yet, as the server does: each is a connection of its own."""
        while True:
            try:
                return self.router.send_multipart([way.encode(), data])
            except zmq.ZMQError as problem:
                if problem.errno != errno.EHOSTUNREACH or not self.joined.poll(PATIENCE * 1000):
                    raise
                self.joined.recv_multipart()
                # The ROUTER takes what the connection has told, which is there before the event.
                self.router.get(zmq.EVENTS)

    def receive(self, way: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """The next message on this way. Heartbeats are put aside."""
        self._until(lambda: bool(self.waiting[way]), f"a message on {way}", timeout)
        return self.waiting[way].popleft()

    def _until(self, condition: Callable[[], bool], what: str, timeout: float = PATIENCE) -> None:
        end = time.monotonic() + timeout
        while not condition():
            if self.router.poll(100):
                source, data = self.router.recv_multipart()
                assert len(data) <= 16 * 1024 * 1024 and b"\0" not in data
                message = json.loads(data)
                (self.heartbeats if message["type"] == "heartbeat" else self.waiting[source.decode()]).append(message)
            elif self.process.poll() is not None and not self.router.poll(100):
                raise Ended(f"exit status {self.process.returncode}: {self.log()}")
            elif time.monotonic() > end:
                raise TimeoutError(f"no sign of {what}: {self.log()}")

    def expect(self, way: str, kind: str, timeout: float = PATIENCE) -> dict[str, Any]:
        message = self.receive(way, timeout)
        assert message["type"] == kind, f"{message} instead of {kind}: {self.log()}"
        return message

    def beat(self, count: int = 1) -> dict[str, Any]:
        """Waits for more heartbeats, and returns the last."""
        wanted = len(self.heartbeats) + count
        self._until(lambda: len(self.heartbeats) >= wanted, "a heartbeat")
        return self.heartbeats[-1]

    def ready(self) -> dict[str, Any]:
        self.hello = self.expect("control", "hello")
        self.expect("control", "loading")
        self.interface = self.expect("control", "ready")
        return self.interface

    def start_call(self, object_: str, method: str, /, **arguments: Any) -> str:
        self._number += 1
        self.send("calls", {"type": "call", "id": f"c{self._number}", "object": object_, "method": method, "args": arguments})
        return f"c{self._number}"

    def call(self, object_: str, method: str, /, **arguments: Any) -> dict[str, Any]:
        identifier = self.start_call(object_, method, **arguments)
        answer = self.receive("calls")
        assert answer["id"] == identifier
        return answer

    def value(self, object_: str, method: str, /, **arguments: Any) -> Any:
        answer = self.call(object_, method, **arguments)
        assert answer["type"] == "result", answer
        return answer["value"]

    def interrupt(self, identifier: str | None) -> None:
        self.send("control", {"type": "interrupt", "id": identifier})

    def stop(self, seconds: float = 5) -> dict[str, Any]:
        self.send("control", {"type": "stop", "seconds": seconds})
        return self.expect("control", "stopped")

    def wait(self, timeout: float = PATIENCE) -> int:
        status = self.process.wait(timeout)
        for reader in self.readers:
            reader.join(timeout)
        return status

    def log(self) -> str:
        return b"".join([*self.lines[-50:], *self.errors[-50:]]).decode("utf-8", "replace")[-6000:]

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.router.disable_monitor()
        self.joined.close(0)
        self.router.close(0)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Starts a worker of a project: its `main.py` as text, or its files."""
    context = zmq.Context()
    workers: list[Worker] = []
    with contextlib.ExitStack() as folders:

        def start(project: str | dict[str, str] | Path = "", **environment: str) -> Worker:
            folder = project if isinstance(project, Path) else tmp_path / f"project-{len(workers)}"
            if not isinstance(project, Path):
                for name, text in ({"main.py": project} if isinstance(project, str) else project).items():
                    path = folder / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(textwrap.dedent(text))
                folder.mkdir(exist_ok=True)
            # Short: the path of a Unix socket has 107 characters.
            workers.append(Worker(context, folder, folders.enter_context(tempfile.TemporaryDirectory(prefix="rw-")), **environment))
            return workers[-1]

        yield start
        for worker in workers:
            worker.close()
        context.destroy(linger=0)


@pytest.fixture
def run(start: Callable[..., Worker]) -> Callable[..., Worker]:
    """As `start`, and waits until the project is loaded."""

    def run(project: str | dict[str, str] | Path = "", **environment: str) -> Worker:
        worker = start(project, **environment)
        worker.ready()
        return worker

    return run
