"""The round trip of `process`, ours next to a python-socketio and pyzmq service, alternately in one run; and the CPU time that a call costs.

    .venv/bin/python Benchmarks/RobotControl/measure_calls.py --server .build/release/avatar-streamer --config FILE --ours http://127.0.0.1:8000
    .venv/bin/python Benchmarks/RobotControl/measure_calls.py --ours http://127.0.0.1:8000 --ours-pid PID     # one that runs already
    .venv/bin/python Benchmarks/RobotControl/measure_calls.py                                                 # the other service alone
"""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from websocket_client import SocketIOClient

HERE = Path(__file__).resolve().parent
START_SECONDS = 60


class Service:
    """One of the two: a client, the processes behind it, and what was measured."""

    def __init__(self, name: str, client: SocketIOClient, process: int | None) -> None:
        self.name, self._client, self._process = name, client, process
        self.times: list[float] = []
        self.cpu_seconds = 0.0

    def block(self, event: str, argument: str, count: int, is_counted: bool) -> None:
        """Calls, one after the other."""
        for _ in range(count):
            begun = time.perf_counter()
            answer = self._client.call(event, argument)
            took = time.perf_counter() - begun
            if '"status":"error"' in answer.replace(" ", ""):
                raise RuntimeError(f"{self.name}: {answer}")
            if is_counted:
                self.times.append(took)

    def count_cpu(self, sign: int) -> None:
        """At the beginning (-1) and at the end (1). What a service does while the other has its turn is little, and counted."""
        if self._process is not None:
            self.cpu_seconds += sign * sum(map(_cpu_seconds, _tree(self._process)))

    def figures(self) -> tuple[float, float, float | None]:
        """Median, p99, CPU time a call, in microseconds."""
        times = sorted(self.times)
        cpu = self.cpu_seconds / len(times) * 1e6 if self._process is not None else None
        return times[len(times) // 2] * 1e6, times[len(times) * 99 // 100] * 1e6, cpu


def _tree(process: int) -> list[int]:
    """The process and what it started."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parents[int(name)] = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = [process]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def _cpu_seconds(process: int) -> float:
    """Of all its threads, ended ones included."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _start_former(project: str) -> tuple[subprocess.Popen[bytes], str]:
    process = subprocess.Popen([sys.executable, str(HERE / "former_service.py"), "--project", project], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    assert process.stdout is not None
    return process, f"http://127.0.0.1:{int(process.stdout.readline())}"


def _start_ours(server: str, config: str, url: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([server, "serve", "--config", config], stdin=subprocess.PIPE)
    opener = build_opener(ProxyHandler({}))

    def is_ready() -> bool:
        try:
            with opener.open(f"{url}/healthz", timeout=2) as response:
                return json.load(response).get("state", "ready") == "ready"
        except (OSError, ValueError):
            return False

    def is_idle() -> bool:
        """Avatars' idle pictures are drawn after the start, which is not what is measured here."""
        before = _cpu_seconds(process.pid)
        time.sleep(1)
        return _cpu_seconds(process.pid) - before < 0.1

    try:
        _wait(is_ready, process)
        _wait(is_idle, process)
    except BaseException:
        process.kill()
        raise
    return process


def _wait(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while not condition():
        if process.poll() is not None:
            sys.exit(f"the server ended with status {process.returncode}")
        if time.monotonic() > end:
            sys.exit("the server did not become ready")
        time.sleep(0.05)


def _report(services: list[Service]) -> None:
    print(f"{'':10}{'median us':>12}{'p99 us':>12}{'CPU us/call':>14}")
    for service in services:
        median, p99, cpu = service.figures()
        print(f"{service.name:10}{median:12.0f}{p99:12.0f}{'' if cpu is None else f'{cpu:14.0f}'}")
    if len(services) == 2:
        ratios = [None if one is None or other is None else one / other
                  for one, other in zip(services[0].figures(), services[1].figures(), strict=True)]
        print(f"{'ratio':10}" + "".join("" if ratio is None else f"{ratio:{width}.2f}" for ratio, width in zip(ratios, (12, 12, 14), strict=True)))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", metavar="URL", help="our service; without it the other one is measured alone")
    parser.add_argument("--ours-pid", type=int, help="its process, where it runs already: for the CPU time")
    parser.add_argument("--server", metavar="PATH", help="start this program for it")
    parser.add_argument("--config", metavar="FILE", help="with this configuration")
    parser.add_argument("--token", help="of our service")
    parser.add_argument("--project", default=str(HERE.parents[1] / "Workers/default"), help="what the other service runs; ours has its own")
    parser.add_argument("--call", default='{"object": "sport_client", "method": "StandUp", "args": {"speed": 1}}', help="params of the call")
    parser.add_argument("--calls", type=int, default=5000, help="of each service")
    parser.add_argument("--block", type=int, default=250, help="calls of one service before it is the other's turn")
    options = parser.parse_args()
    if options.server and not (options.config and options.ours):
        parser.error("--server needs --config, and --ours with the port that is in it")
    argument = json.dumps({"params": json.loads(options.call)}, separators=(",", ":"))
    former, url = _start_former(options.project)
    ours = None
    try:
        services = [Service("former", SocketIOClient(url), former.pid)]
        if options.ours:
            ours = _start_ours(options.server, options.config, options.ours) if options.server else None
            auth = {"token": options.token} if options.token else None
            services.insert(0, Service("ours", SocketIOClient(options.ours, auth), ours.pid if ours else options.ours_pid))
        for service in services:
            service.block("process", argument, 500, is_counted=False)
            service.count_cpu(-1)
        for _ in range(-(-options.calls // options.block)):
            for service in services:
                service.block("process", argument, options.block, is_counted=True)
        for service in services:
            service.count_cpu(1)
        _report(services)
    finally:
        if ours:
            ours.terminate()
            ours.wait()
        assert former.stdin is not None
        former.stdin.close()
        former.wait()


if __name__ == "__main__":
    main()
