"""The figures of the robot's bridge, measured: measure_robot.py connect|latency|return|stop|many [--count N]."""
from __future__ import annotations

import argparse
import asyncio
import statistics
import time

from go2 import LOW_STATE, Go2, ask, robot_of, server_for, wait_connected
from go2_simulator.pictures import read_counter
from server import wait_until
from signaling import Client
from talker import run
from test_robot_viewers import RobotViewer

GENERATIONS = {"9991 data2=1": {"data2": 1}, "9991 data2=2": {"data2": 2}, "9991 data2=3": {"data2": 3}, "8081": {"plain": True}}


def show(name: str, values: list[float], unit: str = "ms"):
    values = sorted(values)
    tail = values[min(len(values) - 1, int(len(values) * 0.99))]
    print(f"{name}: median {statistics.median(values):.1f} {unit}, p99 {tail:.1f}, {values[0]:.1f} to {values[-1]:.1f}, n={len(values)}")


def measure_connect(count: int, folder: str):
    """From the first byte of signaling to the validated channel, by the server's own report."""
    key = f"{folder}/key"
    for name, options in GENERATIONS.items():
        whole, sctp = [], []
        with Go2(video="none", **options) as robot:
            with open(key, "w") as file:
                file.write(robot.ready["aes_key"])
            for _ in range(count):
                with server_for(robot, aes_key_file=key) as server:
                    phases = {phase["phase"]: phase for phase in wait_connected(server)["phases"]}
                    whole.append(sum(phases[phase]["duration_ms"] for phase in ("signaling", "ice", "dtls", "sctp", "validation")))
                    sctp.append(phases["sctp"]["duration_ms"])
        show(f"{name}, to the validated channel", whole)
        show(f"{name}, DTLS to SCTP", sctp)


class PictureWatch(RobotViewer):
    """Notes when each of the camera's numbered pictures was decoded."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.shown: list[tuple[int, float]] = []

    def see(self, frame):
        now = time.time()
        super().see(frame)
        counter = read_counter(frame.to_ndarray(format="gray"))
        if counter is not None:
            self.shown.append((counter, now))


def delays(robot: Go2, shown: list[tuple[int, float]]) -> list[float]:
    """Milliseconds from the robot's sending of a picture to its being decoded."""
    sent = robot.call("GET", "/frames")
    found = []
    for counter, at in shown:
        times = [entry["time"] for entry in sent if entry["counter"] == counter and 0 <= at - entry["time"] < 4]
        if times:
            found.append(1000 * (at - max(times)))
    return found


def measure_latency(count: int, folder: str):
    """Glass to glass on aiortc, one viewer at a time: VP8, H.264 untouched."""
    for codec in ("VP8", "H264"):
        with Go2() as robot, server_for(robot, settings={"connectivity": "direct"}) as server:
            wait_connected(server)

            async def look():
                async with PictureWatch(server, codec) as viewer:
                    await viewer.until(lambda: viewer.frames > 50, 60, "pictures")
                    viewer.shown.clear()
                    await viewer.until(lambda: len(viewer.shown) >= count, 600, "pictures")
                    return viewer.shown
            show(f"{codec}: robot to decoded picture", delays(robot, run(look())))
            for path in ("vp8", "h264"):
                name, labels = "avatar_camera_latency_seconds", f'{{path="{path}"}}'
                number, total = server.metric(name + "_count", labels), server.metric(name + "_sum", labels)
                if number:
                    print(f"  of which the server's own, {path}: mean {1000 * total / number:.1f} ms over {number:.0f} pictures")


def measure_return(count: int, folder: str):
    """From the robot's ports being open again to the server's being connected, and to a topic."""
    with Go2(video="none") as robot, server_for(robot) as server:
        wait_connected(server)
        back = []
        for _ in range(count):
            last = robot.last_index()
            robot.act("reboot", seconds=3)
            up = robot.wait_for_event("up", after=last, timeout=30)
            validated = robot.wait_for_event("phase", after=up["index"], timeout=90, phase="validated")
            back.append(validated["monotonic"] - up["monotonic"])
            wait_connected(server)
        show("restarted to validated", back, "s")


def measure_stop(count: int, folder: str):
    """From the last order to StopMove, and from the closed connection to StopMove."""
    with Go2(video="none", move_watchdog_ms=0) as robot, server_for(robot) as server:
        wait_connected(server)
        ask(server, "POST", "/stand_up")
        stale, closed = [], []
        for index in range(count):
            last = robot.last_index()
            with Client(f"{server.ws}/ws/robot_go2") as client:
                client.ask(kind="drive_state", type="drive_acquire")
                client.say(type="drive_move", x=0.2, y=0, yaw=0)
                move = robot.wait_for_event("motion", after=last, what="move")
                if index % 2:
                    stop = robot.wait_for_event("motion", after=move["index"], what="stop")
                    stale.append(1000 * (stop["monotonic"] - move["monotonic"]))
                else:
                    client.socket.socket.close()
                    gone = time.monotonic()
            if not index % 2:
                stop = robot.wait_for_event("motion", after=move["index"], what="stop")
                closed.append(1000 * (stop["monotonic"] - gone))
        show("last order to StopMove", stale)
        show("connection gone to StopMove", closed)


def measure_many(count: int, folder: str):
    """Soak: viewers come and go on a robot that reboots; memory and descriptors before and after."""
    with Go2() as robot, server_for(robot, settings={"connectivity": "direct"}) as server:
        wait_connected(server)

        async def visit(index: int):
            async with RobotViewer(server, ("VP8", "H264", None)[index % 3]) as viewer:
                await viewer.until(lambda: viewer.frames > 20, 60, "pictures")
                await asyncio.wait_for(viewer.opened.wait(), 20)
                viewer.channel.send('{"type": "robot_subscribe", "topics": ["%s"]}' % LOW_STATE)
                await viewer.until(lambda: any(message["type"] == "robot_topic" for message in viewer.messages), 20, "a topic")
        for index in range(count):
            run(visit(index))
            if index % 10 == 9:
                robot.act("reboot", seconds=1)
                wait_until(lambda: robot_of(server)["state"] != "connected", 60, "loss")
                wait_connected(server, timeout=90)
            if index % 10 in (0, 9):
                print(index, server.figures(), flush=True)


def main():
    import tempfile
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["connect", "latency", "return", "stop", "many"])
    parser.add_argument("--count", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        globals()[f"measure_{arguments.what}"](arguments.count, folder)


if __name__ == "__main__":
    main()
