"""Reach through six UDP ports: the embedded relay, coturn, TCP, a tunnel, and hostile candidates (acceptance 2)."""
import contextlib

import pytest

from server import Coturn, Server, Tunnel, request, wait_until

HOSTILE = (
    [f"candidate:1 1 udp 2122260223 {address} typ host" for address in (
        "0.0.0.0 9", "255.255.255.255 5000", "224.0.0.1 5000", "10.255.255.1 5000", "192.168.77.77 5000", "8.8.8.8 0",
        "203.0.113.9 5000", "240.0.0.1 5000", "169.254.1.1 80", "127.0.0.1 0")]
    + [f"candidate:2 1 udp 1686052607 198.51.{n // 250}.{n % 250} 5000 typ srflx raddr 0.0.0.0 rport 0" for n in range(1000)]
    + [f"candidate:3 1 udp 41885439 10.{n // 250}.{n % 250}.1 6000 typ relay raddr 0.0.0.0 rport 0" for n in range(1000)]
    + ["candidate:4 1 udp 1 not-an-address 1 typ host", "candidate:", "x" * 5000, "candidate:5 1 tcp 1 127.0.0.1 9 typ host tcptype active"]
)


@contextlib.contextmanager
def relayed(kind: str, **settings):
    """A server in relay mode with either relay."""
    if kind == "embedded":
        with Server(connectivity="relay", **settings) as server:
            yield server, None
    else:
        with Coturn() as coturn:
            merged = {**coturn.settings, **settings, "connectivity": "relay"}
            with Server(**merged) as server:
                yield server, coturn


def port_of(candidate: str) -> int:
    return int(candidate.split()[5])


def allocations(coturn: Coturn) -> int:
    return coturn.log().count("ALLOCATE processed, success")


@pytest.mark.parametrize("kind", ["embedded", "coturn"])
def test_four_relay_only_viewers_at_once(viewers, kind):
    with relayed(kind) as (server, coturn):
        config = request("GET", server.http + "/api/webrtc/config")[2]
        assert config["iceTransportPolicy"] == "relay"
        page = viewers(server)
        indices = [page.connect(policy="relay") for _ in range(4)]
        for index in indices:
            page.wait_for_picture(index)
        reports = [page.report(index) for index in indices]
        for report in reports:
            assert report["pair"]["local"]["type"] == "relay"
            assert report["pair"]["local"]["url"].startswith("turn:127.0.0.1:10110")
            assert report["serverCandidates"], "the server sent no candidate"
            for candidate in report["serverCandidates"]:
                assert " typ relay" in candidate and 10110 <= port_of(candidate) <= 10115, candidate
            assert "typ host" not in report["answer"] and "typ srflx" not in report["answer"]
        assert len({(report["pair"]["local"]["address"], report["pair"]["local"]["port"]) for report in reports}) == 4
        assert len({report["pair"]["remote"]["port"] for report in reports}) == 1
        if coturn:
            assert allocations(coturn) == 4 + 1, "one for each viewer's browser, one for the server"
        else:
            assert server.metric("avatar_viewers") == 4


@pytest.mark.parametrize("kind", ["embedded", "coturn"])
def test_turn_over_tcp(viewers, kind):
    with relayed(kind) as (server, _):
        page = viewers(server)
        index = page.connect(policy="relay", tcp=True)
        page.wait_for_picture(index)
        page.wait_for_frames(index, 30)
        pair = page.report(index)["pair"]
        assert pair["local"]["type"] == "relay" and pair["local"]["relay"] == "tcp"


@pytest.mark.parametrize("kind", ["embedded", "coturn"])
def test_a_viewer_that_is_not_relay_only_reaches_the_same_candidate_directly(viewers, kind):
    with relayed(kind) as (server, _):
        page = viewers(server)
        index = page.connect(policy="all", servers=[])
        page.wait_for_picture(index)
        report = page.report(index)
        assert report["pair"]["local"]["type"] in ("host", "prflx", "srflx")
        assert all(" typ relay" in candidate for candidate in report["serverCandidates"])


@pytest.mark.parametrize("kind", ["embedded", "coturn"])
def test_viewers_behind_a_tunnel_share_one_source_address(viewers, kind):
    with contextlib.ExitStack() as stack:
        if kind == "embedded":
            settings = {"webrtc": {"public_ip": "127.0.0.2", "bind_address": "127.0.0.1"}}
        else:
            settings = stack.enter_context(Coturn(public="127.0.0.2")).settings
        server = Server(connectivity="relay", **settings)
        server.settings["signaling"]["public_url"] = server.ws
        stack.enter_context(server)
        stack.enter_context(Tunnel("127.0.0.2", "127.0.0.1", range(10110, 10116)))
        page = viewers(server)
        # coturn has five ports: the server's one, and four viewers'.
        indices = [page.connect(policy="relay") for _ in range(4)]
        for index in indices:
            page.wait_for_picture(index)
            report = page.report(index)
            assert report["pair"]["local"]["url"].startswith("turn:127.0.0.2:10110")
            assert report["pair"]["remote"]["address"] == "127.0.0.2"
        direct = page.connect(policy="all", servers=[])
        page.wait_for_picture(direct)


@pytest.mark.parametrize("kind", ["embedded", "coturn"])
def test_hostile_candidates_of_one_viewer_harm_no_other(viewers, kind):
    with relayed(kind) as (server, coturn):
        page = viewers(server)
        honest = page.connect(policy="relay")
        page.wait_for_picture(honest)
        hostile = page.connect(policy="relay", hostileCandidates=HOSTILE)
        page.wait_for_frames(honest, 60)
        later = page.connect(policy="relay")
        page.wait_for_picture(later)
        report = page.report(honest)
        assert report["connectionState"] == "connected" and report["states"].count("connected") == 1
        # The hostile viewer is refused what it asks for, and may watch all the same if its connection is still open.
        assert page.report(hostile)["connectionState"] in ("connected", "connecting", "new", "failed")
        assert server.metric("avatar_relay_lost_total") == 0
        if coturn:
            assert allocations(coturn) == 3 + 1


def test_viewers_are_back_after_coturn_was_killed(viewers):
    with Coturn() as coturn, Server(**coturn.settings, connectivity="relay") as server:
        page = viewers(server)
        page.wait_for_picture(page.connect(policy="relay"))
        coturn.kill()
        coturn.start()
        wait_until(lambda: server.health()["status"] == "healthy", 30, "the relay's recovery")
        page.wait_for_picture(page.connect(policy="relay"))


@pytest.mark.parametrize("kind", ["embedded", "coturn"])
def test_a_killed_server_wins_its_ports_back_at_once(viewers, kind):
    with relayed(kind) as (server, coturn):
        page = viewers(server)
        page.wait_for_picture(page.connect(policy="relay"))
        server.kill()
        server.start()
        page.wait_for_picture(page.connect(policy="relay"))
        if coturn:
            assert "508" not in coturn.log()
