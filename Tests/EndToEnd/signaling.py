"""A client of the WebSocket protocol for tests."""
from __future__ import annotations

import contextlib
import json

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from server import Server, request


class Client:
    """One signaling connection; messages that were not asked for are kept in `seen`."""

    def __init__(self, url: str):
        self.resources = contextlib.ExitStack()
        self.socket = self.resources.enter_context(connect(url, open_timeout=10, close_timeout=5, max_size=1 << 24))
        self.seen: list[dict] = []

    def say(self, message=None, **fields):
        """An object (or fields) as JSON; text and bytes as they are."""
        message = fields if message is None else message
        self.socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    def hear(self, kind: str, timeout: float = 10) -> dict:
        """The next message of that type."""
        while True:
            message = json.loads(self.socket.recv(timeout=timeout))
            self.seen.append(message)
            if message["type"] == kind:
                return message

    def ask(self, message=None, kind: str = "error", **fields) -> dict:
        self.say(message, **fields)
        return self.hear(kind)

    def hear_nothing_but(self, *kinds: str):
        """Everything the server has to say up to the answer of a ping is of these types."""
        count = len(self.seen)
        self.ask(kind="pong", type="ping")
        assert {message["type"] for message in self.seen[count:]} <= {*kinds, "pong"}, self.seen[count:]

    def closed(self, timeout: float = 10) -> tuple[int, str]:
        """The code and the reason of the close that the server sends."""
        try:
            while True:
                self.seen.append(json.loads(self.socket.recv(timeout=timeout)))
        except ConnectionClosed as end:
            assert end.rcvd is not None, "the connection ended without a close frame"
            return end.rcvd.code, end.rcvd.reason

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_):
        self.resources.close()


def session_of(server: Server, student: int = 1, tutor: int = 1) -> dict:
    status, _, session = request("POST", server.http + "/v1/sessions", {
        "tutor_id": tutor, "student_id": student, "kb_id": None})
    assert status == 201, session
    return session


def client_of(session: dict) -> Client:
    return Client(f"{session['engine_url']}?token={session['engine_token']}")
