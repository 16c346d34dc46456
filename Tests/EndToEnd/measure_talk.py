"""The figures of a conversation, measured: measure_talk.py interruptions|skew|latency|kill|idle|portrait|soak [--count N]."""
from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import random
import signal
import statistics
import tempfile
import time

from server import Server, wait_until
from talk_figures import engine_settings, first_sounds, interruptions, skews, sound
from talker import Talker, run, spoken, tone


def show(name: str, values: list[float], unit: str = "ms"):
    values = sorted(value for value in values if not math.isnan(value))
    print(f"{name}: median {statistics.median(values):.1f} {unit}, {values[0]:.1f} to {values[-1]:.1f}, n={len(values)}")


def histogram(server, name: str):
    count, total = server.metric(name + "_count"), server.metric(name + "_sum")
    print(f"{name}: {count:.0f} observations, mean {1000 * total / max(count, 1):.1f} ms")


def measure_interruptions(count: int):
    with Server() as server:
        seen = run(interruptions(server, count))
        for key in ("last_sound_ms", "answered_ms"):
            show(key, [entry[key] for entry in seen])
        show("told minus heard", [entry["told_ms"] - entry["heard_ms"] for entry in seen])
        histogram(server, "avatar_stage_interruption_seconds")


def measure_skew(count: int):
    for options in (["--fps", "25"], ["--fps", "18"], ["--fps", "25", "--burst", "20"]):
        with Server(**engine_settings(*options), avatar={"frames_per_second": 25}) as server:
            found = run(skews(server, int(options[1]), count, interrupts=count > 50))
            print(f"{' '.join(options)}: {sum(map(math.isnan, found))} of {len(found)} without a pair")
            show("beep minus flash at the start", found[:5])
            show("at the end", found[-5:])
            show("over all", found)


def measure_latency(count: int):
    with Server() as server:
        show("text to first sound at the viewer", run(first_sounds(server, count)))
        for name in ("avatar_turn_first_token_seconds", "avatar_turn_first_sound_seconds", "avatar_turn_server_share_seconds"):
            histogram(server, name)


def measure_kill(count: int):
    from test_engines import engine_process
    with Server(**engine_settings("--fps", "25"), avatar={"frames_per_second": 25}) as server:
        async def watch():
            late = []
            async with Talker(server) as viewer:
                for _ in range(count):
                    message = len(viewer.messages)
                    await viewer.post("speak", sound(tone(2)))
                    await viewer.hear("speech_started", after=message)
                    await asyncio.sleep(0.5)
                    victim = engine_process(server)
                    os.kill(victim, signal.SIGKILL)
                    killed = time.monotonic()
                    await viewer.hear("speech_finished", after=message)
                    await asyncio.to_thread(wait_until, lambda: engine_process(server) not in (0, victim), 40, "restart")
                    late.append(1000 * (time.monotonic() - killed))
                    await asyncio.to_thread(wait_until, lambda: server.health()["status"] == "healthy", 40, "health")
                print("states of the viewer:", viewer.states)
            show("killed to restarted", late)
            for shown in ("last", "idle"):
                pictures = server.metric("avatar_engine_missing_frames_total", f'{{engine="tested",shown="{shown}"}}')
                print(f"moments of speech without a new picture that showed the {shown} one: {pictures:.0f}")
        run(watch())
        print(json.dumps(server.health()["degraded"]))


def processor(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def by_thread(pid: int) -> dict[str, float]:
    """Seconds of CPU by the threads' names; those of one kind together."""
    used: dict[str, float] = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):
            name, fields = open(f"/proc/{pid}/task/{task}/stat").read().split("(", 1)[1].rsplit(")", 1)
            kind = "stage" if name.startswith("stage-") else "engine" if name.startswith("engine") else name
            used[kind] = used.get(kind, 0) + sum(map(int, fields.split()[11:13])) / os.sysconf("SC_CLK_TCK")
    return used


def show_threads(pid: int, before: dict[str, float], seconds: float):
    for name, used in sorted(by_thread(pid).items(), key=lambda entry: -entry[1] + before.get(entry[0], 0)):
        if used - before.get(name, 0) > 0:
            print(f"  thread {name}: {100 * (used - before.get(name, 0)) / seconds:.1f} % of a core")


def measure_idle(count: int):
    with Server() as server:
        async def watch():
            viewers = [Talker(server, student=number, decodes_pictures=False, has_microphone=False) for number in range(count)]
            for viewer in viewers:
                await viewer.__aenter__()
            await asyncio.sleep(5)
            before, start = by_thread(server.process.pid), time.monotonic()
            await asyncio.sleep(20)
            used = sum(by_thread(server.process.pid).values()) - sum(before.values())
            print(f"{count} idle sessions, one viewer each: {100 * used / (time.monotonic() - start):.1f} % of a core")
            show_threads(server.process.pid, before, time.monotonic() - start)
            for viewer in viewers:
                await viewer.__aexit__()
        run(watch())


def measure_portrait(count: int):
    settings = engine_settings("--fps", "25", "--size", "1080x1920", "--pixel-format", "bgr24")
    with Server(**settings, avatar={"frames_per_second": 25, "width": 1080, "height": 1920, "video_bit_rate": 2_500_000}) as server:
        async def watch():
            from test_engines import engine_process
            async with Talker(server, decodes_pictures=False) as viewer:
                message = len(viewer.messages)
                await viewer.post("speak", sound(tone(count)))
                await viewer.hear("speech_started", after=message)
                pids = {"server": server.process.pid, "engine": engine_process(server)}
                before, start = {name: processor(pid) for name, pid in pids.items()}, time.monotonic()
                threads = by_thread(pids["server"])
                await asyncio.sleep(count - 2)
                show_threads(pids["server"], threads, time.monotonic() - start)
                for name, pid in pids.items():
                    print(f"{name}: {100 * (processor(pid) - before[name]) / (time.monotonic() - start):.0f} % of a core")
                await viewer.hear("speech_finished", after=message)
        run(watch())
        from server import request
        for line in request("GET", server.http + "/metrics")[2].splitlines():
            if line.startswith(("avatar_engine_", "avatar_stage_")) and "_bucket" not in line:
                print(line)


def measure_soak(count: int):
    """`count` minutes of visits: a viewer comes, asks in writing and aloud, cuts the answer off or not, and leaves."""
    settings = engine_settings("--fps", "25")
    with Server(**settings, avatar={"frames_per_second": 25}) as server, tempfile.TemporaryDirectory() as folder:
        question = spoken("What time does the library open tomorrow?", f"{folder}/question.wav")
        end = time.monotonic() + 60 * count
        done = {"visits": 0, "problems": 0}

        async def visit(student: int):
            async with Talker(server, student=student, decodes_pictures=False) as viewer:
                await viewer.ask("Hello, who are you?")
                await viewer.hear("speech_started")
                if random.random() < 0.5:
                    await viewer.send(type="interrupt")
                await viewer.hear("speech_finished", timeout=40)
                viewer.microphone.say(question)
                heard = await viewer.hear("transcription", timeout=40)
                assert heard["content"]
                mark = len(viewer.messages)
                if random.random() < 0.7:
                    await viewer.hear("speech_finished", after=mark, timeout=40)

        async def keep_visiting(number: int):
            while time.monotonic() < end:
                try:
                    await visit(number)
                    done["visits"] += 1
                except (AssertionError, TimeoutError, OSError) as problem:
                    done["problems"] += 1
                    print(repr(problem)[:300])

        async def watch():
            while time.monotonic() < end:
                await asyncio.sleep(min(60, max(1, end - time.monotonic())))
                figures = server.figures()
                print(f"{(end - time.monotonic()) / 60:5.1f} min left: {figures['rss'] / 2**20:.0f} MiB, {figures['fds']} descriptors, "
                      f"{figures['threads']} threads, {done}", flush=True)

        async def all_of_it():
            await asyncio.gather(watch(), *(keep_visiting(number) for number in range(3)))
        run(all_of_it())
        print(json.dumps(server.health()["degraded"]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["interruptions", "skew", "latency", "kill", "idle", "portrait", "soak"])
    parser.add_argument("--count", type=int)
    arguments = parser.parse_args()
    defaults = {"interruptions": 100, "skew": 2000, "latency": 20, "kill": 10, "idle": 20, "portrait": 20, "soak": 30}
    globals()[f"measure_{arguments.what}"](arguments.count or defaults[arguments.what])
