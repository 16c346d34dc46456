"""Robots over HTTP and WebSocket: topics, requests, commands, the driver's lease, scopes, refusals."""
import json
import urllib.request

import pytest

from go2 import LOW_STATE, POSE, SPORT_STATE, STAND_UP, Go2, ask, server_for, wait_connected
from server import wait_until
from signaling import Client


@pytest.fixture(scope="module")
def robot():
    with Go2(video="none", command_set="classic", chunk_size=10) as one:
        yield one


@pytest.fixture(scope="module")
def server(robot):
    with server_for(robot) as one:
        wait_connected(one)
        yield one


def test_topics_are_read_with_their_age(robot, server):
    status, value = ask(server, "GET", f"/topics/{LOW_STATE}")
    assert status == 200 and value["topic"] == LOW_STATE and value["age_ms"] >= 0
    assert value["value"]["bms_state"]["soc"] == 55 and len(value["value"]["motor_state"]) == 20
    status, topics = ask(server, "GET", "/topics")
    assert status == 200 and LOW_STATE in [entry["topic"] for entry in topics["topics"]]
    status, refusal = ask(server, "GET", "/topics/rt/nothing/of/the/kind")
    assert status == 404 and refusal["error_code"] == "topic_silent"


def stream(url: str, kinds: set[str], count: int) -> list[dict]:
    """The first `count` events of these kinds of a text/event-stream."""
    found: list[dict] = []
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        for line in answer:
            if line.startswith(b"data:"):
                message = json.loads(line[5:])
                if message["type"] in kinds:
                    found.append(message)
                if len(found) >= count:
                    return found
    return found


def test_events_stream_topics_and_state(server):
    messages = stream(f"{server.http}/v1/robots/go2/events?topics={SPORT_STATE},{POSE}", {"robot_topic"}, 20)
    assert {message["topic"] for message in messages} == {SPORT_STATE, POSE}
    assert stream(f"{server.http}/v1/robots/go2/events", {"robot_state"}, 1)[0]["robot"]["state"] == "connected"
    assert len(stream(f"{server.http}/v1/robots/go2/topics/{POSE}?stream", {"robot_topic"}, 3)) == 3


def test_requests_are_answered_by_the_robot_itself(robot, server):
    status, answer = ask(server, "POST", "/requests", {"topic": "rt/api/sport/request", "api_id": STAND_UP})
    assert status == 200 and answer["code"] == 0 and answer["api_id"] == STAND_UP
    wait_until(lambda: robot.body["body_height"] > 0.3255, 10, "the robot stands")
    # The classic command set knows no MCF command: the robot says no, in words, and that is an answer.
    status, answer = ask(server, "POST", "/webrtc_req", {"topic": "rt/api/sport/request", "api_id": 2045, "parameter": '{"data":true}', "priority": 0})
    assert status == 200 and answer["code"] == 3203 and "implemented" in answer["message"]
    status, answer = ask(server, "POST", "/requests", {"topic": "rt/api/vui/request", "api_id": 1003, "parameter": {"volume": 7}})
    assert status == 200 and answer["code"] == 0
    status, answer = ask(server, "POST", "/requests", {"topic": "rt/api/vui/request", "api_id": 1004})
    assert answer["data"] == {"volume": 7}


def test_a_long_answer_comes_in_chunks_and_is_put_together(robot, server):
    # The robot sends ten characters at a time here.
    status, answer = ask(server, "POST", "/requests", {"topic": "rt/api/motion_switcher/request", "api_id": 1001})
    assert status == 200 and answer["code"] == 0 and answer["data"]["name"], answer


def test_commands_and_moving_by_http(robot, server):
    ask(server, "POST", "/stand_up")
    wait_until(lambda: robot.body["posture"] == "standing" and robot.body["body_height"] > 0.3255, 10, "the robot stands")
    before = robot.last_index()
    status, answer = ask(server, "POST", "/move", {"x": 0.3, "y": 0, "yaw": 0.2, "duration_ms": 600})
    assert status == 200 and answer["code"] == 0, answer
    moves = robot.events("motion", after=before)
    assert moves[0]["motion"] == pytest.approx([0.3, 0, 0.2]) and moves[-1]["what"] == "stop"
    assert len(moves) > 3, "the order was not repeated"
    status, answer = ask(server, "POST", "/stop")
    assert status == 200 and answer["code"] == 0


@pytest.mark.parametrize("body, code", [
    ({"x": 99, "y": 0, "yaw": 0}, "out_of_range"), ({"x": "fast"}, "invalid"), ({"x": [0]}, "invalid"),
    ({"x": 0.1, "y": 0, "yaw": 0, "duration_ms": 3_600_000}, "out_of_range"), ('{"x": NaN, "y": 0, "yaw": 0}', "invalid"), ("[", "invalid"),
    ({"x": 1e400, "y": 0, "yaw": 0}, "invalid")])
def test_speeds_out_of_range_never_reach_the_robot(robot, server, body, code):
    before = robot.last_index()
    status, refusal = ask(server, "POST", "/move", body)
    assert status == 422 and refusal["error_code"] == code, refusal
    assert not [event for event in robot.events("motion", after=before) if event["what"] == "move"]


def test_one_driver_at_a_time(robot, server):
    with Client(f"{server.ws}/ws/robot_go2") as driver, Client(f"{server.ws}/ws/robot_go2") as other:
        driver.ask(kind="drive_state", type="drive_acquire")

        def renewed():
            """The seat lasts two seconds, and this machine may be slow."""
            driver.ask(kind="drive_state", type="drive_renew")
        assert other.ask(type="drive_acquire")["error_code"] == "driven_by_another"
        renewed()
        status, refusal = ask(server, "POST", "/drive")
        assert status == 409 and refusal["error_code"] == "driven_by_another"
        renewed()
        status, refusal = ask(server, "POST", "/stand_down")
        assert status == 409 and refusal["error_code"] == "driven_by_another"
        assert ask(server, "POST", "/stop")[0] == 200, "anybody may stop it"
        assert driver.ask(kind="drive_state", type="drive_release")["holder"] == "none"
    status, lease = ask(server, "POST", "/drive")
    assert status == 201 and lease["expires_in_ms"] <= 2000
    assert ask(server, "DELETE", "/drive", X_Drive_Lease=lease["lease_id"])[0] == 204
    status, refusal = ask(server, "POST", "/move", {"x": 0.1, "y": 0, "yaw": 0}, X_Drive_Lease=lease["lease_id"])
    assert status == 409 and refusal["error_code"] == "lease_lost"


def test_a_lease_that_is_not_renewed_ends_and_stops_the_robot(robot, server):
    ask(server, "POST", "/stand_up")
    with Client(f"{server.ws}/ws/robot_go2") as client:
        assert client.ask(kind="drive_state", type="drive_acquire")["holder"] == "you"
        before = robot.last_index()
        client.say(type="drive_move", x=0.2, y=0, yaw=0)
        robot.wait_for_event("motion", what="move", after=before)
        # Nothing more is said: the order grows stale, then the lease ends.
        stop = robot.wait_for_event("motion", what="stop", after=before)
        start = robot.events("motion", after=before)[0]
        print(f"StopMove {1000 * (stop['monotonic'] - start['monotonic']):.0f} ms after the last order")
        client.hear_until(lambda message: message["type"] == "drive_state" and message["holder"] == "none")


def test_the_websocket_closed_while_moving_stops_the_robot(robot, server):
    ask(server, "POST", "/stand_up")
    with Client(f"{server.ws}/ws/robot_go2") as client:
        client.ask(kind="drive_state", type="drive_acquire")
        before = robot.last_index()
        client.say(type="drive_move", x=0.2, y=0, yaw=0)
        robot.wait_for_event("motion", what="move", after=before)
    robot.wait_for_event("motion", what="stop", after=before)
    with Client(f"{server.ws}/ws/robot_go2") as client:
        assert client.ask(kind="drive_state", type="drive_acquire")["holder"] == "you", "the seat is free at once"


def test_acrobatics_are_locked(robot, server):
    status, refusal = ask(server, "POST", "/front_flip")
    assert status == 403 and refusal["error_code"] == "acrobatics"
    status, refusal = ask(server, "POST", "/requests", {"topic": "rt/api/sport/request", "api_id": 1030})
    assert status == 403 and refusal["error_code"] == "acrobatics", "the way around is closed as well"


def test_an_unanswered_request_ends_in_time(robot, server):
    robot.fault("requests.silent")
    try:
        status, refusal = ask(server, "POST", "/requests", {"topic": "rt/api/vui/request", "api_id": 1004, "timeout_ms": 300})
        assert status == 504 and refusal["error_code"] == "timed_out"
    finally:
        robot.clear_faults()
