"""Rubbish, floods and oversize at every open port while an honest viewer watches (bounded in count and time, loopback only).

Whatever comes is dropped or refused and counted; nobody else is disturbed, and memory and descriptors stay bounded.
"""
import contextlib
import itertools
import json
import os
import random
import socket
import struct
import threading
import time

import pytest
from playwright.sync_api import Error as PlaywrightError
from websockets.exceptions import ConnectionClosed, InvalidMessage
from websockets.sync.client import connect

from conftest import HERE, Viewers
from offers import Offer
from server import Server, request, wait_until
from signaling import client_of, session_of

MEBIBYTE = 1 << 20
RANDOM = random.Random(8489)
# TCP connections that the relay takes at once.
STREAMS = 100
# Loopback has sixteen million addresses: whoever attacks has one that the honest viewer has not.
ATTACKER, STRANGER = "127.0.0.66", "127.0.0.77"
TURN, MEDIA, DIRECT = ("127.0.0.1", 10110), ("127.0.0.1", 10111), ("127.0.0.1", 10112)


class Stand:
    """A server with one honest relay-only viewer in Chromium."""

    def __init__(self, server: Server, page: Viewers):
        self.server, self.page = server, page
        self.viewer = page.connect(policy="relay")
        page.wait_for_picture(self.viewer)
        page.wait_for_frames(self.viewer, 60)
        self.before = server.figures()

    def refused(self, *names: str) -> float:
        """The sum of all counters of these names."""
        text = request("GET", self.server.http + "/metrics")[2]
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.split("{")[0].split(" ")[0] in names)

    def check(self):
        """The honest viewer still has its picture, and the server its measure."""
        try:
            self.page.wait_for_frames(self.viewer, 20)
        except PlaywrightError as problem:
            metrics = [line for line in request("GET", self.server.http + "/metrics")[2].splitlines() if "refused" in line]
            report = self.page.report(self.viewer) | {"answer": None, "messages": None}
            raise AssertionError(f"the honest viewer lost its picture: {report}\n{metrics}") from problem
        report = self.page.report(self.viewer)
        assert report["connectionState"] == "connected" and report["states"].count("connected") == 1
        assert report["errors"] == []
        wait_until(lambda: self.server.figures()["fds"] <= self.before["fds"] + 4, 20, "closed descriptors")
        now = self.server.figures()
        assert now["rss"] < self.before["rss"] + 96 * MEBIBYTE, (self.before, now)
        assert now["threads"] <= self.before["threads"] + 8, (self.before, now)
        assert self.server.health()["status"] == "healthy"

    @contextlib.contextmanager
    def counted(self, *names: str, least: float = 1):
        before = self.refused(*names)
        yield
        wait_until(lambda: self.refused(*names) >= before + least, 10, f"{least} more refusals in {names}")


@pytest.fixture(scope="module")
def stand(browser):
    settings = {"avatars": {"maximum_upload_bytes": MEBIBYTE}, "embedded_relay": {"stream_connections": STREAMS}, "logging": {"level": "warning"}}
    with Server(connectivity="all", **settings) as server:
        context = browser.new_context()
        page = context.new_page()
        page.goto(server.http + "/health")
        page.add_script_tag(path=str(HERE / "viewer.js"))
        yield Stand(server, Viewers(page, server))
        context.close()
        assert server.process.poll() is None, server.log()[-2000:]


@pytest.fixture(autouse=True)
def undisturbed(stand):
    yield
    stand.check()


def tcp(port: int, source: str = ATTACKER) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=3, source_address=(source, 0))
    connection.settimeout(2)
    return connection


def converse(port: int, data: bytes, timeout: float = 0.3) -> bytes:
    """What the server says to these bytes until it closes or is silent for a while."""
    answer = b""
    with contextlib.suppress(OSError), tcp(port) as connection:
        connection.settimeout(timeout)
        connection.sendall(data)
        while len(answer) < 65_536 and (piece := connection.recv(65_536)):
            answer += piece
    return answer


# HTTP

HTTP_RUBBISH = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + RANDOM.randbytes(500), RANDOM.randbytes(4000), b"\r\n" * 5000, b"\x00" * 5000,
    b"GET\r\n\r\n", b"GET /health\r\n\r\n", b"GET /health HTTP/9.9\r\n\r\n", b"DANCE /health HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET " + b"/a" * 50_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /health HTTP/1.1\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
    b"GET /health HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n",
    b"GET /health HTTP/1.1\r\nno colon here\r\n\r\n", b"GET /%00%ff%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nabcde",
    b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/sessions HTTP/1.1\r\n\r\n",
    b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\nx\r\n0\r\n\r\n",
    b"PATCH /whep/avatar/" + b"x" * 3000 + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + RANDOM.randbytes(200),
]


@pytest.mark.parametrize("number", range(len(HTTP_RUBBISH)))
def test_http_rubbish_is_refused(stand, number):
    for port in (stand.server.http_port, stand.server.ws_port):
        answer = converse(port, HTTP_RUBBISH[number])
        # What is a GET of /health all the same may be answered; nothing here makes a session or a viewer.
        is_refused = not answer or answer.split(b" ", 2)[1][:1] in (b"4", b"5")
        assert is_refused or HTTP_RUBBISH[number].startswith(b"GET /health"), answer[:200]


def test_oversize_bodies_are_refused_before_they_come(stand):
    for path, kind in (("/v1/sessions", "application/json"), ("/v1/avatars/upload", "multipart/form-data; boundary=x"),
                       ("/whep/avatar", "application/sdp")):
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: 2000000000\r\n\r\n".encode()
        with stand.counted("web_refused_total"), tcp(stand.server.http_port) as connection:
            connection.sendall(head)
            assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_form_of_a_million_parts_is_refused(stand):
    body = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n" * 15_000
    head = b"POST /v1/avatars/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n"
    assert converse(stand.server.http_port, head % len(body) + body, timeout=5).split(b" ", 2)[1] in (b"400", b"422")


def test_slow_requests_hold_nobody_up_and_end(stand):
    with contextlib.ExitStack() as held:
        slow = [held.enter_context(tcp(port)) for port in (stand.server.http_port, stand.server.ws_port) for _ in range(60)]
        for connection in slow:
            connection.sendall(b"GET /health HTTP/1.1\r\nX: ")
        assert stand.server.health()["status"] == "healthy"
        stand.page.wait_for_frames(stand.viewer, 20)
        # To the end of the header's time.
        for connection in slow:
            connection.settimeout(20)
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(4096):
                    pass


def test_more_connections_than_one_address_may_have(stand):
    with contextlib.ExitStack() as held, stand.counted("web_refused_total", least=50):
        for _ in range(600):
            with contextlib.suppress(OSError):
                held.enter_context(tcp(stand.server.http_port))
        assert request("GET", stand.server.http + "/health")[0] == 200


def test_a_flood_of_requests_is_limited(stand):
    head = b"GET /config HTTP/1.1\r\nHost: x\r\n\r\n"
    statuses: dict[bytes, int] = {}

    def flood():
        with contextlib.suppress(OSError):
            for _ in range(20):
                with tcp(stand.server.http_port) as connection:
                    for _ in range(25):
                        connection.sendall(head)
                        answer = connection.recv(65_536)
                        status = answer[9:12]
                        statuses[status] = statuses.get(status, 0) + 1
                        if not answer:
                            break

    with stand.counted("web_refused_total"):
        threads = [threading.Thread(target=flood) for _ in range(6)]
        for thread in threads:
            thread.start()
        assert request("GET", stand.server.http + "/health")[0] == 200
        for thread in threads:
            thread.join(30)
    assert set(statuses) <= {b"200", b"429", b""} and statuses[b"429"] > 0, statuses


# WebSocket


def frame(opcode: int, payload: bytes, masked=True, final=True, length: int | None = None, reserved=0) -> bytes:
    head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
    size = len(payload) if length is None else length
    mask = 0x80 if masked else 0
    head += (bytes([mask | size]) if size < 126 else bytes([mask | 126]) + struct.pack("!H", size) if size < 65_536
             else bytes([mask | 127]) + struct.pack("!Q", size))
    return head + (bytes(4) if masked else b"") + payload


WEBSOCKET_RUBBISH = [
    frame(1, b'{"type":"ping"}', masked=False), frame(3, b"x"), frame(11, b"x"), frame(1, b"x", reserved=7),
    frame(1, b"\xff\xfe\xfd"), frame(9, b"x" * 200), frame(9, b"x", final=False), frame(0, b"x"),
    frame(1, b"x", length=1 << 62), frame(2, b"x" * 70_000), RANDOM.randbytes(5000), frame(8, b"\x00"), frame(8, b"\x00\x01"),
    frame(1, b"a", final=False) * 3000, frame(1, b"") * 3000,
]


@pytest.mark.parametrize("number", range(len(WEBSOCKET_RUBBISH)))
def test_websocket_rubbish_ends_its_own_connection_at_most(stand, number):
    upgrade = (b"GET /ws/user_1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
    with tcp(stand.server.ws_port) as connection:
        connection.sendall(upgrade)
        assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
        with contextlib.suppress(OSError):
            connection.sendall(WEBSOCKET_RUBBISH[number])
            connection.settimeout(0.5)
            while connection.recv(65_536):
                pass
    with client_of(session_of(stand.server)) as client:
        client.hear_nothing_but()


def test_a_message_that_is_too_long_closes_with_1009(stand):
    with stand.counted("web_refused_total"), client_of(session_of(stand.server)) as client:
        with contextlib.suppress(ConnectionClosed):
            client.say("x" * (15 * MEBIBYTE))
        assert client.closed()[0] == 1009


def test_a_flood_of_messages_closes_with_1008(stand):
    with stand.counted("web_refused_total"), client_of(session_of(stand.server)) as client:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(5000):
                client.say(type="init", avatar_id="a")
        assert client.closed()[0] == 1008


def test_hostile_fields_are_refused_and_the_connection_stays(stand):
    with client_of(session_of(stand.server)) as client:
        for value in (None, True, -1, 1e308, 1 << 80, [], {}, [[[]]] * 50, {"a": {"b": 1}}, "\0", "x" * 5000, "\ud7ff" * 500):
            for kind, field in (("webrtc_offer", "sdp"), ("webrtc_offer", "user_id"), ("webrtc_ice_candidate", "candidate"),
                                ("text_webrtc", "avatar_id"), ("init", "avatar_id"), ("hello", "version")):
                message = {"type": kind, "sdp": "v=0", "user_id": 1, "candidate": {}, "avatar_id": "a", "content": "x"}
                client.say(message | {field: value})
            client.hear_nothing_but("error", "hello")


def test_many_offers_of_one_connection_leave_one_viewer(stand):
    viewers = stand.server.metric("avatar_viewers")
    with client_of(session_of(stand.server)) as client:
        for _ in range(80):
            client.ask({"type": "webrtc_offer", "sdp": Offer().sdp, "user_id": 1}, kind="webrtc_answer")
        wait_until(lambda: stand.server.metric("avatar_viewers") <= viewers + 1, 5, "the replaced viewers' end")
        for user in range(2, 12):
            client.say({"type": "webrtc_offer", "sdp": Offer().sdp, "user_id": user})
        client.hear_nothing_but("webrtc_answer", "webrtc_ice_candidate", "webrtc_state", "error")
        assert stand.server.metric("avatar_viewers") <= viewers + 4
        client.say(type="bye")
    wait_until(lambda: stand.server.metric("avatar_viewers") <= viewers, 5, "the viewers' end")


def test_a_reader_that_takes_nothing_is_bounded(stand):
    session = session_of(stand.server)
    with socket.socket() as quiet:
        quiet.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        quiet.connect(("127.0.0.1", stand.server.ws_port))
        quiet.sendall((f"GET /ws/{session['session_id']}?token={session['engine_token']} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n").encode())
        # Each is answered by an error that nobody fetches.
        wrong = frame(1, json.dumps({"type": "x" * 60}).encode())
        with contextlib.suppress(OSError):
            for _ in range(350):
                quiet.sendall(wrong)
        stand.page.wait_for_frames(stand.viewer, 20)


# UDP

COOKIE = bytes.fromhex("2112a442")


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def stun(kind: int, *attributes: bytes, cookie=COOKIE, length: int | None = None) -> bytes:
    body = b"".join(attributes)
    return struct.pack("!HH", kind, len(body) if length is None else length) + cookie + RANDOM.randbytes(12) + body


def requests_of_strangers() -> list[bytes]:
    """Well-formed requests that nobody has authenticated."""
    transport = attribute(0x19, b"\x11\0\0\0")
    user = attribute(6, b"2000000000:nobody")
    stale = [user, attribute(0x14, b"avatar-streamer"), attribute(0x15, b"f" * 40), attribute(8, bytes(20))]
    peer = attribute(0x12, b"\0\x01" + bytes(6))
    return [stun(1), stun(1, attribute(6, b"aaaa:bbbb"), attribute(0x24, bytes(4))), stun(3, transport), stun(3),
            stun(3, transport, *stale), stun(4, *stale), stun(8, peer), stun(8, peer, *stale),
            stun(9, attribute(0xC, b"\x40\0\0\0"), peer), stun(9, attribute(0xC, b"\x40\0\0\0"), peer, *stale),
            stun(0x16, peer, attribute(0x13, b"x" * 100)), struct.pack("!HH", 0x4000, 100) + bytes(100)]


def rubbish(count: int):
    """Noise, broken pieces of every protocol of these ports, and long datagrams."""
    whole = requests_of_strangers() + [
        b"\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x50" + RANDOM.randbytes(80), b"\x80\x60" + RANDOM.randbytes(300), b"\x80\xc8" + RANDOM.randbytes(60)]
    for number in range(count):
        match number % 5:
            case 0: yield RANDOM.randbytes(RANDOM.randrange(0, 1400))
            case 1:
                packet = bytearray(RANDOM.choice(whole))
                for _ in range(RANDOM.randrange(1, 6)):
                    packet[RANDOM.randrange(len(packet))] = RANDOM.randrange(256)
                yield bytes(packet)
            case 2:
                packet = RANDOM.choice(whole)
                yield packet[:RANDOM.randrange(len(packet))]
            case 3: yield RANDOM.choice(whole) + RANDOM.randbytes(RANDOM.randrange(1, 200))
            case _: yield stun(RANDOM.choice([1, 3, 8, 9]), *(attribute(RANDOM.randrange(65_536), RANDOM.randbytes(RANDOM.randrange(8)))
                                                              for _ in range(RANDOM.randrange(40))))


@pytest.mark.parametrize("target", [TURN, MEDIA, DIRECT], ids=["turn", "relay media", "direct media"])
def test_udp_rubbish_is_dropped_and_counted(stand, target):
    names = ["avatar_relay_refused_total"] if target == TURN else ["avatar_media_refused_total"]
    with stand.counted(*names, least=200), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
        attacker.bind((ATTACKER, 0))
        for number, packet in enumerate(rubbish(6000)):
            with contextlib.suppress(OSError):
                attacker.sendto(packet, target)
            if number % 500 == 499:
                # In between the viewer's own packets must find their way.
                stand.page.page.wait_for_timeout(20)
        for size in (1473, 9000, 65_507):
            attacker.sendto(RANDOM.randbytes(size), target)


def test_udp_from_many_ports_leaves_nothing_behind(stand):
    for first in range(0, 1000, 100):
        with contextlib.ExitStack() as held:
            for _ in range(100):
                attacker = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                attacker.bind((ATTACKER, 0))
                for packet, target in itertools.product(requests_of_strangers()[:4], (TURN, MEDIA, DIRECT)):
                    attacker.sendto(packet, target)
    wait_until(lambda: stand.server.metric("avatar_relay_allocations") <= 2, 5, "no allocation for strangers")


@pytest.mark.parametrize("target", [TURN, MEDIA, DIRECT], ids=["turn", "relay media", "direct media"])
def test_a_stranger_never_gets_more_than_it_sent(stand, target):
    # The challenge of TURN is longer than the shortest request for it, so an address has an allowance of 2 KiB, which comes back by
    # 64 bytes a second; beyond that it gets at most what it sent.
    began = time.monotonic()
    sent = received = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((STRANGER, 0))
        stranger.settimeout(0.3)
        packets = requests_of_strangers() + [stun(3, attribute(0x19, b"\x11\0\0\0")), stun(1)] * 10
        for number in range(2000):
            packet = packets[number % len(packets)]
            stranger.sendto(packet, target)
            sent += len(packet)
            if number % 50 == 49:
                stranger.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        received += len(stranger.recv(65_536))
                stranger.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            while True:
                received += len(stranger.recv(65_536))
    allowance = 2048 + 64 * (time.monotonic() - began + 60) if target == TURN else 0
    assert received <= sent + allowance, (sent, received)
    if target != TURN:
        assert received == 0, "a media port answered a stranger"


def test_a_single_challenge_is_short(stand):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.78", 0))
        stranger.settimeout(2)
        stranger.sendto(stun(3, attribute(0x19, b"\x11\0\0\0")), TURN)
        assert len(stranger.recv(2048)) <= 160


# TURN over TCP


def test_tcp_rubbish_on_the_relay(stand):
    packets = list(rubbish(200))
    for first in range(0, 200, 20):
        converse(10110, b"".join(packets[first:first + 20]))
    for data in (struct.pack("!HH", 0x4000, 65_535) + bytes(70_000), stun(3, length=65_532) + bytes(70_000), RANDOM.randbytes(200_000),
                 b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + RANDOM.randbytes(500)):
        converse(10110, data)


def test_more_tcp_connections_than_the_relay_takes(stand):
    with contextlib.ExitStack() as held, stand.counted("avatar_relay_refused_total", least=50):
        for _ in range(STREAMS + 60):
            with contextlib.suppress(OSError):
                held.enter_context(tcp(10110)).sendall(b"\0")
        stand.page.wait_for_frames(stand.viewer, 20)
    later = stand.page.connect(policy="relay", tcp=True)
    stand.page.wait_for_picture(later)
    stand.page.page.evaluate("index => { viewers[index].pc.close(); viewers[index].socket.close(); }", later)
