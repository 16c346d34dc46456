"""DDS domains that lack a robot, and the ROS 2 side of a robot over WebRTC. Everything stays on loopback."""
import json
import subprocess
import sys
from pathlib import Path

import pytest

from go2 import STAND_UP, Go2, robot_of, wait_connected
from server import BINARY, Server, wait_until
from wired_go2 import JointState, Node, Odometry, Text, WebRtcReq, domains, newest, wired_server, write_until


def test_an_empty_domain_is_told_from_one_without_the_robot():
    domain = next(domains)
    with wired_server(domain) as server:
        wait_until(lambda: "no_participant" in json.dumps(robot_of(server)), 15, "nobody there")
        stranger = Node(domain)
        stranger.reader("rt/chatter", Text)
        wait_until(lambda: "no_robot" in json.dumps(robot_of(server)), 15, "somebody else there")
        parts = [part for part in server.health()["degraded"] if "go2" in json.dumps(part)]
        assert parts and "docs/go2-dds.md" in json.dumps(parts) or "ros2 topic list" in json.dumps(parts), parts


def test_a_robot_over_webrtc_has_its_ros_side_too():
    domain = next(domains)
    with Go2(video="none") as robot, Server(robots={"go2": {
            "address": robot.address, "public": "read", "ros2": {"enabled": True, "domain": domain}}}) as server:
        wait_connected(server)
        node = Node(domain)
        odometry = newest(node.reader("rt/odom", Odometry))
        assert odometry.child_frame_id == "base_link"
        joints = newest(node.reader("rt/joint_states", JointState))
        assert len(joints.position) == 12 and joints.velocity == []
        write_until(node.writer("rt/webrtc_req", WebRtcReq), WebRtcReq("rt/api/sport/request", STAND_UP, "", 0),
                    lambda: robot.body["body_height"] > 0.32, "a raised body", every=1)


def test_a_configuration_that_cannot_work_is_refused():
    server = Server(robots={"go2": {"connection": "cyclonedds"}})
    with pytest.raises(AssertionError, match="robots.go2.interface"):
        server.start()


NAMESPACE = r"""
ip link set lo up
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
for n in 0 1; do
    ip link add d$n type veth peer name p$n && ip addr add 192.168.$((123 + n)).222/24 dev d$n && ip link set d$n up && ip link set p$n up
done
"$0" serve --config "$1" >"$2" 2>&1 &
for wait in $(seq 300); do grep -q no_participant "$2" && break; sleep 0.1; done
kill $! && wait $!
for n in 0 1; do echo d$n $(awk -v name=d$n: '$1 == name { print $11 }' /proc/net/dev); done
"""


def test_nothing_leaves_by_another_interface_than_the_configured():
    server = Server(robots={"go2": {"connection": "cyclonedds", "interface": "d0", "watch_seconds": 5, "ros2": {"enabled": True}}})
    config, log = server.folder / "config.yaml", server.folder / "server.log"
    config.write_text(json.dumps(server.settings))
    done = subprocess.run(["unshare", "-rn", "sh", "-c", NAMESPACE, str(BINARY), str(config), str(log)], capture_output=True, text=True, timeout=60)
    sent = {name: int(count) for name, count in (line.split() for line in done.stdout.splitlines())}
    assert sent["d0"] > 2, (sent, done.stderr, server.log())
    assert sent["d1"] == 0, sent
    assert '"code":"no_participant"' in server.log()


CROWD = """
import json, os, resource, socket, subprocess
from go2 import robot_of
from server import Server, wait_until

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
def says(text, server):
    wait_until(lambda: text in json.dumps(robot_of(server)), 20, text)
def plug():
    for command in ("link add d0 type veth peer name p0", "addr add 192.168.123.222/24 dev d0", "link set d0 up", "link set p0 up"):
        subprocess.run(["ip", *command.split()], check=True)
def server():
    return Server(robots={"go2": {"connection": "cyclonedds", "interface": "d0", "public": "read", "watch_seconds": 5}})
"""

LATE = CROWD + """
with server() as one:
    says('"interface"', one)
    # No address may have more than 512 at one port.
    crowd = [socket.create_connection(("127.0.0.1", port), source_address=(f"127.0.0.{2 + number % 2}", 0))
             for port in (one.http_port, one.ws_port) for number in range(600)]
    wait_until(lambda: one.figures()["fds"] > 1200, 20, "viewers")
    plug()
    says("takes part in domain", one)
    says("no_participant", one)
"""

NONE_LEFT = CROWD + """
plug()
for number in range(1100):
    os.set_inheritable(os.open("/dev/null", os.O_RDONLY), True)
usual = subprocess.Popen
subprocess.Popen = lambda *arguments, **options: usual(*arguments, close_fds=False, **options)
with server() as one:
    says('"descriptors"', one)
    assert one.health()["status"] == "degraded"
    says("below 1024", one)
"""


@pytest.mark.parametrize("script", [LATE, NONE_LEFT], ids=["plugged-in-late", "none-left"])
def test_the_library_never_gets_descriptors_that_select_cannot_watch(script):
    done = subprocess.run(["unshare", "-rn", sys.executable, "-c", script], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
