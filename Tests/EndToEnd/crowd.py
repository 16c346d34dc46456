"""A crowd of viewers in a process of its own: StreamerBench's, which speaks WHEP to a running server."""
from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

from server import ROOT, wait_until

BENCH = Path(os.environ.get("STREAMER_BENCH", ROOT / ".build/release/StreamerBench"))


class Crowd:
    """Viewers that come, watch, leave, and are followed by others, until the crowd is told to stop."""

    def __init__(self, http: str, count: int, lifetime: float = 3600, relay: bool = False, per_second: float = 10):
        assert BENCH.exists(), f"{BENCH} is missing: swift build -c release --product StreamerBench"
        command = [str(BENCH), "viewers", "--whep", http + "/whep/avatar", "--count", str(count),
                   "--lifetime", str(lifetime), "--per-second", str(per_second)]
        self.process = subprocess.Popen(
            command + (["--relay"] if relay else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.figures: dict[str, str] = {}
        self.failures: list[str] = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            word, _, rest = line.partition(" ")
            if word in ("now", "result"):
                self.figures = dict(pair.split("=", 1) for pair in rest.split())
            elif word == "failed" and len(self.failures) < 1000:
                self.failures.append(rest.strip())

    def count(self, name: str) -> int:
        return int(self.figures.get(name) or 0)

    def wait_until(self, name: str, value: int, timeout: float = 30):
        wait_until(lambda: self.count(name) >= value, timeout, f"{name}={value} (now {self.figures}, {self.failures[:3]})")

    def stop(self):
        """Everybody says goodbye; the last figures stay readable."""
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.reader.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
