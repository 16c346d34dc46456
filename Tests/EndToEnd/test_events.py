"""Servers that drive an avatar over HTTP: events, speak and interrupt, and readers that behave badly."""
from __future__ import annotations

import contextlib
import json
import socket
import time

import pytest

from openai_server import OpenAIServer
from server import Server, request, wait_until
from signaling import Watcher, client_of, of_type, session_of

MANAGEMENT = "management-token"
SMALL = {"avatar": {"width": 128, "height": 128, "frames_per_second": 10}}


@pytest.fixture(scope="module")
def services():
    with OpenAIServer(answer="All is well.") as services:
        yield services


@pytest.fixture(scope="module")
def server(services):
    with Server(answering=services.settings["answering"], management={"bearer_token": MANAGEMENT}, **SMALL) as server:
        yield server
        assert server.process.poll() is None, server.log()[-2000:]


class Events:
    """One subscriber, which reads when it is asked to."""

    def __init__(self, server: Server, session: dict, token: str | None = None, receive_buffer: int = 0):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", server.http_port))
        self.socket.sendall(
            f"GET /v1/sessions/{session['session_id']}/events HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {session['engine_token'] if token is None else token}\r\n\r\n".encode())
        self.raw = b""
        self.is_over = False
        self.read_until(lambda: b"\n: open\n" in self.raw or b"HTTP/1.1 4" in self.raw)

    def read_until(self, condition):
        # Heartbeats come for ever.
        deadline = time.monotonic() + 20
        while not condition() and not self.is_over:
            assert time.monotonic() < deadline, f"did not come within 20 s; last: {self.raw[-500:]}"
            piece = self.socket.recv(65_536)
            self.raw += piece
            self.is_over = not piece or self.raw.endswith(b"0\r\n\r\n")

    @property
    def events(self) -> list[dict]:
        """The events that have come whole so far; JSON has no line breaks."""
        found = []
        for block in self.raw[:self.raw.rfind(b"\n\n") + 2].decode().replace("\r\n", "\n").split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.split("\n") if line.startswith(("id: ", "event: ", "data: ")))
            if "data" in fields:
                found.append({"id": int(fields["id"]), "event": fields["event"]} | json.loads(fields["data"]))
        return found

    def read_to(self, kind: str) -> list[dict]:
        """Everything up to the next event of that kind."""
        seen = len(self.events)
        self.read_until(lambda: any(event["event"] == kind for event in self.events[seen:]))
        events = self.events
        return events[:next(index for index in range(seen, len(events)) if events[index]["event"] == kind) + 1]

    def forget(self):
        """What has come whole; the beginning of the next event stays."""
        self.raw = self.raw[self.raw.rfind(b"\n\n") + 2:]

    def __enter__(self) -> "Events":
        return self

    def __exit__(self, *_):
        self.socket.close()


def test_events_are_the_messages_of_the_conversation(server):
    with Watcher(server) as viewer, Events(server, viewer.session) as events:
        viewer.question("Is all well?")
        heard = viewer.spoken_turn()
        events.read_to("speech_finished")
        assert b"200" in events.raw[:20] and b"content-type: text/event-stream" in events.raw[:600].lower()
        assert b"no-store" in events.raw[:600]
        told = [event for event in events.events]
        assert [event["id"] for event in told] == list(range(1, len(told) + 1))
        assert all(event["event"] == event["type"] for event in told)
        kinds = ("text_stream", "text_complete", "speech_started", "speech_finished", "turn", "processing_status", "error")
        assert [event["type"] for event in told if event["type"] in kinds] == [message["type"] for message in of_type(heard, *kinds)]
        assert "".join(event["token"] for event in told if event["type"] == "text_stream") == "All is well."


def test_fifty_subscribers_are_told_the_same(server):
    with contextlib.ExitStack() as held, Watcher(server) as viewer:
        subscribers = [held.enter_context(Events(server, viewer.session)) for _ in range(50)]
        viewer.question("Is all well?")
        viewer.spoken_turn()
        told = [subscriber.read_to("speech_finished") for subscriber in subscribers]
        shown = [[(event["id"], event["type"], event.get("token"), event.get("utterance_id")) for event in events] for events in told]
        assert len(shown[0]) > 6 and all(events == shown[0] for events in shown)
    wait_until(lambda: server.health()["status"] == "healthy", 5, "health")


def test_a_subscriber_that_never_reads_costs_a_bounded_amount_of_memory(server, services, monkeypatch):
    """Long answers without end are many times what the server lets wait; what is left out shows in the ids."""
    session = session_of(server)
    monkeypatch.setattr(services, "answer", " ".join(["w" * 149] * 100))
    with client_of(session) as client:
        # The session's stage and the connections to the service stay.
        client.say(type="text", content="Say much.", user_id=1)
        client.hear("turn")
    before = server.figures()
    with Events(server, session, receive_buffer=4096) as sleeper, Events(server, session) as reader, client_of(session) as client:
        for _ in range(160):
            client.say(type="text", content="Say much.", user_id=1)
            told = client.hear("text_complete", timeout=20)
            assert len(told["content"]) == len(services.answer)
            reader.forget()
            told = reader.read_to("text_complete")
            assert any(event["event"] == "text_complete" for event in told), "the other reader is held up"
        # The turn's end may have come with its text.
        reader.read_until(lambda: any(event["type"] == "turn" for event in reader.events))
        last = max(event["id"] for event in reader.events)
        assert server.figures()["rss"] < before["rss"] + (64 << 20), (before, server.figures())
        sleeper.read_until(lambda: f"\nid: {last}\n".encode() in sleeper.raw)
        ids = [event["id"] for event in sleeper.events]
        print(f"{len(ids)} of {last} events, {len(sleeper.raw)} bytes")
        assert ids == sorted(ids) and len(ids) < last, "nothing was left out, so nothing was tested"
    wait_until(lambda: server.figures()["fds"] <= before["fds"] + 2, 20, "closed descriptors")


def test_a_deleted_session_ends_its_events(server):
    with Watcher(server) as viewer, Events(server, viewer.session) as events:
        viewer.question("Is all well?")
        viewer.hear("speech_started")
        status, _, _ = request("DELETE", f"{server.http}/v1/sessions/{viewer.session['session_id']}", None,
                               {"Authorization": f"Bearer {MANAGEMENT}"})
        assert status == 204
        events.read_until(lambda: False)
        assert events.is_over and viewer.closed()[0] == 1000
        assert viewer.post("speak", {"text": "Hello"})[0] == 404


def test_a_subscriber_that_leaves_while_it_is_told_disturbs_nobody(server):
    with Watcher(server) as viewer:
        for _ in range(20):
            with Events(server, viewer.session):
                viewer.say(type="text", content="Is all well?", user_id=1)
        viewer.question("Is all well?")
        assert not viewer.spoken_turn()[-1]["interrupted"]


@pytest.mark.parametrize("verb, method, body", [
    ("speak", "POST", {"text": "Hello"}), ("interrupt", "POST", {}), ("events", "GET", None)])
def test_only_the_session_s_own_token_and_the_operator_s_drive_it(server, verb, method, body):
    with Watcher(server) as viewer:
        other = session_of(server)
        own = f"{server.http}/v1/sessions/{viewer.session['session_id']}/{verb}"
        for token in (None, "", "Bearer ", "Bearer wrong", f"Bearer {other['engine_token']}", viewer.session["engine_token"],
                      f"Bearer {viewer.session['engine_token']}x", f"Basic {viewer.session['engine_token']}"):
            status, headers, answer = request(method, own, body, {"Authorization": token} if token is not None else {})
            assert status == 401 and headers["WWW-Authenticate"] == "Bearer" and answer["detail"], (token, answer)
        status, _, answer = request(method, own.replace(viewer.session["session_id"], "nobody"), body,
                                    {"Authorization": f"Bearer {MANAGEMENT}"})
        assert status == 404 and answer["detail"]
        viewer.hear_nothing_but("webrtc_state", "webrtc_ice_candidate", "activity")
        if verb == "events":
            with Events(server, viewer.session, token=MANAGEMENT) as events:
                assert not events.is_over
        else:
            assert request(method, own, body, {"Authorization": f"Bearer {MANAGEMENT}"})[0] in (200, 202)


def test_a_session_that_nobody_watches_is_told_so(server):
    session = session_of(server)
    own = f"{server.http}/v1/sessions/{session['session_id']}"
    token = {"Authorization": f"Bearer {session['engine_token']}"}
    status, _, answer = request("POST", own + "/speak", {"text": "Hello"}, token)
    assert status == 409 and "viewer" in answer["detail"]
    assert request("POST", own + "/interrupt", {}, token)[::2] == (200, {"interrupted": []})


def test_interruptions_tell_what_was_cut_off(server):
    with Watcher(server) as viewer:
        status, answer = viewer.post("speak", {"text": "This long sentence is going to be cut off before its end. " * 4})
        assert status == 202
        assert viewer.hear("speech_started")["utterance_id"] == answer["utterance_id"]
        status, cut = viewer.post("interrupt")
        finished = viewer.hear("speech_finished")
        assert status == 200 and finished["interrupted"] is True
        assert cut["interrupted"] == [{key: finished[key] for key in ("utterance_id", "playback_position_ms")}]
        assert viewer.post("interrupt") == (200, {"interrupted": []})


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "   "}, {"text": 5}, {"text": "a", "ssml": "<speak>b</speak>"},
                                  {"audio": "!"}, {"audio": ""}, [], "text", {"text": None}])
def test_what_cannot_be_said_is_refused(server, body):
    with Watcher(server) as viewer:
        status, answer = viewer.post("speak", json.dumps(body))
        assert status == 422 and answer["detail"], (status, answer)


def test_waiting_speech_is_limited(server):
    with Watcher(server) as viewer:
        refusals = []
        for _ in range(40):
            status, answer = viewer.post("speak", {"text": "This text is long. " * 400})
            if status != 202:
                refusals.append((status, answer["detail"]))
        assert refusals and all(status == 429 and "wait" in detail for status, detail in refusals), refusals
        status, answer = viewer.post("interrupt")
        assert status == 200 and answer["interrupted"]
        viewer.question("Is all well?")
        viewer.hear("text_complete")
