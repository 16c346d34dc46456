"""A server's end of the engine protocol, small enough to be read: a ROUTER, and engines as child processes."""
from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq

RATE = 16_000
#: Long enough for a busy machine: nothing waits so long unless it is broken.
PATIENCE = 30


class Server:
    """Binds an endpoint and speaks to the one engine there. Answers nothing by itself but `hello`."""

    def __init__(self, endpoint: str, context: zmq.Context):
        self.endpoint, self.context = endpoint, context
        self.engine = b""
        self.waiting: list[tuple[dict, bytes]] = []
        self.socket = context.socket(zmq.ROUTER)
        self.socket.linger = 0

    def bind(self) -> Server:
        self.socket.bind(self.endpoint)
        return self

    def close(self) -> None:
        self.socket.close(0)

    def receive(self, timeout: float = PATIENCE) -> tuple[dict, bytes]:
        """The next message: header and payload."""
        if not self.socket.poll(timeout * 1000):
            raise TimeoutError("nothing came from the engine")
        identity, header, *payload = self.socket.recv_multipart()
        assert len(header) <= 16_384 and len(payload) <= 1
        self.engine = identity
        return json.loads(header), payload[0] if payload else b""

    def expect(self, kind: str, timeout: float = PATIENCE, skip: tuple[str, ...] = ("statistics",)) -> tuple[dict, bytes]:
        """The next message that is none of `skip`; must be of this type."""
        end = time.monotonic() + timeout
        while True:
            message = self.receive(max(0.01, end - time.monotonic()))
            if message[0]["type"] == kind:
                return message
            assert message[0]["type"] in skip, f"{message[0]} instead of {kind}"

    def until(self, kind: str, timeout: float = PATIENCE) -> list[tuple[dict, bytes]]:
        """Every message up to one of this type, it included."""
        messages = []
        end = time.monotonic() + timeout
        while not messages or messages[-1][0]["type"] != kind:
            messages.append(self.receive(max(0.01, end - time.monotonic())))
        return messages

    def drain(self) -> list[tuple[dict, bytes]]:
        """All that was sent before the pong to a ping of now."""
        self.send("ping", id=424242)
        return self.until("pong")[:-1]

    def send(self, kind: str, payload: bytes | None = None, **members) -> None:
        self.send_parts([json.dumps({"type": kind, **members}).encode()] + ([] if payload is None else [payload]))

    def send_parts(self, parts: list[bytes]) -> None:
        self.socket.send_multipart([self.engine, *parts])

    def welcome(self, timeout: float = PATIENCE) -> dict:
        """Waits for hello and welcomes. Returns the hello."""
        hello, _ = self.expect("hello", timeout, skip=("statistics", "frame", "pong", "bye", "utterance_done"))
        self.send("welcome", version=1, server="test")
        return hello

    def attach(self, session: str = "s1", avatar: str = "flashbeep", epoch: int = 0, credit: int = 0) -> None:
        self.send("attach", session=session, avatar=avatar, epoch=epoch, fps=25, width=640, height=480)
        if credit:
            self.credit(credit, session)

    def credit(self, frames: int, session: str = "s1") -> None:
        self.send("credit", session=session, frames=frames)

    def say(self, sound: np.ndarray, session: str = "s1", utterance: str = "u1", epoch: int = 0, first: int = 0, step: int = 8000,
            position: int = 0, end: bool = True) -> None:
        for start in range(0, len(sound), step):
            part = sound[start : start + step].astype("<i2").tobytes()
            self.send("speech", part, session=session, epoch=epoch, utterance=utterance, first_sample=first + start,
                      idle_position=position)
        if end:
            self.send("end", session=session, epoch=epoch, utterance=utterance, samples=first + len(sound))


@pytest.fixture
def context() -> Iterator[zmq.Context]:
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def server(context: zmq.Context) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="ae-") as folder:  # Short: the path of a Unix socket has 107 characters.
        server = Server(f"ipc://{folder}/engine.ipc", context).bind()
        yield server
        server.close()


class Launcher:
    """Starts engines as the server does: own process group, endpoint in the environment, standard input a pipe."""

    def __init__(self, endpoint: str, folder: Path):
        self.endpoint, self.folder = endpoint, folder
        self.processes: list[subprocess.Popen] = []

    def __call__(self, *arguments: str, module: str = "avatar_engine.flashbeep", **environment: str) -> subprocess.Popen:
        log = open(self.folder / f"engine-{len(self.processes)}.log", "wb")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "AVATAR_ENGINE_ENDPOINT": self.endpoint, "AVATAR_ENGINE_NAME": "test",
                     "AVATAR_ENGINE_TOKEN": "secret", **environment})
        self.processes.append(process)
        return process

    def log(self, index: int = -1) -> str:
        return (self.folder / f"engine-{index % len(self.processes)}.log").read_text()


@pytest.fixture
def launch(server: Server, tmp_path: Path) -> Iterator[Launcher]:
    launcher = Launcher(server.endpoint, tmp_path)
    yield launcher
    for process in launcher.processes:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
        process.stdin.close()


def beep_sound(seconds: float, beeps: list[tuple[int, int]]) -> np.ndarray:
    """Silence with a tone of 1 kHz at sample positions (first, count)."""
    sound = np.zeros(int(seconds * RATE), np.int16)
    for first, count in beeps:
        sound[first : first + count] = (12_000 * np.sin(2 * np.pi * 1000 * (np.arange(count) + 0.5) / RATE)).astype(np.int16)
    return sound
