"""Engine.IO 4 and Socket.IO 5 by hand, against the server that serves the public suites' applications.

Each test is a sentence of the protocols' documents, or of what implementations are known to miss."""
from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
import socketio
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from server import ROOT, wait_until
from talker import run

BINARY = Path(os.environ.get("SOCKETIO_CONFORMANCE", ROOT / ".build/release/SocketIOConformance"))


class Conformance:
    def __init__(self, *arguments: str):
        self.process = subprocess.Popen([str(BINARY), "--port", "0", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rsplit(" ", 1)[1])

    def url(self, path: str, **query) -> str:
        return f"/{path}.io/?" + "&".join(f"{name}={value}" for name, value in ({"EIO": 4} | query).items() if value is not None)

    def request(self, method: str, path: str = "engine", body: str | bytes | None = None, headers=None, **query):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, self.url(path, **query), body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()

    def get(self, **query):
        return self.request("GET", transport="polling", **query)[:2]

    def post(self, body, **query):
        return self.request("POST", body=body, transport="polling", **query)[:2]

    def session(self, path: str = "engine") -> str:
        status, text, _ = self.request("GET", path, transport="polling")
        assert status == 200
        return json.loads(text[1:])["sid"]

    def socket(self, path: str = "engine", **query):
        return connect(f"ws://127.0.0.1:{self.port}" + self.url(path, transport="websocket", **query), max_size=None, compression=None)

    def metric(self, name: str) -> float:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0


@pytest.fixture(scope="module")
def server():
    one = Conformance()
    yield one
    one.close()


@pytest.fixture(scope="module")
def patient():
    """Waits for pongs as long as a busy machine's client may need."""
    one = Conformance("--ping-timeout", "20000")
    yield one
    one.close()


def closes(ws, timeout: float = 5):
    """Until the server closes it; what came before."""
    came = []
    try:
        while True:
            came.append(ws.recv(timeout=timeout))
    except ConnectionClosed:
        return came


def receive(ws, timeout: float = 5):
    """The next message but pings, which are answered."""
    while True:
        message = ws.recv(timeout=timeout)
        if message != "2":
            return message
        ws.send("3")


def socketio_client(server, connect_packet="40"):
    ws = server.socket("socket")
    assert ws.recv(timeout=5).startswith("0")
    ws.send(connect_packet)
    assert receive(ws).startswith("40")
    assert receive(ws).startswith("42")
    return ws


# Handshake

def test_a_session_opens_by_polling_with_exactly_the_documented_members(server):
    status, text = server.get()
    assert status == 200 and text[0] == "0"
    assert json.loads(text[1:]).keys() == {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}
    opening = json.loads(text[1:])
    assert (opening["upgrades"], opening["pingInterval"], opening["pingTimeout"], opening["maxPayload"]) == (["websocket"], 300, 200, 1000000)


def test_a_session_opens_on_a_websocket_without_upgrades(server):
    with server.socket() as ws:
        assert json.loads(ws.recv(timeout=5)[1:])["upgrades"] == []


@pytest.mark.parametrize("method, query, code, message", [
    ("GET", {"EIO": None, "transport": "polling"}, 5, "Unsupported protocol version"),
    ("GET", {"EIO": "abc", "transport": "polling"}, 5, "Unsupported protocol version"),
    ("GET", {"EIO": "3", "transport": "polling"}, 5, "Unsupported protocol version"),
    ("GET", {}, 0, "Transport unknown"),
    ("GET", {"transport": "abc"}, 0, "Transport unknown"),
    ("GET", {"transport": "polling", "sid": "nobody"}, 1, "Session ID unknown"),
    ("POST", {"transport": "polling"}, 2, "Bad handshake method"),
    ("PUT", {"transport": "polling"}, 2, "Bad handshake method"),
    ("GET", {"transport": "websocket"}, 3, "Bad request"),
])
def test_a_bad_request_is_refused_with_its_code(server, method, query, code, message):
    status, text, _ = server.request(method, **query)
    assert status == 400 and json.loads(text) == {"code": code, "message": message}


@pytest.mark.parametrize("query", [{"EIO": None}, {"EIO": "abc"}, {"transport": "abc"}, {"sid": "nobody"}])
def test_a_bad_websocket_handshake_is_answered_with_400(server, query):
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{server.port}" + server.url("engine", **({"transport": "websocket"} | query)))
    assert refused.value.response.status_code == 400 and json.loads(refused.value.response.body)["code"] in (0, 1, 5)


def test_pages_of_other_origins_are_answered_and_asked_politely(server):
    status, _, headers = server.request("OPTIONS", transport="polling", headers={"Origin": "https://a.example", "Access-Control-Request-Method": "POST"})
    assert status == 204 and headers["Access-Control-Allow-Origin"] == "*" and "POST" in headers["Access-Control-Allow-Methods"]
    _, _, headers = server.request("GET", transport="polling", headers={"Origin": "https://a.example"})
    assert headers["Access-Control-Allow-Origin"] == "*"


# Messages

@pytest.mark.parametrize("body", ["4hello", "4one\x1e4two\x1e4three", "4text\x1ebAQIDBA==", "b", "4€😀"])
def test_a_payload_comes_back_as_it_went(server, body):
    sid = server.session()
    assert server.post(body.encode(), sid=sid) == (200, "ok")
    assert server.get(sid=sid) == (200, body)


@pytest.mark.parametrize("body", ["abc", "", "4a\x1e", "\x1e", "7", "bAQ=!", "4a\x1e9", "2", "5", "0{}", b"4\xff\xfe"])
def test_a_payload_that_is_none_closes_the_session(server, body):
    sid = server.session()
    assert server.post(body, sid=sid)[0] == 400
    assert server.get(sid=sid)[0] == 400


def test_a_payload_that_is_too_large_is_refused(server):
    sid = server.session()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        # By its head alone: nobody has to send what is not wanted.
        raw.sendall(f"POST {server.url('engine', transport='polling', sid=sid)} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000001\r\n\r\n".encode())
        assert raw.recv(4096).startswith(b"HTTP/1.1 413")


def test_of_two_polls_the_first_hears_of_the_end_and_the_second_is_refused(server):
    sid = server.session()
    answers = {}
    first = threading.Thread(target=lambda: answers.update(first=server.get(sid=sid)))
    first.start()
    # The first must wait at the server before the second comes.
    wait_until(lambda: waiting(server) >= 1, 5, "a waiting GET")
    assert server.get(sid=sid)[0] == 400
    first.join()
    assert answers["first"] == (200, "1")
    assert server.get(sid=sid)[0] == 400


def waiting(server) -> int:
    """Connections that the kernel holds open to the server."""
    port = f":{server.port:04X}"
    return sum(1 for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
               if line.split()[1].endswith(port) and line.split()[3] == "01")


def test_a_poll_that_is_given_up_closes_the_session(server):
    sid = server.session()
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(f"GET {server.url('engine', transport='polling', sid=sid)} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        wait_until(lambda: waiting(server) >= 1, 5, "a waiting GET")
    assert server.get(sid=sid)[0] == 400


def test_frames_are_packets_and_binary_frames_bare(server):
    with server.socket() as ws:
        ws.recv(timeout=5)
        ws.send("4hello")
        assert receive(ws) == "4hello"
        ws.send(bytes([1, 2, 3]))
        assert receive(ws) == bytes([1, 2, 3])
        ws.send(b"")
        assert receive(ws) == b""
        ws.send("abc")
        closes(ws)


# Heartbeat

def test_the_server_pings_and_a_pong_keeps_the_session(server):
    sid = server.session()
    for _ in range(3):
        assert server.get(sid=sid) == (200, "2")
        assert server.post("3", sid=sid) == (200, "ok")


def test_only_a_pong_counts(server):
    with server.socket() as ws:
        ws.recv(timeout=5)
        assert ws.recv(timeout=5) == "2"
        ws.send("4still here")
        assert "4still here" in closes(ws)


def test_a_silent_client_is_closed_and_its_session_unknown(server):
    sid = server.session()
    with server.socket() as ws:
        assert closes(ws)[-1] == "2"
    assert server.get(sid=sid)[0] == 400


# Close and upgrade

def test_a_close_by_post_ends_the_waiting_poll_with_a_noop(server):
    sid = server.session()
    answers = {}
    poll = threading.Thread(target=lambda: answers.update(poll=server.get(sid=sid)))
    poll.start()
    wait_until(lambda: waiting(server) >= 1, 5, "a waiting GET")
    assert server.post("1", sid=sid) == (200, "ok")
    poll.join()
    assert answers["poll"] == (200, "6")
    assert server.get(sid=sid)[0] == 400


def test_a_close_on_a_websocket_closes_it(server):
    with server.socket() as ws:
        ws.recv(timeout=5)
        ws.send("1")
        closes(ws)


def test_an_upgrade_goes_by_probe_noop_and_upgrade_and_nothing_is_lost(server):
    sid = server.session()
    with server.socket(sid=sid) as ws:
        ws.send("2probe")
        assert ws.recv(timeout=5) == "3probe"
        assert server.get(sid=sid) == (200, "6")
        # Said by polling while the upgrade goes on: the echo waits for the WebSocket.
        assert server.post("4early", sid=sid) == (200, "ok")
        with pytest.raises(TimeoutError):
            ws.recv(timeout=0.05)
        ws.send("5")
        assert receive(ws) == "4early"
        ws.send("4hello")
        assert receive(ws) == "4hello"
        assert server.get(sid=sid)[0] == 400
        assert server.post("4x", sid=sid)[0] == 400
        # A second WebSocket of an upgraded session is let in and closed, never refused.
        with server.socket(sid=sid) as second:
            closes(second)
        ws.send("4still")
        assert receive(ws) == "4still"


def test_a_waiting_poll_gets_a_noop_when_the_probe_is_answered(server):
    sid = server.session()
    answers = {}
    with server.socket(sid=sid) as ws:
        poll = threading.Thread(target=lambda: answers.update(poll=server.get(sid=sid)))
        poll.start()
        wait_until(lambda: waiting(server) >= 2, 5, "a waiting GET")
        ws.send("2probe")
        assert ws.recv(timeout=5) == "3probe"
        poll.join()
        assert answers["poll"] == (200, "6")


@pytest.mark.parametrize("packet", ["4hello", "5", "2", "abc"])
def test_a_probe_that_is_none_closes_the_websocket_and_polling_goes_on(server, packet):
    sid = server.session()
    with server.socket(sid=sid) as ws:
        ws.send(packet)
        closes(ws)
    assert server.post("4hello", sid=sid) == (200, "ok")
    assert "4hello" in server.get(sid=sid)[1]


# Socket.IO

@pytest.mark.parametrize("sent, namespace, auth", [
    ("40", "", {}), ('40{"token":"123"}', "", {"token": "123"}),
    ("40/custom,", "/custom,", {}), ("40/custom", "/custom,", {}), ('40/custom,{"token":"abc"}', "/custom,", {"token": "abc"}),
])
def test_a_client_connects_to_a_namespace(server, sent, namespace, auth):
    with server.socket("socket") as ws:
        ws.recv(timeout=5)
        ws.send(sent)
        answer = receive(ws)
        assert answer.startswith(f"40{namespace}") and json.loads(answer[2 + len(namespace):]).keys() == {"sid"}
        assert receive(ws) == f"42{namespace}" + json.dumps(["auth", auth], separators=(",", ":"))


def test_an_unknown_namespace_is_refused_and_the_connection_stays(server):
    with server.socket("socket") as ws:
        ws.recv(timeout=5)
        ws.send("40/random")
        assert receive(ws) == '44/random,{"message":"Invalid namespace"}'
        ws.send("40")
        assert receive(ws).startswith("40")


def test_who_never_connects_is_closed(server):
    with server.socket("socket") as ws:
        ws.recv(timeout=5)
        ended = threading.Event()
        began = time.monotonic()
        try:
            while True:
                if ws.recv(timeout=5) == "2":
                    ws.send("3")
        except ConnectionClosed:
            ended.set()
        assert ended.is_set() and time.monotonic() - began >= 0.9


def test_leaving_a_namespace_keeps_the_connection(server):
    with socketio_client(server) as ws:
        ws.send("40/custom")
        receive(ws), receive(ws)
        ws.send("41/custom")
        ws.send('42["message","main"]')
        assert receive(ws) == '42["message-back","main"]'
        ws.send("41")
        assert ws.recv(timeout=5) == "2"


@pytest.mark.parametrize("sent, back", [
    ('42["message",1,"2",{"3":[true]}]', '42["message-back",1,"2",{"3":[true]}]'),
    ('42["message",1.0,-0.5,1e3,12345678901234,null,"\\u20ac\\n"]', '42["message-back",1.0,-0.5,1000.0,12345678901234,null,"€\\n"]'),
    ('42456["message-with-ack",1,"2",{"3":[false]}]', '43456[1,"2",{"3":[false]}]'),
])
def test_events_and_acknowledgements_keep_their_values(server, sent, back):
    with socketio_client(server) as ws:
        ws.send(sent)
        assert receive(ws) == back


@pytest.mark.parametrize("sent, back", [("452-[\"message\",", "452-[\"message-back\","), ("452-789[\"message-with-ack\",", "462-789[")])
def test_binary_attachments_travel_both_ways(server, sent, back):
    places = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
    with socketio_client(server) as ws:
        ws.send(sent + places)
        ws.send(b"\1\2\3")
        ws.send(b"\4\5")
        # Members of objects are in alphabetical order here.
        head = receive(ws)
        assert json.loads(head[head.index("["):])[-2:] == json.loads("[" + places) and head.startswith(back)
        assert receive(ws) == b"\1\2\3" and receive(ws) == b"\4\5"


@pytest.mark.parametrize("packets", [
    ["4abc"], ["42[]"], ["42{}"], ["42[1]"], ["42[\"message\""], ["42\"message\""], ["42"], ["43[1]"], ["44{}"], ["47"], ["4"],
    ["42[\"connect\"]"], ["42[\"disconnecting\"]"], ["42[\"newListener\"]"], ["40[1]"], ["41{}"],
    ["4511-[\"message\"]"], ["45-[\"message\"]"], ["451[\"message\"]"], ["4599999999999999999999-[\"message\"]"],
    ["451-[\"message\",{\"_placeholder\":true,\"num\":1}]", b"x"], ["451-[\"message\",{\"_placeholder\":true,\"num\":\"0\"}]", b"x"],
    ["451-[\"message\",{\"_placeholder\":true,\"num\":0}]", "42[\"message\"]"], [b"nobody announced this"],
    ["42[\"message\"," + "[" * 200 + "]" * 200 + "]"], ["42/" + "x" * 1000 + ",[\"message\"]"],
    ["42\u0661[\"message\"]"],
])
def test_what_is_no_packet_closes_the_connection(server, packets):
    with socketio_client(server) as ws:
        with contextlib.suppress(ConnectionClosed):  # The first may be enough.
            for packet in packets:
                ws.send(packet)
        closes(ws)


def test_the_server_counts_what_it_refused(server):
    assert server.metric("engineio_refused_total") > 5
    assert server.metric('socketio_refused_total{reason="packet"}') > 5


def test_a_large_event_is_spooled_and_the_server_does_not_grow(tmp_path):
    big = Conformance("--spool", str(tmp_path), "--maximum-payload", "140000000")
    try:
        status = Path(f"/proc/{big.process.pid}/status")

        def anonymous() -> int:
            return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("RssAnon"))

        with socketio_client(big) as ws:
            before = anonymous()
            text = "A" * (64 << 20)
            ws.send('42["message",{"data":"' + text + '","name":"x"}]')
            back = receive(ws, 30)
            assert back.startswith('42["message-back"') or back.startswith("451-"), back[:80]
            assert anonymous() - before < 24 << 10, "a message is held in memory"
        assert list(tmp_path.iterdir()) == []
    finally:
        big.close()


# Clients that we did not write

async def exchange(url: str, transports) -> None:
    client = socketio.AsyncClient()
    back: asyncio.Queue = asyncio.Queue()
    greeted: asyncio.Queue = asyncio.Queue()
    client.on("message-back", lambda *arguments: back.put_nowait(list(arguments)))
    client.on("auth", greeted.put_nowait)
    client.on("auth", greeted.put_nowait, namespace="/custom")
    await client.connect(url, transports=transports, auth={"a": 1}, namespaces=["/", "/custom"])
    assert [await asyncio.wait_for(greeted.get(), 5) for _ in range(2)] == [{"a": 1}] * 2
    await client.emit("message", ("text", 1, {"nested": [None, True]}))
    assert await asyncio.wait_for(back.get(), 5) == ["text", 1, {"nested": [None, True]}]
    await client.emit("message", (b"\0\1", {"inside": b"\2"}))
    assert await asyncio.wait_for(back.get(), 5) == [b"\0\1", {"inside": b"\2"}]
    assert await client.call("message-with-ack", ("x", b"y"), timeout=5) == ("x", b"y")
    await asyncio.sleep(1)  # Several heartbeats.
    assert await client.call("message-with-ack", "after", timeout=5) == "after"
    await client.disconnect()


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], None], ids=["polling", "websocket", "upgrade"])
def test_python_socketio_works_on_every_transport(patient, transports):
    run(exchange(f"http://127.0.0.1:{patient.port}", transports))


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], None], ids=["polling", "websocket", "upgrade"])
def test_its_threaded_client_works_as_well(patient, transports):
    with socketio.SimpleClient() as client:
        client.connect(f"http://127.0.0.1:{patient.port}", transports=transports)
        assert client.receive(timeout=5) == ["auth", {}]
        client.emit("message", "hello")
        assert client.receive(timeout=5) == ["message-back", "hello"]
        assert client.call("message-with-ack", {"a": 1}, timeout=5) == {"a": 1}


# Bad clients

def test_a_hundred_connections_that_never_connect_harm_nobody(server):
    idle = [server.socket("socket") for _ in range(100)]
    try:
        with socketio_client(server) as ws:
            ws.send('421["message-with-ack"]')
            assert receive(ws) == "431[]"
        for ws in idle:
            closes(ws)
    finally:
        for ws in idle:
            ws.close()


def test_a_client_that_never_reads_is_closed_and_harms_nobody(server):
    with server.socket("socket") as deaf:
        deaf.recv(timeout=5)
        deaf.send("40")
        padding = "x" * 500_000
        try:
            for _ in range(200):
                deaf.send(f'42["message","{padding}"]')
        except ConnectionClosed:
            pass
        with socketio_client(server) as ws:
            ws.send('421["message-with-ack"]')
            assert receive(ws) == "431[]"
