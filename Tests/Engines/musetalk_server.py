"""What the MuseTalk tests share: random files in MuseTalk's layout, and the server's side of the engine protocol on a real ROUTER."""

from __future__ import annotations

import json
import tempfile
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import zmq

from avatar_engine import Engine, Options, run

PATIENCE = 60.0
"""Seconds a test waits for one message before it fails; the machine may be busy."""


@dataclass
class Received:
    """One message of the engine."""

    header: dict[str, Any]
    payload: bytes

    @property
    def type(self) -> str:
        """The header's type."""
        return self.header["type"]

    def picture(self) -> np.ndarray:
        """The payload as BGR pixels."""
        return np.frombuffer(self.payload, np.uint8).reshape(self.header["height"], self.header["width"], 3)


class Server:
    """Binds a ROUTER as the server does. Pings and statistics are passed over unless asked for."""

    def __init__(self) -> None:
        # A short path: that of a Unix socket has 107 characters.
        self._folder = tempfile.TemporaryDirectory(prefix="ae-")
        self.endpoint = f"ipc://{self._folder.name}/engine.ipc"
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.bind(self.endpoint)
        self._peer = b""
        self._kept: deque[Received] = deque()

    def close(self) -> None:
        """Lets the endpoint go."""
        self._socket.close()
        self._context.term()
        self._folder.cleanup()

    def send(self, kind: str, payload: bytes | None = None, **members: Any) -> None:
        """Sends one message to the engine."""
        parts = [self._peer, json.dumps({"type": kind, **members}).encode()]
        self._socket.send_multipart(parts if payload is None else [*parts, payload])

    def receive(self, *kinds: str) -> Received:
        """The next message of one of the kinds; others are kept for later. Fails when none comes."""
        for index, message in enumerate(self._kept):
            if message.type in kinds:
                del self._kept[index]
                return message
        while True:
            message = self._next()
            if message.type in kinds:
                return message
            self._kept.append(message)

    def _next(self) -> Received:
        if not self._socket.poll(int(PATIENCE * 1000)):
            raise AssertionError(f"the engine said nothing for {PATIENCE} s; before: {[message.header for message in self._kept][-5:]}")
        self._peer, head, *rest = self._socket.recv_multipart()
        return Received(json.loads(head), rest[0] if rest else b"")

    def welcome(self) -> Received:
        """Waits for hello and answers it."""
        hello = self.receive("hello")
        self.send("welcome", version=1, server="test")
        return hello

    def attach(self, session: str, avatar: str, *, credit: int = 1000, epoch: int = 0) -> None:
        """Attaches a session and gives it credit."""
        self.send("attach", session=session, avatar=avatar, epoch=epoch, fps=25, width=320, height=240)
        if credit:
            self.send("credit", session=session, frames=credit)

    def speak(self, session: str, utterance: str, sound: np.ndarray, *, epoch: int = 0, idle_position: int = 0, first: int = 0, ends: bool = True) -> None:
        """Sends sound from sample ``first`` on in pieces of 200 ms, and its end."""
        for start in range(first, len(sound), 3200):
            part = sound[start : start + 3200].astype("<i2").tobytes()
            position = idle_position + (start - first) // 640
            self.send("speech", part, session=session, epoch=epoch, utterance=utterance, first_sample=start, idle_position=position)
        if ends:
            self.send("end", session=session, epoch=epoch, utterance=utterance, samples=len(sound))

    def frames(self, session: str, utterance: str) -> list[Received]:
        """Everything shown of an utterance, up to its utterance_done."""
        frames: list[Received] = []
        others: list[Received] = []
        while True:
            message = self.receive("frame", "utterance_done", "refused")
            if message.header.get("session") != session or message.header.get("utterance") != utterance:
                assert message.type != "refused", message.header
                others.append(message)
            elif message.type == "utterance_done":
                self._kept.extendleft(reversed(others))
                return frames
            else:
                frames.append(message)


class RunningEngine:
    """An engine on a thread, and the server it talks with."""

    def __init__(self, engine: Engine) -> None:
        self.server = Server()
        self.engine = engine
        self.status: int | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> RunningEngine:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.server._peer:
            self.server.send("shutdown")
        self._thread.join(PATIENCE)
        self.server.close()

    def _run(self) -> None:
        # The silence of a test that thinks is no lost server.
        self.status = run(self.engine, Options(endpoint=self.server.endpoint, silence_timeout=600, watch_stdin="never"))


def voice(seconds: float, seed: int = 1) -> np.ndarray:
    """Sound that is nowhere silent: noise whose loudness swings as that of syllables; int16, 16 kHz."""
    count = int(seconds * 16_000)
    swing = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * np.arange(count) / 16_000)
    return (np.random.default_rng(seed).normal(0, 3000, count) * swing).clip(-32_768, 32_767).astype(np.int16)
