"""Robots that are looked for: `avatar-streamer go2 discover`, and a server whose robot is configured by its serial number.

The search sends to a multicast group on every interface, so these tests have a network of their own: no other robot hears them.
"""
from __future__ import annotations

import ctypes
import json
import os
import subprocess

import pytest

from go2 import Go2, robot_of, wait_connected
from server import BINARY, Server, wait_until

CLONE_NEWNET = 0x40000000
ADDRESS, OTHER_ADDRESS = "192.0.2.10", "192.0.2.11"
SERIAL = "B42D2000P5SIM042"


@pytest.fixture(scope="module", autouse=True)
def network():
    """Moves this thread, and so the processes it starts, into a network with one interface, and back at the end."""
    libc = ctypes.CDLL(None)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if libc.unshare(CLONE_NEWNET) != 0:
        os.close(home)
        pytest.skip("no network namespace can be made: run as root")
    try:
        for command in ("link set lo up", "link add robot0 type veth peer name robot1", f"addr add {ADDRESS}/24 dev robot0",
                        f"addr add {OTHER_ADDRESS}/24 dev robot0", "link set robot0 up", "link set robot1 up", "route add default via 192.0.2.1 dev robot0"):
            subprocess.run(["ip", *command.split()], check=True)
        yield
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(home)


def robot(**options) -> Go2:
    return Go2(address=ADDRESS, serial=SERIAL, multicast=True, video="none", **options)


def discover(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([str(BINARY), "go2", "discover", *arguments], capture_output=True, text=True, timeout=60)


def server(serial: str = SERIAL) -> Server:
    return Server(webrtc={"public_ip": ADDRESS, "bind_address": ADDRESS},
                  robots={"go2": {"serial_number": serial, "public": "read", "drive_without_token": True}})


def discovery_phase(found: dict) -> dict:
    return next(phase for phase in found["phases"] if phase["phase"] == "discovery")


def test_discover_lists_the_robot():
    with robot() as one:
        found = discover("--timeout", "2")
        assert found.returncode == 0, found.stderr
        assert found.stdout.split() == [ADDRESS, SERIAL]
        assert one.events("discovery")[-1]["sender"] == ADDRESS
        found = discover("--timeout", "2", "--json")
        assert json.loads(found.stdout) == {"robots": [{"ip": ADDRESS, "serial_number": SERIAL}]}
        found = discover("--timeout", "2", "--interface", "robot0")
        assert found.stdout.split() == [ADDRESS, SERIAL]


def test_discover_says_that_nobody_answers():
    found = discover("--timeout", "1")
    assert found.returncode == 1 and found.stdout == ""
    assert "no robot answered" in found.stderr


@pytest.mark.parametrize("targeted", [False, True])
def test_a_robot_is_found_by_its_serial_number(targeted):
    with robot(multicast_targeted=targeted) as one, server() as running:
        phase = discovery_phase(wait_connected(running))
        assert phase["outcome"] == "succeeded" and phase["duration_ms"] is not None
        assert any(ADDRESS in line for line in phase["evidence"]), phase
        assert one.state()["connections"] == 1


def test_a_robot_with_another_address_is_found_again():
    with robot() as one, server() as running:
        wait_connected(running)
        one.act("reboot", seconds=1, address=OTHER_ADDRESS)
        wait_until(lambda: robot_of(running)["state"] != "connected", 60, "the loss is noticed")
        found = wait_connected(running, timeout=90)
        assert any(OTHER_ADDRESS in line for line in discovery_phase(found)["evidence"]), found["phases"]


def test_another_robot_is_not_taken_for_the_one_that_is_wanted():
    with robot() as one, server("B42D2000P5SIM043") as running:
        failure = wait_until(lambda: robot_of(running)["failure"], 40, "the search fails")
        assert failure["phase"] == "discovery" and failure["code"] == "not_found", failure
        assert not one.events("offer")
