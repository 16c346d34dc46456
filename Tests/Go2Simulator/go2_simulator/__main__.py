"""`python -m go2_simulator`: prints one line of JSON with its ports when it is ready, and stops at SIGTERM or when its parent is gone."""
from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys

from .control import Control
from .faults import Faults
from .robot import Robot
from .settings import Settings, parse_arguments


async def run(settings: Settings, faults: Faults) -> None:
    """Serves until told to stop."""
    parent = os.getppid()
    robot = Robot(settings, faults)
    await robot.prepare()
    control = Control(robot)
    port = await control.start(settings.control_port)
    await robot.start()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, control.stopping.set)
    print(json.dumps({"ready": True, "address": settings.address, "ports": robot.ports, "control": port, "serial": settings.serial,
                      "aes_key": settings.aes_key}), flush=True)
    while not control.stopping.is_set():
        try:
            await asyncio.wait_for(control.stopping.wait(), 0.5)
        except TimeoutError:
            if settings.parent_watch and parent != 1 and os.getppid() != parent:
                break
    await robot.stop()


def main() -> None:
    """The command line."""
    logging.basicConfig(level=os.environ.get("GO2_SIMULATOR_LOG", "WARNING"), stream=sys.stderr)
    settings, faults = parse_arguments()
    try:
        asyncio.run(run(settings, faults))
    except OSError as problem:
        sys.exit(f"go2_simulator: {problem}")


main()
