"""The projects that lie in Workers/: the default one, with and without a robot, and the examples."""
from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from conftest import PATIENCE, ROOT

DEFAULT = ROOT / "Workers/default"


class Robot:
    """What of docs/protocols/robot.md the default project asks for; each request is kept."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str | None, str | None, Any]] = []
        self.moving = threading.Event()
        self.answers: dict[str, tuple[int, Any]] = {}
        robot = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.removeprefix("/v1/robots/dog").removeprefix("/")
                robot.requests.append((self.command, path, self.headers["Authorization"], self.headers["X-Drive-Lease"],
                                       json.loads(body) if body else None))
                if path == "move":
                    robot.moving.set()
                standard: dict[tuple[str, str], tuple[int, Any]] = {
                    ("POST", "drive"): (201, {"lease_id": "l1", "expires_in_ms": 2000}), ("DELETE", "drive"): (204, None)}
                status, answer = robot.answers.get(path) or standard.get((self.command, path)) or (200, {"code": 0, "message": "done", "data": None})
                data = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        return {"AVATAR_STREAMER_ROBOT_URL": f"http://127.0.0.1:{self.server.server_port}/v1/robots/dog", "AVATAR_STREAMER_ROBOT_TOKEN": "secret",
                "http_proxy": "http://127.0.0.1:9"}

    def steps(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path, *_ in self.requests]


@pytest.fixture
def robot() -> Iterator[Robot]:
    robot = Robot()
    yield robot
    robot.server.shutdown()
    robot.server.server_close()


def test_without_a_robot_the_default_project_is_a_dry_run_and_says_so(run):
    worker = run(DEFAULT)
    assert worker.value("sport_client", "StandUp", speed=1) == {"dry_run": True, "command": "stand_up", "arguments": {}}
    assert worker.value("sport_client", "Move", vx=0.3)["arguments"] == {"x": 0.3, "y": 0.0, "yaw": 0.0, "duration_ms": 1000}
    described = next(one for one in worker.interface["objects"] if one["name"] == "sport_client")
    assert described["class"] == "DryRunSportClient"
    names = {method["name"] for method in described["methods"]}
    assert names >= {"StandUp", "StandDown", "Sit", "BalanceStand", "RecoveryStand", "Hello", "Stretch", "StopMove", "Move", "Damp", "Euler", "GetState"}
    for name in names - {"Move", "describe", "stop", "BodyHeight", "SpeedLevel"}:
        assert worker.value("sport_client", name)["dry_run"] is True
    assert worker.call("sport_client", "Move", vx="fast")["error"] == "vx is a number"
    assert worker.call("sport_client", "Move", duration=6)["error"] == "duration is 0.05 to 5 seconds"
    assert worker.stop()["errors"] == []
    assert b"DRY RUN" in worker.lines[0]


def test_orders_reach_the_robot(run, robot):
    worker = run(DEFAULT, **robot.environment)
    assert worker.stop()["errors"] == [] and robot.requests == []
    assert worker.value("sport_client", "StandUp", speed=1) == {"code": 0, "message": "done", "data": None}
    worker.value("sport_client", "Euler", roll=0.1, yaw=-0.2)
    worker.value("sport_client", "GetRobot")
    assert robot.requests == [("POST", "stand_up", "Bearer secret", None, {}),
                              ("POST", "euler", "Bearer secret", None, {"x": 0.1, "y": 0, "z": -0.2}), ("GET", "", "Bearer secret", None, None)]
    worker.stop()
    assert robot.steps()[3:] == [("POST", "stop")]


def test_a_move_has_the_seat_while_it_lasts(run, robot):
    worker = run(DEFAULT, **robot.environment)
    worker.value("sport_client", "Move", vx=0.5, vyaw=0.1, duration=0.7)
    assert robot.steps() == [("POST", "drive"), ("POST", "move"), ("PUT", "drive"), ("DELETE", "drive")]
    assert robot.requests[1][3:] == ("l1", {"x": 0.5, "y": 0.0, "yaw": 0.1, "duration_ms": 700})


def test_an_interrupt_and_a_stop_end_a_move(run, robot):
    worker = run(DEFAULT, **robot.environment)
    identifier = worker.start_call("sport_client", "Move", vx=0.5, duration=5)
    assert robot.moving.wait(PATIENCE)
    worker.interrupt(identifier)
    assert worker.receive("calls", timeout=4)["code"] == "interrupted"
    assert robot.steps()[-1] == ("DELETE", "drive")
    robot.moving.clear()
    worker.start_call("sport_client", "Move", vx=0.5, duration=5)
    assert robot.moving.wait(PATIENCE)
    assert worker.stop()["errors"] == []
    assert worker.receive("calls", timeout=4)["type"] == "result"
    assert ("POST", "stop") in robot.steps() and robot.steps().count(("DELETE", "drive")) >= 2


@pytest.mark.parametrize(("answer", "words"), [
    ((409, {"detail": "somebody else drives", "error_code": "driven_by_another"}), "somebody else drives (driven_by_another)"),
    ((500, "rubbish"), "HTTP status 500"), ((200, {"code": 3104, "message": "timed out"}), "The robot refused hello: timed out (code 3104)"),
])
def test_refusals_are_told(run, robot, answer, words):
    robot.answers["hello"] = answer
    assert run(DEFAULT, **robot.environment).call("sport_client", "Hello")["error"] == words


def test_a_robot_that_cannot_be_reached_is_told(run):
    worker = run(DEFAULT, AVATAR_STREAMER_ROBOT_URL="http://127.0.0.1:9/v1/robots/dog")
    assert "cannot be reached" in worker.call("sport_client", "Sit")["error"]
    assert "RobotRefusal: The server's robot cannot be reached" in worker.stop()["errors"][0]


def test_the_python_example_counts_and_tells(run):
    worker = run(ROOT / "Workers/examples/python")
    assert worker.value("counter", "start", count=2, seconds=0.01) == {"started": True}
    assert [worker.receive("events")["event"] for _ in range(3)] == ["count_changed", "count_changed", "task_completed"]
    worker.value("counter", "start", count=10, seconds=60)
    assert worker.stop() == {"type": "stopped", "errors": [], "threads": []}
    assert worker.receive("events")["event"] == "task_error"
    assert worker.value("counter", "value") == 2


def test_the_json_lines_example_speaks_the_protocol():
    folder = ROOT / "Workers/examples/json-lines"
    command = json.loads((folder / "project.json").read_text())["command"]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env={"PATH": os.environ["PATH"], "AVATAR_STREAMER_WORKER_TOKEN": "t"}) as process:
        def send(**message: Any) -> None:
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()

        def receive(*skip: str) -> dict[str, Any]:
            while (message := json.loads(process.stdout.readline()))["type"] in ("heartbeat", *skip):
                pass
            return message

        assert receive()["token"] == "t"
        assert [receive()["type"] for _ in range(3)] == ["loading", "ready", "log"]
        send(type="call", id="1", object="arm", method="wave", args={"times": 1})
        assert receive() == {"type": "push", "event": "waved", "data": {"number": 1}}
        assert receive() == {"type": "result", "id": "1", "value": {"waves": 1}}
        for object_, method, args, code in (("ghost", "x", {}, "unknown_object"), ("arm", "x", {}, "unknown_method"),
                                            ("arm", "wave", {"speed": 1}, "bad_arguments")):
            send(type="call", id="2", object=object_, method=method, args=args)
            assert receive()["code"] == code
        send(type="call", id="3", object="arm", method="wave", args={"times": 100})
        send(type="interrupt", id="3")
        assert receive("push")["code"] == "interrupted"
        send(type="shutdown", seconds=1)
        assert receive() == {"type": "stopped", "errors": [], "threads": []}
        assert process.wait(PATIENCE) == 0
