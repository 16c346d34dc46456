"""Modes `direct` and `all` (acceptance 3)."""
from server import Server, request


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
