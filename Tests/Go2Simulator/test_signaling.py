"""Signaling byte by byte, and its faults."""
from __future__ import annotations

import base64
import http.client
import json
import select
import socket

import pytest
from go2_simulator.encryption import STATIC_KEY
from go2_simulator.sdp import parse_offer
from go2_simulator.session import validation_answer
from raw_client import envelope, exchange, notify, post

OFFER = "\r\n".join([
    "v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=group:BUNDLE 0 1 2",
    "m=audio 9 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=sendrecv", "a=mid:0", "a=rtpmap:96 opus/48000/2", "a=ice-ufrag:first", "a=ice-pwd:" + "1" * 22,
    "a=fingerprint:sha-256 AA", "m=video 9 UDP/TLS/RTP/SAVPF 97 98 99", "a=recvonly", "a=mid:1", "a=rtpmap:97 VP8/90000", "a=rtpmap:98 H264/90000",
    "a=fmtp:98 packetization-mode=1;profile-level-id=42001f", "a=rtpmap:99 H264/90000", "a=fmtp:99 packetization-mode=1;profile-level-id=42e01f",
    "m=application 9 DTLS/SCTP 5000", "a=mid:2", "a=ice-ufrag:last", "a=ice-pwd:" + "2" * 22, "a=fingerprint:sha-256 AA", "a=fingerprint:sha-512 BB", ""])


def open_socket(robot, request: bytes) -> socket.socket:
    connection = socket.create_connection((robot.address, robot.ready["ports"]["notify"]), timeout=20)
    connection.sendall(request)
    return connection


def test_the_last_credentials_and_the_last_fingerprint_of_an_offer_win():
    offer = parse_offer(OFFER)
    assert (offer.ufrag, offer.password, offer.fingerprint) == ("last", "2" * 22, "sha-512 BB")


def test_validation_matches_the_answer_logged_from_a_robot():
    assert validation_answer("FU8KjrwO159aHMt1dmF") == "Ms4+h3W1wrZ/qIudptjUig=="


def test_answer_has_the_shape_of_the_robots(robot):
    go2 = robot(video="none", connect_seconds=0.2)
    answer = exchange(go2, OFFER)
    lines = answer.split("\n")
    assert "\r" not in answer
    assert [line.split()[0] for line in lines if line.startswith("m=")] == ["m=audio", "m=video", "m=application"]
    assert [line for line in lines if line.startswith("m=")][1:] == ["m=video 9 UDP/TLS/RTP/SAVPF 99", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"]
    assert lines.count("c=IN IP4 127.0.0.1") == lines.count("a=setup:active") == 3
    candidates = [line for line in lines if line.startswith("a=candidate")]
    assert len(candidates) == 3 and len(set(candidates)) == 1 and candidates[0].endswith("typ host raddr 0.0.0.0 rport 0 generation 0 network-cost 999")
    assert "a=end-of-candidates" not in lines and not any("max-message-size" in line or "nack pli" in line for line in lines)
    assert [line for line in lines if line.startswith("a=mid:")] == ["a=mid:0", "a=mid:1", "a=mid:2"]


def test_replies_close_the_connection_without_saying_so(robot):
    go2 = robot(video="none")
    with open_socket(go2, b"GET /con_notify HTTP/1.1\r\nHost: robot\r\n\r\n") as connection:
        reply = b""
        while piece := connection.recv(65536):
            reply += piece
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and b"onnection:" not in head
    assert json.loads(base64.b64decode(body))["data2"] == 2


@pytest.mark.parametrize(("settings", "told"), [({"data2": 1}, 1), ({"data2": 2}, 2), ({"data2": 3, "static_key": True}, 3),
                                                ({"data2": 2, "data2_text": True}, "2")])
def test_con_notify_tells_its_generation(robot, settings, told):
    go2 = robot(video="none", **settings)
    assert json.loads(base64.b64decode(post(go2, "/con_notify")[1]))["data2"] == told
    path, key = notify(go2, None if told == 1 else STATIC_KEY)
    assert path.removeprefix("/con_ing_").isdigit() and len(path) == 14 and key.key_size == 2048


@pytest.mark.parametrize("body", [b"", b"{}", b"not json", json.dumps({"sdp": OFFER, "type": "offer"}).encode(), envelope("no sdp")])
def test_bad_envelopes_are_closed_with_0_bytes(robot, body):
    go2 = robot(plain=True, video="none")
    with pytest.raises(http.client.RemoteDisconnected):
        post(go2, "/offer", body, "plain")
    assert go2.state()["free"]


@pytest.mark.parametrize("step", ["notify", "offer"])
def test_hanging_requests_are_read_and_never_answered(robot, step):
    go2 = robot([f"http.{step}_hang"], plain=step == "offer", video="none")
    port = go2.ready["ports"]["plain" if step == "offer" else "notify"]
    with socket.create_connection((go2.address, port)) as connection:
        body = envelope(OFFER)
        path = "/offer" if step == "offer" else "/con_notify"
        connection.sendall(f"POST {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        go2.wait_for("http")
        assert not select.select([connection], [], [], 0.2)[0]


@pytest.mark.parametrize(("fault", "status"), [("http.notify_429", 429), ("http.notify_500", 500)])
def test_counted_faults_end_by_themselves(robot, fault, status):
    go2 = robot([f"{fault}=2"], video="none")
    assert [post(go2, "/con_notify")[0] for _ in range(3)] == [status, status, 200]


def test_faults_of_the_offer(robot):
    go2 = robot(plain=True, video="none", connect_seconds=0.1)

    def offer() -> tuple[int, bytes]:
        return post(go2, "/offer", envelope(OFFER), "plain")

    for fault, fits in [("http.offer_429", lambda reply: reply[0] == 429), ("http.offer_garbage", lambda reply: b"{" not in reply[1]),
                        ("http.offer_no_sdp", lambda reply: json.loads(reply[1])["sdp"] == ""),
                        ("http.offer_reject", lambda reply: json.loads(reply[1])["sdp"] == "reject"),
                        ("ice.no_candidates", lambda reply: "a=candidate" not in json.loads(reply[1])["sdp"])]:
        go2.fault(fault, 1)
        assert fits(offer()), fault
    go2.fault("http.offer_empty", 1)
    with pytest.raises(http.client.RemoteDisconnected):
        offer()
    go2.wait_for("ended")
    assert json.loads(offer()[1])["sdp"].startswith("v=0")


def test_answers_under_another_key_cannot_be_read(robot):
    go2 = robot(["http.offer_other_key"], video="none")
    with pytest.raises(ValueError):
        exchange(go2, OFFER)


def test_a_robot_that_was_left_just_now_says_too_many_requests(robot):
    go2 = robot(video="none", connect_seconds=0.1, too_soon_seconds=600.0)
    exchange(go2, OFFER)
    go2.wait_for("ended")
    assert post(go2, "/con_notify")[0] == 429
    go2.set(too_soon_seconds=0)
    assert post(go2, "/con_notify")[0] == 200


def test_ports_close_and_open_on_demand(robot):
    go2 = robot(video="none")
    go2.fault("http.refuse")
    with pytest.raises(ConnectionRefusedError):
        post(go2, "/con_notify")
    go2.clear_faults()
    assert post(go2, "/con_notify")[0] == 200


def test_the_control_port_refuses_what_it_does_not_know(robot):
    go2 = robot(video="none")
    for path, body in [("/faults", {"nothing.like_it": True}), ("/settings", {"nothing": 1}), ("/settings", {"data2": 4}), ("/actions", {"action": "dance"})]:
        with pytest.raises(ValueError, match="400"):
            go2.call("POST", path, body)
    with pytest.raises(ValueError, match="404"):
        go2.call("GET", "/nothing")
