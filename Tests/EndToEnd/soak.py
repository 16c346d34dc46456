"""An hour of viewers and sessions that come and go: the server's memory, descriptors and threads must stay flat.

soak.py [--minutes 60] [--viewers 20] [--lifetime 30] [--warm-up MINUTES]; exits with 1 where something grew. Half of the viewers
come through the relay. Every sample of the table is also written to artifacts/soak.csv.
"""
from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
import threading
import time
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from crowd import Crowd
from offers import Offer
from server import Server, request, wait_until

ARTIFACTS = Path(__file__).parent / "artifacts"
SAMPLE_SECONDS = 10
MEBIBYTE = 1 << 20


class Students:
    """One student after the other: a session, an offer, a sentence that is cut off or not, and the session's end."""

    def __init__(self, server: Server):
        self.server, self.sessions, self.problems = server, 0, []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ended.is_set():
            try:
                self.study()
            except (OSError, AssertionError, ConnectionClosed, KeyError, TimeoutError) as problem:
                self.problems.append(repr(problem))
            self.ended.wait(2)

    def study(self):
        status, _, session = request("POST", self.server.http + "/v1/sessions", {
            "tutor_id": 1, "student_id": self.sessions, "kb_id": None})
        assert status == 201, session
        self.sessions += 1
        with connect(f"{session['engine_url']}?token={session['engine_token']}") as socket:
            socket.send(json.dumps({"type": "webrtc_offer", "sdp": Offer().sdp, "user_id": 1}))
            socket.send(json.dumps({"type": "text_webrtc", "content": "A sentence that nobody but this student hears.",
                                    "avatar_id": "avatar_tutor_1", "user_id": 1, "tutor_id": 1,
                                    "verbatim": True}))
            self.ended.wait(3)
            if self.sessions % 2:
                socket.send(json.dumps({"type": "interrupt"}))
            self.ended.wait(3)
        if self.sessions % 4:
            request("DELETE", f"{self.server.http}/v1/sessions/{session['session_id']}")

    def stop(self):
        self.ended.set()
        self.thread.join(20)


def grown(samples: list[dict], name: str) -> tuple[float, float]:
    """The median of the first and of the last fifth of the samples."""
    fifth = max(1, len(samples) // 5)
    return (statistics.median(sample[name] for sample in samples[:fifth]),
            statistics.median(sample[name] for sample in samples[-fifth:]))


def row(sample: dict) -> str:
    return (f"{sample['seconds'] / 60:7.1f} {sample['rss'] / MEBIBYTE:9.1f} {sample['fds']:5d} {sample['threads']:8d}"
            f" {sample['watching']:9d} {sample['visits']:7d} {sample['sessions']:9d} {sample['allocations']:12.0f}"
            f" {sample['lost']:6d}")


def watch(server: Server, crowds: list[Crowd], students: Students, minutes: float) -> list[dict]:
    """A sample each 10 s; a row of the table each minute."""
    print("minutes  rss MiB   fds  threads  watching  visits  sessions  allocations   lost", flush=True)
    samples, began = [], time.monotonic()
    while (seconds := time.monotonic() - began) < minutes * 60:
        assert server.process.poll() is None, f"the server ended:\n{server.log()[-2000:]}"
        samples.append({
            "seconds": round(seconds), **server.figures(), "watching": sum(crowd.count("seeing") for crowd in crowds),
            "visits": sum(crowd.count("visits") for crowd in crowds), "sessions": students.sessions,
            "allocations": server.metric("avatar_relay_allocations"),
            "lost": sum(crowd.count("lost") for crowd in crowds)})
        if len(samples) % (60 // SAMPLE_SECONDS) == 1:
            print(row(samples[-1]), flush=True)
        with open(ARTIFACTS / "soak.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, samples[0])
            writer.writeheader()
            writer.writerows(samples)
        for crowd in crowds:
            assert crowd.process.poll() is None, "the crowd's process ended"
        students.ended.wait(max(0, began + len(samples) * SAMPLE_SECONDS - time.monotonic()))
    return samples


def verdict(samples: list[dict], viewers: int) -> list[str]:
    """What grew, or was never there."""
    problems = []
    first, last = grown(samples, "rss")
    hours = (samples[-1]["seconds"] - samples[0]["seconds"]) * 0.8 / 3600
    allowance = max(4 * MEBIBYTE, 0.05 * first)
    print(f"memory      {first / MEBIBYTE:.1f} -> {last / MEBIBYTE:.1f} MiB"
          f" ({(last - first) / MEBIBYTE / hours:+.1f} MiB an hour; allowed {allowance / MEBIBYTE:.1f} MiB in all)")
    if last - first > allowance:
        problems.append("memory grew")
    for name, what, allowed in (("fds", "descriptors", 6), ("threads", "threads", 4)):
        first, last = grown(samples, name)
        print(f"{what:11s} {first:.0f} -> {last:.0f} (allowed {first + allowed:.0f})")
        if last > first + allowed:
            problems.append(f"{what} grew")
    present = statistics.median(sample["watching"] for sample in samples)
    print(f"watching    {present:.0f} of {viewers} in the median")
    if present < 0.8 * viewers:
        problems.append("too few viewers had a picture: the figures mean nothing")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--lifetime", type=float, default=30, help="mean seconds of a visit")
    parser.add_argument("--warm-up", type=float, default=5, help="minutes before growth counts")
    options = parser.parse_args()
    warm_up = min(options.warm_up, options.minutes / 3)
    ARTIFACTS.mkdir(exist_ok=True)
    # A short timeout of sessions, so that those that nobody ends are seen to end.
    with Server(connectivity="relay", sessions={"timeout_seconds": 60}) as server:
        half = options.viewers // 2
        crowds = [Crowd(server.http, half, options.lifetime, relay=True),
                  Crowd(server.http, options.viewers - half, options.lifetime)]
        students = Students(server)
        try:
            samples = watch(server, crowds, students, options.minutes)
        finally:
            students.stop()
            for crowd in crowds:
                crowd.stop()
        problems = verdict([sample for sample in samples if sample["seconds"] >= warm_up * 60], options.viewers)
        failures = [failure for crowd in crowds for failure in crowd.failures]
        visits = samples[-1]["visits"]
        print(f"visits      {visits}, {len(failures)} failed{': ' + failures[0] if failures else ''}")
        print(f"sessions    {students.sessions}, {len(students.problems)} failed"
              f"{': ' + students.problems[0] if students.problems else ''}")
        if len(failures) > 0.02 * visits:
            problems.append("visits failed")
        if len(students.problems) > 0.02 * students.sessions:
            problems.append("sessions failed")
        # Those who vanished are noticed by their missing consent.
        wait_until(lambda: server.metric("avatar_viewers") == 0, 60, "the last viewer's end")
        wait_until(lambda: server.health()["active_sessions"] == 0, 90, "the last session's end")
        print(f"at the end  {row({**samples[-1], **server.figures(), 'watching': 0, 'allocations': server.metric('avatar_relay_allocations')})}")
        if server.stop() != 0:
            problems.append("the server did not end well")
    print("soak: " + ("; ".join(problems) if problems else "flat"))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
