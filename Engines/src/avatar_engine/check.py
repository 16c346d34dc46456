"""Tries an engine without a server: `--check` of every engine, or `python -m avatar_engine.check module:Engine`."""
from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import time

import numpy as np

from . import protocol
from .engine import Engine, Refusal
from .exchange import Exchange
from .inference import Inference
from .pictures import AvatarDescription
from .protocol import SAMPLE_RATE, Message

log = logging.getLogger("avatar_engine")


class CheckFailure(Exception):
    """What is wrong with the engine."""


def beeps(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Sound with a beep of 100 ms in every half second, at 16 kHz."""
    time_axis = np.arange(int(seconds * SAMPLE_RATE))
    tone = 12_000 * np.sin(2 * np.pi * 1000 * time_axis / SAMPLE_RATE)
    return np.where(time_axis % (SAMPLE_RATE // 2) < SAMPLE_RATE // 10, tone, 0).astype(np.int16)


def check(engine: Engine, seconds: float = 2) -> int:
    """Opens the engine, speaks to each avatar and says on standard output what came. 0 if all is well, else 1."""
    started = time.monotonic()
    try:
        avatars = list(engine.open())
        print(f"{engine.name}: opened in {time.monotonic() - started:.2f} s, {len(avatars)} avatars")
        if not avatars and not engine.can_prepare:
            raise CheckFailure("it has no avatars and can prepare none")
        for avatar in avatars:
            _check_avatar(engine, avatar, seconds)
        engine.close()
    except (Refusal, CheckFailure) as failure:
        print(f"{engine.name}: {failure}", file=sys.stderr)
        return 1
    except Exception:
        log.critical("the engine failed", exc_info=True)
        return 1
    print("all is well")
    return 0


def _check_avatar(engine: Engine, avatar: AvatarDescription, seconds: float) -> None:
    exchange = Exchange(queue_limit=10_000)
    exchange.describe([avatar])
    inference = Inference(engine, exchange)

    def tell(kind: str, payload: bytes = b"", **members: object) -> list[list[bytes]]:
        exchange.handle(Message(kind, members, payload))
        while inference.step():
            pass
        if exchange.counters.get("failures"):
            raise CheckFailure(f"avatar {avatar.id}: {kind} failed")
        return exchange.outgoing()

    for index in {0, avatar.idle_count - 1}:
        tell("idle_request", avatar=avatar.id, indices=[index])
    tell("attach", session="check", avatar=avatar.id, epoch=0, fps=25, width=avatar.width, height=avatar.height)
    tell("credit", session="check", frames=protocol.MAXIMUM_CREDIT)
    sound = beeps(seconds)
    answers: list[list[bytes]] = []
    inference.busy_seconds = 0
    for first in range(0, len(sound), 3200):
        part = sound[first : first + 3200]
        answers += tell("speech", part.tobytes(), session="check", epoch=0, utterance="u", first_sample=first, idle_position=0)
    answers += tell("end", session="check", epoch=0, utterance="u", samples=len(sound))
    kinds = [parts[0].split(b'"type":"', 1)[1].split(b'"', 1)[0].decode() for parts in answers]
    expected = -(-len(sound) * avatar.fps // SAMPLE_RATE)
    frames = kinds.count("frame")
    rate = frames / inference.busy_seconds if inference.busy_seconds else 0
    print(f"avatar {avatar.id}: {avatar.width}x{avatar.height} {avatar.pixel_format}, {frames} of {expected:.0f} pictures for "
          f"{seconds:g} s of speech, {rate:.0f} pictures a second ({rate / avatar.fps:.1f} x real time)")
    tell("clear", session="check", epoch=1)
    tell("detach", session="check")
    if "refused" in kinds:
        raise CheckFailure(f"avatar {avatar.id}: it refused the speech")
    if kinds[-1:] != ["utterance_done"] or not 0.5 * expected <= frames <= expected + 1:
        raise CheckFailure(f"avatar {avatar.id}: {frames} pictures instead of {expected:.0f}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m avatar_engine.check",
        description="Try an engine of your own without a server. Engines with options have --check on their own command line.")
    parser.add_argument("engine", metavar="MODULE:CLASS", help="an Engine class that needs no arguments, as my_engine:MyEngine")
    module, _, name = parser.parse_args(arguments).engine.partition(":")
    sys.path.insert(0, os.getcwd())
    logging.basicConfig(stream=sys.stderr, level="INFO", format="%(levelname)s %(message)s")
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        print(f"{module}:{name}: {error}", file=sys.stderr)
        return 2
    return check(make())


if __name__ == "__main__":
    sys.exit(main())
