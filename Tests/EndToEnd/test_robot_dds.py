"""Robots over DDS and ROS 2's topics, against another version of the library. Everything stays on loopback."""
import json
import time

import pytest

from go2 import LOW_STATE, POSE, SPORT_STATE, STAND_UP, ask, robot_of, wait_connected
from server import wait_until
from wired_go2 import (BEST_EFFORT, Imu, JointState, Node, Odometry, Text, Twist, Vector3, WebRtcReq, WiredGo2, domains, newest,
                       wired_server, write_until)

STOP_MOVE, MOVE, HELLO = 1003, 1008, 1016


@pytest.fixture(scope="module")
def domain():
    return next(domains)


@pytest.fixture(scope="module")
def robot(domain):
    with WiredGo2(domain) as one:
        yield one


@pytest.fixture(scope="module")
def server(domain, robot):
    with wired_server(domain, enabled=True, namespace="robot0") as one:
        wait_connected(one)
        yield one


@pytest.fixture(scope="module")
def node(domain, server):
    return Node(domain)


def test_the_phases_are_told_honestly(server):
    status = robot_of(server)
    assert status["connection"] == "cyclonedds"
    phases = {phase["phase"]: phase for phase in status["phases"]}
    assert phases["discovery"]["outcome"] == "succeeded", phases
    assert all(phases[name]["outcome"] == "skipped" for name in ("signaling", "ice", "dtls", "sctp", "validation", "media")), phases
    assert "neither camera nor sound" in phases["media"]["evidence"][0]


def test_topics_have_the_shape_that_they_have_over_webrtc(server):
    def value(topic):
        status, answer = ask(server, "GET", f"/topics/{topic}")
        return status == 200 and answer["value"]
    low = wait_until(lambda: value(LOW_STATE), 10, LOW_STATE)
    assert low["bms_state"]["soc"] == 55 and low["bms_state"]["current"] == -2481 and low["bms_state"]["bq_ntc"] == [30, 29]
    assert len(low["motor_state"]) == 20 and low["motor_state"][3]["q"] == pytest.approx(0.3)
    assert low["motor_state"][0]["reserve"] == [0, 674] and low["foot_force"] == [97, 84, 81, 81]
    assert low["power_v"] == pytest.approx(28.331045) and low["temperature_ntc1"] == 48
    sport = wait_until(lambda: value(SPORT_STATE), 10, SPORT_STATE)
    assert sport["imu_state"]["quaternion"] == [1, 0, 0, 0] and sport["position"] == pytest.approx([1, 2, 0.3])
    pose = wait_until(lambda: value(POSE), 10, POSE)
    assert pose["header"]["frame_id"] == "odom" and pose["pose"]["orientation"] == {"x": 0, "y": 0, "z": 0, "w": 1}


def test_requests_are_answered_by_the_robot(robot, server):
    assert robot.body_height == pytest.approx(0.313)
    status, answer = ask(server, "POST", "/requests", {"topic": "rt/api/sport/request", "api_id": STAND_UP, "parameter": ""})
    assert status == 200 and answer["code"] == 0, answer
    wait_until(lambda: robot_of(server)["sport"]["body_height"] == pytest.approx(0.326), 5, "a raised body")
    _, refused = ask(server, "POST", "/requests", {"topic": "rt/api/sport/request", "api_id": 1009, "parameter": ""})
    assert refused["code"] == 3203, refused


def test_ros_nodes_see_the_robot(server, node):
    joints = newest(node.reader("rt/robot0/joint_states", JointState))
    assert joints.name[:4] == ["FL_hip_joint", "FL_thigh_joint", "FL_calf_joint", "FR_hip_joint"]
    assert joints.position == pytest.approx([0.3, 0.4, 0.5, 0, 0.1, 0.2, 0.9, 1.0, 1.1, 0.6, 0.7, 0.8])
    assert joints.velocity == pytest.approx([0.5] * 12) and joints.effort == pytest.approx([0.25] * 12)
    assert joints.header.stamp.sec == pytest.approx(time.time(), abs=60)
    imu = newest(node.reader("rt/robot0/imu", Imu))
    assert imu.orientation.w == 1 and imu.linear_acceleration.z == pytest.approx(9.81) and imu.header.frame_id == "robot0/imu"
    odometry = newest(node.reader("rt/robot0/odom", Odometry, BEST_EFFORT))
    assert odometry.pose.pose.position.y == 2 and odometry.child_frame_id == "robot0/base_link"
    assert odometry.twist.twist.linear.x == pytest.approx(0.1) and odometry.twist.twist.angular.z == pytest.approx(0.2)
    status = json.loads(newest(node.reader("rt/robot0/go2_driver_status", Text)).data)
    assert status["ready"] is True and status["battery_percent"] == 55 and status["connection"] == "cyclonedds"


def test_a_ros_node_asks_by_webrtc_req(robot, node):
    writer = node.writer("rt/robot0/webrtc_req", WebRtcReq)
    write_until(writer, WebRtcReq("rt/api/sport/request", HELLO, "", 0), lambda: robot.times_of(HELLO), "Hello")
    reader = node.reader("rt/robot0/go2_driver_status", Text)
    said = wait_until(lambda: next((status for sample in reader.take(10) if hasattr(sample, "data")
                                    and (status := json.loads(sample.data))["last_request"]), None), 5, "the answer")
    assert said["last_request"] == {"topic": "rt/api/sport/request", "api_id": HELLO, "code": 0, "data": ""}


def test_a_ros_node_drives_by_the_seat_and_its_silence_stops_the_robot(robot, server, node):
    writer = node.writer("rt/robot0/cmd_vel_out", Twist)
    twist = Twist(Vector3(0.3, 0.0, 0.0), Vector3(0.0, 0.0, 0.2))
    write_until(writer, twist, lambda: robot.times_of(MOVE), "Move")
    last = time.monotonic()
    stopped = wait_until(lambda: [at for at in robot.times_of(STOP_MOVE) if at > last], 3, "StopMove")
    assert stopped[0] - last < 1.2
    wait_until(lambda: time.monotonic() - robot.times_of(STOP_MOVE)[-1] > 0.5, 5, "the robot's rest")
    before, moves = len(robot.times_of(STOP_MOVE)), len(robot.times_of(MOVE))
    write_until(writer, twist, lambda: len(robot.times_of(MOVE)) > moves, "Move again")
    began = time.monotonic()
    writer.write(Twist(Vector3(0.0, 0.0, 0.0), Vector3(0.0, 0.0, 0.0)))
    wait_until(lambda: len(robot.times_of(STOP_MOVE)) > before, 3, "StopMove at zero")
    assert robot.times_of(STOP_MOVE)[before] - began < 0.45


def test_hostile_samples_are_refused_or_shown_as_null(robot, server, node):
    robot.broken_numbers = True
    wait_until(lambda: ask(server, "GET", f"/topics/{LOW_STATE}")[1]["value"]["imu_state"]["rpy"][2] is None, 5, "null")
    robot.broken_numbers = False
    flood = node.writer("rt/robot0/webrtc_req", WebRtcReq)
    for index in range(50):
        flood.write(WebRtcReq("x" * 60_000, 65_535, "\x01" * 100_000, 255))
        flood.write(WebRtcReq("rt/api/sport/request", 0, "{" * 5_000, index))
    steer = node.writer("rt/robot0/cmd_vel_out", Twist)
    for value in (float("nan"), float("inf"), float("-inf")):
        steer.write(Twist(Vector3(value, value, value), Vector3(value, value, value)))
    # What was asked before is still answered.
    status, answer = ask(server, "POST", "/requests", {"topic": "rt/api/sport/request", "api_id": STAND_UP, "parameter": ""})
    assert status == 200 and answer["code"] == 0, answer


def test_a_robot_whose_samples_stop_is_lost_and_comes_back(robot, server):
    robot.fall_silent()
    lost = wait_until(lambda: (one := robot_of(server))["state"] != "connected" and one, 10, "the loss")
    assert "no sample" in json.dumps(lost), lost
    robot.fall_silent(False)
    wait_connected(server)
