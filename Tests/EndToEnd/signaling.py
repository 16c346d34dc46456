"""A client of the WebSocket protocol for tests."""
from __future__ import annotations

import contextlib
import json
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from offers import Offer
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

    def hear_until(self, condition, timeout: float = 20) -> list[dict]:
        """Everything that comes until `condition(message)` is true of the newest one, that one included."""
        deadline, heard = time.monotonic() + timeout, []
        while not heard or not condition(heard[-1]):
            try:
                message = json.loads(self.socket.recv(timeout=max(0.01, deadline - time.monotonic())))
            except TimeoutError as error:
                raise AssertionError(f"did not come within {timeout} s; heard: {heard[-12:]}") from error
            self.seen.append(message)
            heard.append(message)
        return heard

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
    token = server.settings["management"].get("bearer_token")
    status, _, session = request("POST", server.http + "/v1/sessions", {
        "tutor_id": tutor, "student_id": student, "kb_id": None}, {"Authorization": f"Bearer {token}"} if token else {})
    assert status == 201, session
    return session


def client_of(session: dict) -> Client:
    return Client(f"{session['engine_url']}?token={session['engine_token']}")


class Watcher(Client):
    """A session with a viewer that never sends a packet: the avatar speaks to it, and what it does is told."""

    def __init__(self, server: Server, avatar: str = "avatar_tutor_1"):
        self.session = session_of(server)
        super().__init__(f"{self.session['engine_url']}?token={self.session['engine_token']}")
        self.server, self.avatar = server, avatar
        self.ask(kind="webrtc_answer", type="webrtc_offer", sdp=Offer().sdp, user_id=1, avatar_id=avatar, tutor_id=1)

    def question(self, text: str, **fields):
        self.say(type="text_webrtc", content=text, avatar_id=self.avatar, user_id=1, tutor_id=1, **fields)

    def spoken_turn(self, timeout: float = 20) -> list[dict]:
        """Everything up to the end of the next speech."""
        return self.hear_until(lambda message: message["type"] == "speech_finished", timeout)

    def post(self, verb: str, body=None, token: str | None = None) -> tuple[int, dict]:
        """One of the session's HTTP verbs, such as `speak`."""
        status, _, answer = request(
            "POST", f"{self.server.http}/v1/sessions/{self.session['session_id']}/{verb}", body or {},
            {"Authorization": f"Bearer {self.session['engine_token'] if token is None else token}"})
        return status, answer


def of_type(messages: list[dict], *kinds: str) -> list[dict]:
    return [message for message in messages if message["type"] in kinds]
