"""Exceptions of the project's code as text."""
from __future__ import annotations

import os

from .messages import TRACEBACK_LIMIT, cut


def words(problem: BaseException) -> str:
    """The exception's own message, as the former service told it; its name where it has none, or where it is no `Exception`."""
    name = type(problem).__name__
    try:
        text = str(problem)
    except BaseException:  # noqa: B902 - the project's __str__ may do anything
        text = ""
    if not isinstance(problem, Exception):
        return cut(f"{name}: {text}" if text else name)
    return cut(text or name)


def traceback_of(problem: BaseException) -> str | None:
    """Python's traceback from the first frame of the project's own; its end where it is long."""
    import traceback

    frames = problem.__traceback__
    while frames is not None and _is_on_the_way(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    try:
        lines = traceback.format_exception(type(problem), problem, frames)
    except BaseException:  # noqa: B902
        return None
    text = "".join(lines)
    return text if len(text) <= TRACEBACK_LIMIT else "…" + text[1 - TRACEBACK_LIMIT :]


def _is_on_the_way(file: str) -> bool:
    return file.startswith((_HERE, "<frozen ")) or os.path.basename(os.path.dirname(file)) == "asyncio"


_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
