"""The face comes from an engine process: sound and picture belong together, and the process may die (acceptance 3, 4, 8)."""
import asyncio
import math
import os
import signal

import pytest

from server import Server, wait_until
from talk_figures import engine_settings, skews, sound
from talker import Talker, run, tone


def assert_together(found: list[float], count: int):
    print("skew in ms:", [round(value, 1) for value in found])
    assert len(found) == count and not any(math.isnan(value) for value in found)
    assert all(-20 <= value <= 20 for value in found)


@pytest.mark.parametrize("options", [["--fps", "25"], ["--fps", "18"], ["--fps", "25", "--burst", "20"]], ids=" ".join)
def test_flashes_and_beeps_belong_together(options):
    with Server(**engine_settings(*options), avatar={"frames_per_second": 25}) as server:
        assert_together(run(skews(server, int(options[1]), 6, interrupts=False)), 6)


def test_flashes_and_beeps_belong_together_after_interruptions():
    with Server(**engine_settings("--fps", "25"), avatar={"frames_per_second": 25}) as server:
        assert_together(run(skews(server, 25, 20, interrupts=True)), 10)


def engine_process(server) -> int:
    """The process id of the engine that the server runs."""
    children = f"/proc/{server.process.pid}/task"
    for task in os.listdir(children):
        for child in open(f"{children}/{task}/children").read().split():
            if b"avatar_engine" in open(f"/proc/{child}/cmdline", "rb").read():
                return int(child)
    return 0


def test_a_killed_engine_costs_no_viewer_and_comes_back():
    with Server(**engine_settings("--fps", "25"), avatar={"frames_per_second": 25}) as server:
        async def watch():
            async with Talker(server, decodes_pictures=False) as viewer:
                for _ in range(2):
                    message, packet = len(viewer.messages), len(viewer.packets)
                    await viewer.post("speak", sound(tone(3)))
                    await viewer.hear("speech_started", after=message)
                    victim = engine_process(server)
                    os.kill(victim, signal.SIGKILL)
                    # The voice goes on to its end without the picture.
                    finished = await viewer.hear("speech_finished", after=message)
                    assert not finished["interrupted"] and finished["playback_position_ms"] == 3000
                    # Its last packets may come behind the message: they are not the next one's beginning.
                    count = len(viewer.packets)
                    await viewer.until(lambda: len(viewer.packets) > count + 5)
                    spans = viewer.loud_spans(packet)
                    assert len(spans) == 1 and spans[0][1] - spans[0][0] > 2.9, f"the voice broke off: {spans}"
                    await asyncio.to_thread(
                        wait_until, lambda: engine_process(server) not in (0, victim), 20, "the engine's restart")
                assert viewer.states[-1] == "connected"
        run(watch())
        wait_until(lambda: server.health()["status"] == "healthy", 20, "health")
