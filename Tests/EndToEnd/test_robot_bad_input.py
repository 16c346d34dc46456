"""A robot that misbehaves while it is connected, and clients that do: nothing breaks, all is counted, the robot is stopped where in doubt."""
import base64
import json

import pytest

from go2 import LOW_STATE, SPORT_STATE, Go2, ask, robot_of, server_for, wait_connected
from server import wait_until
from signaling import Client

RUBBISH = [
    "", "null", "[]", "{", '"text"', "{}", '{"type": 7}', '{"type": "msg"}', '{"type": "msg", "topic": 7, "data": {}}', '{"type": "res", "data": "no object"}',
    '{"type": "res", "topic": "rt/api/sport/response", "data": {"header": {"identity": {"id": 1e999}}}}', "[" * 5000, '{"a":' * 3000,
    '{"type": "validation", "data": 5}', '{"type": "errors", "data": [[1, 2], "x", null, [1e99, -5, 7]]}', '{"type": "rtc_inner_req", "info": []}',
    json.dumps({"type": "msg", "topic": "x" * 70_000, "data": {}}), json.dumps({"type": "msg", "topic": LOW_STATE, "data": "y" * 200_000}),
    json.dumps({"type": "res", "data": {"content_info": {"enable_chunking": True, "chunk_index": -1, "total_chunk_num": 2**40}, "data": "z"}}), "\x00\x01", "💥" * 1000,
]
BINARY = [b"", b"\x00", b"\x02\x00\x00\x00", b"\xff\xff\x00\x00{}", b"\x02\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00{}",
          (50).to_bytes(2, "little") + b"\0\0" + json.dumps({"type": "msg", "topic": "rt/utlidar/voxel_map_compressed", "data": {"src_size": 10**9}}).encode(),
          b"\xaa" * 50_000]


@pytest.fixture
def pair():
    with Go2(video="none") as robot, server_for(robot) as server:
        wait_connected(server)
        yield robot, server


def test_rubbish_from_the_robot_is_counted_and_survived(pair):
    robot, server = pair
    before = server.log().count("error")
    for text in RUBBISH:
        robot.act("send", message=text)
    for data in BINARY:
        robot.act("send_binary", base64=base64.b64encode(data).decode())
    status, answer = ask(server, "POST", "/stand_up")
    assert status == 200 and answer["code"] == 0, "the robot is still there"
    assert robot.state()["connections"] == 1, "it was not connected anew"
    assert sum(float(line.rsplit(" ", 1)[1]) for line in metrics(server) if line.startswith("avatar_robot_messages_refused_total")) >= 10
    assert server.log().count("error") - before < 5, "each bad message is not a line of the log"


def metrics(server) -> list[str]:
    from server import request
    return request("GET", server.http + "/metrics")[2].splitlines()


def test_ten_times_the_data_is_survived(pair):
    robot, server = pair
    robot.set(rate_scale=10.0)
    with Client(f"{server.ws}/ws/robot_go2") as client:
        client.ask(kind="robot_subscribed", type="robot_subscribe", topics=[LOW_STATE, SPORT_STATE, "rt/utlidar/robot_pose"])
        for _ in range(200):
            client.hear("robot_topic")
        assert client.ask(kind="robot_response", type="robot_command", request_id="up", command="stand_up")["code"] == 0


@pytest.mark.parametrize("what", ["vanish", "abort", "disconnect"])
def test_a_robot_that_goes_away_comes_back(pair, what):
    robot, server = pair
    robot.act(what)
    wait_until(lambda: robot_of(server)["state"] != "connected", 60, "the loss is noticed")
    wait_until(lambda: robot_of(server)["state"] == "connected", 90, "it is connected again")
    assert ask(server, "GET", f"/topics/{LOW_STATE}")[0] == 200


def test_a_robot_that_falls_silent_is_lost_and_found(pair):
    robot, server = pair
    robot.fault("network.silent", 1)
    wait_until(lambda: robot_of(server)["state"] != "connected", 60, "the silence is noticed")
    robot.clear_faults()
    robot.act("vanish")
    wait_until(lambda: robot_of(server)["state"] == "connected", 90, "it is connected again")


def test_the_robot_is_stopped_when_the_server_ends():
    with Go2(video="none", move_watchdog_ms=0) as robot, server_for(robot) as server:
        wait_connected(server)
        ask(server, "POST", "/stand_up")
        with Client(f"{server.ws}/ws/robot_go2") as client:
            client.ask(kind="drive_state", type="drive_acquire")
            before = robot.last_index()
            client.say(type="drive_move", x=0.2, y=0, yaw=0)
            robot.wait_for_event("motion", what="move", after=before)
            assert server.stop() == 0
        robot.wait_for_event("motion", what="stop", after=before)
        robot.wait_for_event("ended", after=before)
        assert robot.state()["free"], "the robot's only slot is free"


@pytest.mark.parametrize("message", [
    {"type": "robot_subscribe"}, {"type": "robot_subscribe", "topics": "rt/x"}, {"type": "robot_subscribe", "topics": [7]},
    {"type": "robot_subscribe", "topics": [f"rt/topic{number}" for number in range(65)]}, {"type": "robot_subscribe", "topics": ["x" * 10_000]},
    {"type": "robot_request", "topic": "rt/api/sport/request"}, {"type": "robot_request", "topic": 5, "api_id": 1004},
    {"type": "robot_request", "topic": "rt/api/sport/request", "api_id": 2**40}, {"type": "robot_request", "topic": "../../etc", "api_id": 1},
    {"type": "robot_command"}, {"type": "robot_command", "command": "rm -rf"}, {"type": "robot_command", "command": "stand_up", "arguments": []},
    {"type": "drive_move", "x": "1", "y": 0, "yaw": 0}, {"type": "drive_move", "x": 1e308, "y": 0, "yaw": 0}, {"type": "drive_move"},
    {"type": "robot_publish", "topic": "rt/x", "data": "y" * 40_000}, {"type": "robot_nonsense"}])
def test_bad_messages_of_a_client_are_refused_in_words(shared, message):
    robot, server = shared
    with Client(f"{server.ws}/ws/robot_go2") as client:
        refusal = client.ask(message | {"request_id": "r1"})
        assert refusal["content"]
        client.ask(kind="pong", type="ping")


@pytest.fixture(scope="module")
def shared():
    with Go2(video="none") as robot, server_for(robot) as server:
        wait_connected(server)
        yield robot, server
