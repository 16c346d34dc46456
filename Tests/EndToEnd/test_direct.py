"""Modes `direct` and `all` (acceptance 3)."""
import pytest

from crowd import Crowd
from server import Server, request, wait_until


def test_direct_viewers_share_one_port(viewers):
    with Server(connectivity="direct") as server:
        config = request("GET", server.http + "/api/webrtc/config")[2]
        assert config["iceTransportPolicy"] == "all"
        assert not any("turn:" in url for entry in config["iceServers"] for url in entry["urls"])
        page = viewers(server)
        indices = [page.connect() for _ in range(3)]
        for index in indices:
            page.wait_for_picture(index)
        ports = {page.report(index)["pair"]["remote"]["port"] for index in indices}
        assert len(ports) == 1 and 10110 <= ports.pop() <= 10115


def test_mode_all_offers_both_ways(viewers):
    with Server(connectivity="all") as server:
        page = viewers(server)
        free = page.connect()
        relayed = page.connect(policy="relay")
        for index in (free, relayed):
            page.wait_for_picture(index)
        kinds = {candidate.split(" typ ")[1].split()[0] for candidate in page.report(free)["serverCandidates"]}
        assert kinds == {"relay", "host"}
        assert page.report(relayed)["pair"]["local"]["type"] == "relay"
        assert page.report(free)["pair"]["local"]["type"] != "relay"


@pytest.mark.parametrize("relay", [False, True], ids=["direct", "relayed"])
def test_fifty_viewers_share_one_port(relay):
    with Server(connectivity="relay" if relay else "direct") as server, Crowd(server.http, 50, relay=relay) as crowd:
        crowd.wait_until("seeing", 50, timeout=60)
        received = crowd.count("received")
        wait_until(lambda: crowd.count("received") > received + 50 * 60, 30, "60 more packets for each viewer")
        assert crowd.failures == []
        assert server.metric("avatar_viewers") == 50
        assert len(crowd.figures["ports"].split(",")) == 1 and 10110 <= crowd.count("ports") <= 10115
        if relay:
            wait_until(lambda: server.metric("avatar_relay_allocations") == 50, 5, "fifty allocations")
        crowd.stop()
        wait_until(lambda: server.metric("avatar_viewers") == 0, 40, "the viewers' end")
