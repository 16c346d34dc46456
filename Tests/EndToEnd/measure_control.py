"""How long the robot control service takes: a reconnect, an update, pings and pushes beside a long call, a flood of pushes.

    python Tests/EndToEnd/measure_control.py [--rounds 20]
"""
from __future__ import annotations

import argparse
import json
import socket
import statistics
import time

from control import MAIN, ControlServer, archive, client, encoded
from server import wait_until


def spread(values: list[float]) -> str:
    ordered = sorted(values)
    return f"median {statistics.median(ordered) * 1000:.1f} ms, worst {ordered[-1] * 1000:.1f} ms ({len(ordered)} times)"


def reconnects(server: ControlServer, rounds: int) -> None:
    """From the WebSocket's handshake to the answer of a call, right behind another client's going."""
    times = []
    for _ in range(rounds):
        one = client(server)
        one.process("counter", "add")
        one.close()
        began = time.perf_counter()
        while True:
            try:
                one = client(server)
                break
            except AssertionError:  # The server has not noticed the going yet.
                continue
        one.process("counter", "add")
        times.append(time.perf_counter() - began)
        one.close()
    print("reconnect to the answer of a call:", spread(times))


def updates(server: ControlServer, rounds: int) -> None:
    """From `update` to its acknowledgement, less what the project's own import takes."""
    for pause in (0.0, 0.5):
        data = encoded(archive({"main.py": f"import time\ntime.sleep({pause})\n{MAIN}"}))
        times = []
        with client(server) as one:
            for _ in range(rounds):
                began = time.perf_counter()
                answer = one.call("update", {"data": data})
                times.append(time.perf_counter() - began - pause)
                assert answer["status"] == "success", answer
                assert one.process("counter", "add")["data"]["result"] == 1
        print(f"update beyond an import of {pause} s:", spread(times))


def beside_a_long_call(server: ControlServer) -> None:
    with client(server) as one:
        one.process("sport_client", "push_from_thread", every=0.05, count=180)
        one.pings.clear()
        call = one.send("process", {"params": {"object": "sport_client", "method": "sleep", "args": {"seconds": 10}}})
        began, delays = time.monotonic(), []
        while call not in one.acknowledgements and time.monotonic() - began < 8:
            one.take(one.receive())
            _, (event, *arguments) = one.events[-1]
            if event == "task_completed":
                delays.append(time.time() - arguments[0]["time"])
        gaps = [later - earlier for earlier, later in zip(one.pings, one.pings[1:])]
        print("pushes beside a sleeping call, from the project to the client:", spread(delays))
        print(f"pings beside it, each {server.settings['robot_control']['ping_interval_ms']} ms and an answer:", spread(gaps))
        began = time.perf_counter()
        one.call("interrupt", {})
        one.wait(call)
        print(f"interrupt to the end of the sleeping call: {(time.perf_counter() - began) * 1000:.1f} ms")


def flood(server: ControlServer) -> None:
    """10,000 pushes a second of 200 bytes for 10 s to a client that reads nothing."""
    before = server.figures()["rss"]
    with client(server) as slow:
        slow.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.process("flooder", "begin", rate=10_000, seconds=10)
        slow.socket.recv_bufsize = 4096
        with client(server, namespace="/console") as operator:
            worst = 0
            began = time.monotonic()
            while time.monotonic() - began < 11:
                worst = max(worst, server.figures()["rss"])
                status = operator.call("status", {})["data"]
                operator.events.clear()
            status = operator.call("status", {})["data"]
        # It reads on, and finds everything that was kept, and its connection.
        answer = slow.process("counter", "add")
        assert answer["status"] == "success"
        got = [data[0]["number"] for _, (event, *data) in slow.events if event == "flood"]
        assert got == sorted(got)
        print(f"flood: {status['dropped_pushes']} dropped, {len(got)} came in order, the client stays; resident memory "
              f"{before >> 20} -> {worst >> 20} MiB at most")
        print("counters:", {name: server.metric(name) for name in (
            "avatar_streamer_robot_control_pushes_total", "avatar_streamer_robot_control_pushes_dropped_total")})


FLOODER = '''
import threading, time
class Flooder:
    def begin(self, rate, seconds):
        def run():
            began, number = time.monotonic(), 0
            while (now := time.monotonic() - began) < seconds:
                while number < now * rate:
                    push_message("flood", {"number": number, "padding": "x" * 180})
                    number += 1
                time.sleep(0.002)
        threading.Thread(target=run, daemon=True).start()
flooder = Flooder()
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with ControlServer(ping_interval_ms=200, ping_timeout_ms=20_000).with_project({"main.py": MAIN + FLOODER}) as server:
        server.wait_for_state("ready")
        reconnects(server, rounds)
        beside_a_long_call(server)
        flood(server)
        updates(server, rounds)


if __name__ == "__main__":
    main()
