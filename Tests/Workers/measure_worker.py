"""Start-up and round trips of a worker alone: `.venv/bin/python Tests/Workers/measure_worker.py`."""
from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path

import zmq

from conftest import Worker

PROJECT = "def echo(**values):\n    return values\n"


def started(context: zmq.Context, folder: Path, **environment: str) -> tuple[Worker, float, float, float]:
    """A worker, and how long it took to `hello` and to `ready`."""
    begun = time.perf_counter()
    worker = Worker(context, folder, tempfile.mkdtemp(prefix="rw-"), PYTHONDONTWRITEBYTECODE="", **environment)
    worker.expect("control", "hello")
    hello = time.perf_counter()
    worker.expect("control", "loading")
    ready = worker.expect("control", "ready")
    return worker, hello - begun, time.perf_counter() - begun, ready["import_seconds"]


def round_trips(worker: Worker, count: int) -> list[float]:
    """Seconds of each call, one after the other."""
    message = [b"calls", json.dumps({"type": "call", "id": "1", "object": "main", "method": "echo", "args": {"speed": 1}}).encode()]
    times = []
    while len(times) < count:
        begun = time.perf_counter()
        worker.router.send_multipart(message)
        while worker.router.recv_multipart()[0] != b"calls":
            pass
        times.append(time.perf_counter() - begun)
    return times


def main() -> None:
    """Prints a table."""
    context = zmq.Context()
    folder = Path(tempfile.mkdtemp())
    (folder / "main.py").write_text(PROJECT)
    starts = []
    for _ in range(10):
        worker, *times = started(context, folder)
        starts.append(times)
        worker.close()
    hello, ready, loading = (statistics.median(column) * 1000 for column in zip(*starts, strict=True))
    print(f"start to hello {hello:.1f} ms, to ready {ready:.1f} ms, of which the project {loading:.1f} ms (median of 10)")
    for mode in ("ordered", "concurrent"):
        worker, *_ = started(context, folder, AVATAR_STREAMER_CALLS=mode)
        round_trips(worker, 500)
        times = sorted(round_trips(worker, 5000))
        print(f"{mode}: round trip median {times[2500] * 1e6:.0f} us, p99 {times[4950] * 1e6:.0f} us")
        worker.close()


if __name__ == "__main__":
    main()
