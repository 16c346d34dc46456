"""What a conversation promises, as figures: each function drives a running server with a real viewer and returns what it saw.

The tests call them with small counts and assert what does not depend on speed; `measure_talk.py` calls them with large ones.
"""
from __future__ import annotations

import asyncio
import base64
import random
import sys
import time

import numpy as np

from server import Server, wait_until
from talker import PACKET, RATE, Talker, tone, wav

PYTHON = sys.executable


def engine_settings(*options: str, module: str = "flashbeep", avatar: str = "flashbeep", **more) -> dict:
    """Settings of a server whose default avatar is shown by an engine of ours."""
    return {
        "engines": {"tested": {"command": [PYTHON, "-m", f"avatar_engine.{module}", *options]}},
        "profiles": {"avatar_tutor_1": {"engine": "tested", "engine_avatar": avatar}}, **more,
    }


def is_shown(server: Server) -> bool:
    """Whether the engine serves."""
    return server.health()["status"] == "healthy" and server.metric("avatar_engine_connected", '{engine="tested"}') == 1


def sound(samples: np.ndarray) -> dict:
    return {"audio": base64.b64encode(wav(samples)).decode()}


async def interruptions(server, count: int) -> list[dict]:
    """Interrupts a steady tone `count` times: what the server says was heard, and what the packets held."""
    seen = []
    async with Talker(server, decodes_pictures=False) as viewer:
        body = sound(tone(20))
        for _ in range(count):
            packet, message = len(viewer.packets), len(viewer.messages)
            status, answer = await viewer.post("speak", body)
            assert status == 202, answer
            await viewer.hear("speech_started", after=message)
            await asyncio.sleep(random.uniform(0.1, 0.6))
            asked = time.monotonic()
            await viewer.send(type="interrupt")
            finished = await viewer.hear("speech_finished", after=message)
            # Three packets of silence more, so that everything of the old speech has come.
            end = len(viewer.packets)
            await viewer.until(lambda: len(viewer.packets) >= end + 8)
            samples, packets = viewer.sound(packet)
            loud = np.flatnonzero(np.abs(samples.astype(int)) > 1000)
            last = max(packet.arrival for packet in [packets[int(loud[-1]) // PACKET]])
            seen.append({
                "answered_ms": 1000 * (finished["arrival"] - asked), "last_sound_ms": 1000 * (last - asked),
                "told_ms": finished["playback_position_ms"], "heard_ms": 1000 * (loud[-1] - loud[0] + 1) / RATE,
                "interrupted": finished["interrupted"],
            })
    return seen


async def skews(server, fps: int, count: int, interrupts: bool) -> list[float]:
    """Beeps that an engine answers by flashes; between them speech is cut off. Milliseconds of beep minus flash.

    The beep begins where a picture of the engine begins: an engine can flash nowhere else.
    """
    quiet = np.zeros(round(5 * RATE / fps), np.int16)
    beep = np.concatenate([quiet, tone(0.06, 1000, 20_000), quiet])
    found = []
    wait_until(lambda: is_shown(server), 30, "an engine that serves")
    async with Talker(server) as viewer:
        for number in range(count):
            message, packet, picture = len(viewer.messages), len(viewer.packets), len(viewer.pictures)
            await viewer.post("speak", sound(beep))
            if interrupts and number % 2:
                await viewer.hear("speech_started", after=message)
                await viewer.send(type="interrupt")
                await viewer.hear("speech_finished", after=message)
                continue
            await viewer.hear("speech_finished", after=message)
            ends = len(viewer.pictures) + 6
            await viewer.until(lambda: len(viewer.pictures) >= ends)
            beeps, flashes = viewer.loud_spans(packet), viewer.flashes(picture)
            if len(beeps) == 1 and len(flashes) == 1:
                found.append(1000 * (beeps[0][0] - flashes[0]))
            else:
                found.append(float("nan"))
    return found


async def first_sounds(server, count: int) -> list[float]:
    """Milliseconds from a text to its first sound at a viewer, with what a built-in dialogue answers."""
    found = []
    async with Talker(server, decodes_pictures=False) as viewer:
        for _ in range(count):
            message, packet = len(viewer.messages), len(viewer.packets)
            asked = time.monotonic()
            await viewer.ask("Hello, who are you?")
            await viewer.hear("speech_started", after=message)
            await viewer.until(lambda: len(viewer.packets) > packet + 15)
            samples, packets = viewer.sound(packet)
            loud = np.flatnonzero(np.abs(samples.astype(int)) > 300)
            found.append(1000 * (packets[int(loud[0]) // PACKET].arrival - asked))
            await viewer.send(type="interrupt")
            await viewer.hear("speech_finished", after=message)
            # The old sound fades out before the next question.
            end = len(viewer.packets)
            await viewer.until(lambda: len(viewer.packets) >= end + 10)
    return found
