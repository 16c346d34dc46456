"""The unmodified public client against the simulated robot: what connects it, what it shows, and what it says when it cannot."""
from __future__ import annotations

import time

import pytest
from go2_simulator.settings import DEVICE_KEY

EVERYTHING = ["video", "lowstate", "stand_up", "network", "lidar"]
GENERATIONS = {
    "plain 9991": ({"data2": 1}, None),
    "static key": ({"data2": 2}, None),
    "own key": ({"data2": 3}, DEVICE_KEY),
    "8081": ({"plain": True}, None),
    "acknowledging": ({"data2": 2, "dcep_ack": True}, None),
    "every interface": ({"data2": 2, "address": "0.0.0.0"}, None),
    "line feeds": ({"data2": 2, "http_lf": True, "decoy_candidate": True}, None),
}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_client_connects_sees_and_commands(robot, client, generation):
    settings, key = GENERATIONS[generation]
    go2 = robot(lidar_layout="both", lidar_scene="wall", **settings)
    result = client(ip="127.0.0.1", aes_key=key, steps=EVERYTHING).result()
    assert result["connected"]
    assert result["video"]["pictures"] == [[1280, 720]] * 5
    assert len(result["lowstate"]["motor_state"]) == 20
    assert result["stand_up"]["data"]["header"]["status"]["code"] == 0
    assert result["network"] == "STA-L"
    assert result["lidar"]["points"] == [1024] * 4
    go2.wait_until(lambda state: state["body"]["body_height"] == 0.326 and state["body"]["error_code"] == 1002)
    assert go2.wait_for("ended")["reason"] == "association ended by the client"
    assert go2.state()["free"]


def test_client_finds_where_the_wall_is(robot, client):
    robot(lidar_layout="b", lidar_scene="wall")
    lidar = client(ip="127.0.0.1", steps=["lidar"]).result()["lidar"]
    corner = [lidar["origin"][axis] + place * 0.05 for axis, place in enumerate((32, 64, 4))]
    assert lidar["first"] == pytest.approx(corner)


def test_client_meshes_both_layouts_with_libvoxel(robot, client):
    robot(lidar_layout="both", lidar_scene="wall")
    lidar = client(ip="127.0.0.1", decoder="libvoxel", steps=["lidar"]).result()["lidar"]
    assert min(lidar["points"]) > 0 and min(lidar["faces"]) > 0
    assert len(set(lidar["faces"])) == 1


def test_client_hears_the_robot_and_its_heartbeat_is_echoed(robot, client):
    go2 = robot()
    result = client(ip="127.0.0.1", steps=["sound", "heartbeat", "sportstate", "motion_mode"]).result()
    assert result["sound"]["format"] == [48000, 2]
    assert result["heartbeat"] is True
    assert result["sportstate"]["error_code"] == 100 and result["sportstate"]["body_height"] == 0.313
    assert "mcf" in result["motion_mode"]["data"]["data"]
    assert [event["type"] for event in go2.events("message")].count("heartbeat") >= 1


def test_client_echoes_probes(robot, client):
    go2 = robot(probe_seconds=0.2)
    holding = client(ip="127.0.0.1", steps=["hold"])
    probe = go2.wait_for("probe")
    assert probe["info"]["req_type"] == "rtt_probe_send_from_mechine" and abs(probe["age"]) < 20
    holding.release()


def test_client_gets_3203_for_a_command_of_the_other_set(robot, client):
    robot(command_set="mcf")
    result = client(ip="127.0.0.1", steps=["classic_flip"]).result()
    assert result["classic_flip"]["data"]["header"]["status"]["code"] == 3203


def test_second_client_is_rejected_while_the_first_holds_the_robot(robot, client):
    go2 = robot()
    first = client(ip="127.0.0.1", steps=["hold"])
    go2.wait_for("phase", lambda event: event["phase"] == "validated")
    assert client(ip="127.0.0.1").result()["error"] == "RobotBusyError"
    first.release()
    go2.wait_for("ended")
    assert client(ip="127.0.0.1").result().get("connected")


def test_client_is_rejected_while_the_phone_app_holds_the_robot(robot, client):
    robot(busy=True, plain=True)
    assert client(ip="127.0.0.1").result()["error"] == "RobotBusyError"


def test_slot_stays_taken_after_a_client_that_vanished(robot, client):
    go2 = robot(silence_seconds=2.0)
    first = client(ip="127.0.0.1", steps=["hold"])
    go2.wait_for("phase", lambda event: event["phase"] == "validated")
    first.kill()
    killed = time.monotonic()
    assert not go2.state()["free"]
    ended = go2.wait_for("ended")
    assert ended["reason"] == "silent for too long" and ended["monotonic"] - killed > 0.5


@pytest.mark.parametrize(("settings", "key", "error"), [
    ({"data2": 3}, None, "AesKeyRequiredError"),
    ({"data2": 3}, "ff" * 16, "AesKeyRejectedError"),
    ({"faults": ["http.refuse"]}, None, "LocalSignalingPortError"),
    ({"faults": ["http.notify_429"]}, None, "ValueError"),
    ({"faults": ["http.offer_empty"]}, None, "NoSdpAnswerError"),
    ({"faults": ["http.offer_reject"]}, None, "RobotBusyError"),
])
def test_client_says_why_it_cannot_connect(robot, client, settings, key, error):
    robot(video="none", **settings)
    assert client(ip="127.0.0.1", aes_key=key).result()["error"] == error


def test_client_without_a_robot_finds_no_port(client):
    assert client(ip="127.0.0.1").result()["error"] == "LocalSignalingPortError"


def test_client_finds_the_robot_by_its_serial_number(robot, client):
    go2 = robot(address="192.0.2.10", multicast=True, multicast_targeted=True, video="none")
    assert client(serial=go2.ready["serial"], steps=["lowstate"]).result()["connected"]
    assert go2.wait_for("discovery", lambda event: "query" in event)["query"]["sn"] == go2.ready["serial"]
