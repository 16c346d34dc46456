"""The program as its operator meets it: command line, configuration, ports, environment, and the way out."""
import os
import re
import signal
import socket
import subprocess

import pytest

from crowd import Crowd
from offers import Offer
from server import BINARY, ROOT, Server, free_port, request, wait_until
from signaling import Client, client_of, session_of

# Ports of their own: what another test's server left behind is no business of these.
PORTS = {"port_min": 10310, "port_max": 10315}


def run(*arguments, environment=None, timeout=20) -> subprocess.CompletedProcess:
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=timeout,
                          env=os.environ | (environment or {}))


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"], [], ["serve", "--help"]])
def test_help(arguments):
    shown = run(*arguments)
    assert shown.returncode == 0 and shown.stderr == ""
    for word in ("serve [--config FILE]", "check-config", "version", "MANAGEMENT_API_PORT", "WEBRTC_TURN_SERVER_LOCAL"):
        assert word in shown.stdout


@pytest.mark.parametrize("arguments", [["dance"], ["serve", "--config"], ["serve", "--frobnicate"], ["version", "now"]])
def test_wrong_usage(arguments):
    shown = run(*arguments)
    assert shown.returncode == 64 and shown.stdout == ""
    assert "usage:" in shown.stderr and arguments[-1] in shown.stderr


def test_version_names_every_library_and_its_tested_range():
    shown = run("version")
    assert shown.returncode == 0
    first, *libraries = shown.stdout.splitlines()
    assert re.fullmatch(r"avatar-streamer \d+\.\d+\.\d+", first)
    names = {line.split()[0] for line in libraries}
    assert {"OpenSSL", "libsrtp2", "libvpx", "libopus", "libavformat", "libwebsockets", "libyaml", "Flite"} <= names
    for line in libraries:
        assert re.fullmatch(r"\S+ +\d[\w.]* +ok \(tested \S+ to below \S+\)", line), line


# Configuration


def test_the_sample_configuration_says_what_the_defaults_are():
    sample = run("check-config", "--config", ROOT / "config/avatar-streamer.yaml")
    defaults = run("check-config")
    assert sample.returncode == defaults.returncode == 0, sample.stderr
    assert sample.stdout == defaults.stdout and "connectivity: relay" in sample.stdout


def problems(tmp_path, text: str) -> list[str]:
    file = tmp_path / "broken.yaml"
    file.write_text(text)
    checked, served = run("check-config", "--config", file), run("serve", "--config", file)
    assert checked.returncode == served.returncode == 78 and checked.stdout == ""
    assert checked.stderr == served.stderr
    return checked.stderr.splitlines()


def test_every_mistake_is_told_with_its_line(tmp_path):
    lines = problems(tmp_path, "connectivity: telepathy\nmanagement:\n  port: 99999\n  prot: 9000\n# a comment\nwebrtd:\n"
                               "  port_min: 1\navatar:\n  width: wide\nsessions: 5\nmanagement_port: 9000\n")
    for line, words in ((1, ("connectivity", "telepathy", "relay, direct, all")), (3, ("management.port", "99999", "65535")),
                        (4, ("management.prot", "unknown")), (6, ("webrtd", "unknown")), (9, ("avatar.width", "wide")),
                        (10, ("sessions",)), (11, ("management_port", "unknown"))):
        told = [problem for problem in lines if re.search(rf"\b{line}\b", problem.split("broken.yaml", 1)[1][:8])]
        assert len(told) == 1, (line, lines)
        assert all(word in told[0] for word in words), (words, told)
    assert len(lines) == 7


@pytest.mark.parametrize("text, line, word", [
    ("connectivity: [relay\nrelay: x\n", 2, ""), ("management:\n\tport: 9000\n", 2, ""), ("connectivity: relay\nconnectivity: all\n", 2, ""),
    ("webrtc: {port_min: 10115, port_max: 10110}\n", 1, "port_m"), ("avatar:\n  width: 511\n", 2, "even"),
    ("management:\n  port: 7001\nsignaling:\n  port: 7001\n", 4, "port"), ("a: &x [*x]\n", 1, ""), ("--- a\n--- b\n", 2, ""),
])
def test_contradictions_and_broken_yaml_are_told(tmp_path, text, line, word):
    lines = problems(tmp_path, text)
    assert any(word in problem for problem in lines), lines
    assert any(re.search(rf"broken\.yaml:{line}\b", problem) for problem in lines), lines


def test_rubbish_is_no_configuration(tmp_path):
    file = tmp_path / "rubbish.yaml"
    for rubbish in (os.urandom(2000), b"a" * 3_000_000, b"[" * 20_000, b"a: " * 5000, b"\xff\xfe\x00\x01"):
        file.write_bytes(rubbish)
        shown = run("check-config", "--config", file)
        assert shown.returncode == 78 and shown.stderr, rubbish[:20]
    shown = run("check-config", "--config", "/no/such/file.yaml")
    assert shown.returncode == 78 and "/no/such/file.yaml" in shown.stderr


def test_credentials_are_not_printed(tmp_path):
    file = tmp_path / "secret.yaml"
    file.write_text("relay: external\nwebrtc:\n  turn_server: turn:127.0.0.1:3478\n  turn_username: me\n"
                    "  turn_password: hush-hush\nmanagement:\n  bearer_token: hush-hush\n")
    shown = run("check-config", "--config", file)
    assert shown.returncode == 0 and "(set)" in shown.stdout
    assert "hush" not in shown.stdout + shown.stderr


# The environment of the former service


def test_environment_variables_win_over_the_file(tmp_path):
    file = tmp_path / "file.yaml"
    file.write_text("management:\n  port: 1\nsessions:\n  maximum: 2\nwebrtc:\n  port_min: 3\n  port_max: 4\n")
    environment = {
        "MANAGEMENT_API_HOST": "127.0.0.1", "MANAGEMENT_API_PORT": "19000", "WEBSOCKET_HOST": "127.0.0.2",
        "WEBSOCKET_PORT": "19001", "WEBSOCKET_URL": "wss://avatar.example", "MAX_SESSIONS": "7",
        "SESSION_TIMEOUT_SECONDS": "77", "WEBRTC_PUBLIC_IP": "203.0.113.7", "WEBRTC_PORT_MIN": "20110",
        "WEBRTC_PORT_MAX": "20115", "WEBRTC_STUN_SERVER": "stun:stun.example:3478",
        "WEBRTC_TURN_SERVER": "turn:turn.example:3478", "WEBRTC_TURN_SERVER_LOCAL": "turn:127.0.0.1:3478",
        "WEBRTC_TURN_USERNAME": "name", "WEBRTC_TURN_PASSWORD": "word"}
    shown = run("check-config", "--config", file, environment=environment)
    assert shown.returncode == 0, shown.stderr
    for name, value in environment.items():
        if name != "WEBRTC_TURN_PASSWORD":
            assert value in shown.stdout, name
    wrong = run("check-config", environment={"MANAGEMENT_API_PORT": "ninety"})
    assert wrong.returncode == 78 and "MANAGEMENT_API_PORT" in wrong.stderr and "ninety" in wrong.stderr


def test_a_server_obeys_the_environment(monkeypatch):
    server = Server(webrtc=PORTS, sessions={"maximum": 5})
    port = free_port()
    monkeypatch.setenv("MANAGEMENT_API_PORT", str(port))
    monkeypatch.setenv("MAX_SESSIONS", "3")
    monkeypatch.setenv("WEBSOCKET_URL", "wss://avatar.example/signaling")
    server.http_port = port
    with server:
        assert server.health()["max_sessions"] == 3
        assert session_of(server)["engine_url"].startswith("wss://avatar.example/signaling/ws/")


# Ports


@pytest.mark.parametrize("kind, port, purpose", [
    (socket.SOCK_STREAM, "http", "management"), (socket.SOCK_STREAM, "ws", "signaling"),
    (socket.SOCK_DGRAM, 10310, "relay"), (socket.SOCK_STREAM, 10310, "relay")])
def test_a_port_that_is_held_is_named_with_its_holder(kind, port, purpose):
    server = Server(webrtc=PORTS)
    number = {"http": server.http_port, "ws": server.ws_port}.get(port, port)
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", number))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        config = server.folder / "config.yaml"
        with pytest.raises(AssertionError, match="the server ended"):
            server.start()
        assert server.process.returncode == 69 and config.exists()
        told = [line for line in server.log().splitlines() if str(number) in line]
        assert told and f"pid {os.getpid()}" in told[0] and purpose in told[0], server.log()


def test_two_servers_are_kept_apart():
    with Server(webrtc=PORTS) as first:
        second = Server(webrtc=PORTS)
        with pytest.raises(AssertionError, match="the server ended"):
            second.start()
        assert f"pid {first.process.pid} (avatar-streamer)" in second.log()


# The end


def test_sigterm_drains():
    with Server(webrtc=PORTS, shutdown={"drain_seconds": 30}) as server, Crowd(server.http, 1) as crowd, \
            client_of(session_of(server)) as client:
        crowd.wait_until("seeing", 1)
        client.ask({"type": "webrtc_offer", "sdp": Offer().sdp, "user_id": 1}, kind="webrtc_answer")
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: request("GET", server.http + "/health")[2]["status"] == "draining", 5, "draining")
        refused = [request("POST", server.http + "/v1/sessions", {"tutor_id": 1, "student_id": 1, "kb_id": None}),
                   request("POST", server.http + "/whep/avatar", Offer().sdp, {"Content-Type": "application/sdp"})]
        for status, headers, body in refused:
            assert status == 503 and int(headers["Retry-After"]) > 0 and "shutting down" in body["detail"]
        with Client(f"{server.ws}/ws/user_1") as late:
            assert late.closed()[0] == 1001
        assert "shutting down" in client.ask({"type": "webrtc_offer", "sdp": Offer().sdp, "user_id": 2})["content"]
        # Who is here goes on watching until the time is up.
        pictures = crowd.count("received")
        wait_until(lambda: crowd.count("received") > pictures, 10, "more packets while draining")
        assert server.process.poll() is None
        # A second signal shortens the wait.
        server.process.send_signal(signal.SIGTERM)
        assert client.closed()[0] == 1001
        assert "closed" in [message.get("state") for message in client.seen]
        assert server.process.wait(15) == 0
        wait_until(lambda: crowd.failures, 10, "the crowd's goodbye from the server")
        assert "closed by the server" in crowd.failures[0]


def test_sigterm_without_viewers_ends_at_once():
    with Server(webrtc=PORTS, shutdown={"drain_seconds": 300}) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0


def test_viewers_that_stay_are_told_when_the_time_is_up():
    with Server(webrtc=PORTS, shutdown={"drain_seconds": 1}) as server, Crowd(server.http, 2, relay=True) as crowd:
        crowd.wait_until("seeing", 2)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0
        wait_until(lambda: len(crowd.failures) >= 2, 10, "the goodbye of both viewers")
        assert all("closed by the server" in failure for failure in crowd.failures[:2])


def test_logs_keep_addresses_and_credentials_to_themselves():
    with Server(webrtc=PORTS, logging={"level": "debug"}, management={"bearer_token": "hush-hush"}) as server:
        status, _, session = request("POST", server.http + "/v1/sessions", {"tutor_id": 1, "student_id": 1},
                                     {"Authorization": "Bearer hush-hush"})
        assert status == 201
        with Crowd(server.http, 1, relay=True) as crowd, client_of(session) as client:
            crowd.wait_until("seeing", 1)
            client.ask({"type": "webrtc_offer", "sdp": Offer().sdp, "user_id": 1}, kind="webrtc_answer")
        server.stop()
        for secret in ("hush-hush", session["engine_token"], "credential=", "a=ice-pwd"):
            assert secret not in server.log(), secret
