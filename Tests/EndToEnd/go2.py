"""A simulated Go2 (Tests/Go2Simulator) at a loopback address of its own, and a server that is configured for it."""
from __future__ import annotations

import itertools
import sys

from server import ROOT, SMALL_AVATAR, Server, request, wait_until

sys.path.insert(0, str(ROOT / "Tests/Go2Simulator"))
from go2_simulator.process import SimulatorProcess  # noqa: E402 - found by the line above.

numbers = itertools.count()

STAND_UP = 1004
LOW_STATE, SPORT_STATE, POSE = "rt/lf/lowstate", "rt/lf/sportmodestate", "rt/utlidar/robot_pose"


class Go2(SimulatorProcess):
    """One simulated robot; `faults` hold from the start, options as `python -m go2_simulator --help` lists them."""

    def __init__(self, *faults: str, **options):
        options.setdefault("address", f"127.0.0.{next(numbers) % 200 + 20}")
        super().__init__(faults=list(faults), **options)

    @property
    def body(self) -> dict:
        return self.state()["body"]

    def wait_for_event(self, kind: str, after: int = 0, timeout: float = 20, **fields) -> dict:
        """The first event of that kind with those fields."""
        return self.wait_for(kind, lambda event: all(event.get(name) == value for name, value in fields.items()), after, timeout)


def server_for(*robots: Go2, settings: dict | None = None, **robot) -> Server:
    """A server that has these robots, named go2, go2-2 …; `robot` are settings of each."""
    configured = {}
    for index, one in enumerate(robots):
        name = "go2" if index == 0 else f"go2-{index + 1}"
        configured[name] = {"address": one.address, "public": "read", "drive_without_token": True} | robot
    return Server(**({"robots": configured, "avatar": SMALL_AVATAR} | (settings or {})))


def robot_of(server: Server, name: str = "go2", token: str | None = None) -> dict:
    status, _, robot = request("GET", f"{server.http}/v1/robots/{name}", headers={"Authorization": f"Bearer {token}"} if token else {})
    assert status == 200, (status, robot)
    return robot


def wait_connected(server: Server, name: str = "go2", timeout: float = 30) -> dict:
    return wait_until(lambda: (robot := robot_of(server, name))["state"] == "connected" and robot, timeout, f"{name} connected")


def ask(server: Server, method: str, path: str, body=None, token: str | None = None, name: str = "go2", **headers):
    """(status, JSON) of a request below the robot's path."""
    head = {key.replace("_", "-"): value for key, value in headers.items()}
    if token:
        head["Authorization"] = f"Bearer {token}"
    status, _, answer = request(method, f"{server.http}/v1/robots/{name}{path}", body, head)
    return status, answer
