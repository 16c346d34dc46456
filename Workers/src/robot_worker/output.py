"""Standard streams and logging: lines that reach the server as they are written."""
from __future__ import annotations

import contextlib
import logging
import os
import sys


def prepare_streams() -> int:
    """Whole lines in UTF-8. Returns a descriptor that ends with the server; the project's own standard input is empty."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    lifeline = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return lifeline


def prepare_logging() -> None:
    """The last resort is for records that find no handler: the project's own `basicConfig` stays possible."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.lastResort = handler  # type: ignore[assignment]
    logging.getLogger().setLevel(os.environ.get("LOG_LEVEL", "").upper() if _is_level(os.environ.get("LOG_LEVEL", "")) else "INFO")


def _is_level(name: str) -> bool:
    return name.upper() in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def complain(text: str) -> None:
    """A line of the worker's own. Without Python's streams: the project may have closed, locked or replaced them."""
    with contextlib.suppress(OSError):
        os.write(2, f"robot_worker: {text}\n".encode("utf-8", "backslashreplace"))
