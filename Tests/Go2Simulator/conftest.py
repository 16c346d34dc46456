"""Fixtures: a network namespace of the test run's own, simulated robots in it, and the unmodified public client against them.

The client's ports (9991 and 8081) are literals of it, and it offers no loopback address. So the whole run moves into a new network namespace with
one veth interface (192.0.2.10). That needs root, or a kernel that lets users make namespaces; without either the tests are skipped.
"""
from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
CLIENT_PYTHON = HERE.parent.parent / ".venv-unitree/bin/python"
ADDRESS = "192.0.2.10"
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000

from go2_simulator.process import SimulatorProcess  # noqa: E402 - the path above is needed first


IS_ROOT = os.getuid() == 0


def _new_user_namespace() -> bool:
    """For users who are not root; possible only while the process has one thread, so before the tests import numpy."""
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return False
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    return True


MOVED = False if IS_ROOT else _new_user_namespace()


@pytest.fixture(scope="session", autouse=True)
def network() -> Iterator[None]:
    """Moves this process, and so everything it starts, into a network of its own; root is moved back at the end."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    if not MOVED and not (IS_ROOT and ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0):
        pytest.skip("no network namespace can be made: run as root")
    for command in ("link set lo up", "link add robot0 type veth peer name robot1", f"addr add {ADDRESS}/24 dev robot0", "link set robot0 up",
                    "link set robot1 up", "route add default via 192.0.2.1 dev robot0"):
        subprocess.run(["ip", *command.split()], check=True)
    yield
    if IS_ROOT:
        ctypes.CDLL(None).setns(home, CLONE_NEWNET)
    os.close(home)


@pytest.fixture
def robot() -> Iterator[Callable[..., SimulatorProcess]]:
    """Starts simulated robots, with a short video loop unless told otherwise, and ends them."""
    started: list[SimulatorProcess] = []

    def start(faults: list[str] | None = None, **settings: Any) -> SimulatorProcess:
        started.append(SimulatorProcess(faults, **{"video_seconds": 2, **settings}))
        return started[-1]

    yield start
    for one in started:
        one.close()


class PublicClient:
    """The public client in a process of its own environment. `result` waits for its end; `release` ends a client that holds its connection."""

    def __init__(self, **task: Any) -> None:
        self._process = subprocess.Popen([str(CLIENT_PYTHON), str(HERE / "public_client.py"), json.dumps(task)], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def result(self, timeout: float = 60) -> dict[str, Any]:
        """What it told when it was done."""
        out, err = self._process.communicate(timeout=timeout)
        lines = [line for line in out.splitlines() if line.startswith("RESULT ")]
        assert lines, f"the client told nothing:\n{out[-3000:]}\n{err[-3000:]}"
        return json.loads(lines[-1].removeprefix("RESULT "))

    def release(self) -> dict[str, Any]:
        """Lets a holding client disconnect in good order."""
        return self.result()

    def kill(self) -> None:
        """The client is gone without a goodbye."""
        self._process.kill()
        self._process.communicate()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None


@pytest.fixture
def client() -> Iterator[Callable[..., PublicClient]]:
    """Starts public clients and ends those that still run."""
    if not CLIENT_PYTHON.exists():
        pytest.fail(f"{CLIENT_PYTHON} is missing: run scripts/setup test")
    started: list[PublicClient] = []

    def start(**task: Any) -> PublicClient:
        started.append(PublicClient(**task))
        return started[-1]

    yield start
    for one in started:
        if one.running:
            one.kill()
