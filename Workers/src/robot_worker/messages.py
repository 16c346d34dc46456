"""Messages as bytes, and values that the project gave: what of them is JSON that the server takes."""
from __future__ import annotations

import json
import math
from typing import Any

#: Bytes of one message (docs/protocols/worker.md).
MESSAGE_LIMIT = 16 * 1024 * 1024
#: Brackets within brackets of one message.
DEPTH_LIMIT = 16
#: Text that is for people.
TEXT_LIMIT = 2_000
TRACEBACK_LIMIT = 16_000

_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode


class NotJSON(Exception):
    """A value that has no form in JSON."""

    code = "not_json"


class TooLarge(Exception):
    """A value whose message would be longer than the server takes."""

    code = "too_large"


def encode(message: dict[str, Any]) -> bytes:
    """A message of ours. Whatever text is in it, it can be sent."""
    return _encode(message).encode("utf-8", "replace")


def encode_with(message: dict[str, Any], field: str, value: object) -> bytes:
    """The message with the project's value in one field; raises `NotJSON` or `TooLarge`, which tell what is wrong with it."""
    if type(value) not in (bool, type(None)):
        _check(value)
    try:
        text = _encode({**message, field: value})
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        raise NotJSON("The value holds text with half of a surrogate pair, which is no UTF-8") from None
    except (TypeError, ValueError, RecursionError) as problem:
        raise NotJSON(f"The value is not JSON: {problem}") from None
    if len(data) > MESSAGE_LIMIT:
        raise TooLarge(f"The value is {len(data)} bytes of JSON; at most {MESSAGE_LIMIT} are taken")
    return data


def _check(value: object) -> None:
    """Walks the value without recursion: a cycle ends at the depth limit, a value that never ends at the size limit."""
    room = MESSAGE_LIMIT
    # One entry a level: what is still to be looked at there, and where the level lies.
    levels: list[tuple[Any, str]] = [(iter((("", value),)), "")]
    while levels:
        iterator, path = levels[-1]
        entry = next(iterator, None)
        if entry is None:
            levels.pop()
            continue
        step, item = entry
        room -= 2
        if isinstance(item, str):
            room -= len(item)
        elif isinstance(item, float):
            if not math.isfinite(item):
                raise NotJSON(f"{_place(path, step)} is {item!r}, which JSON has no form for")
        elif isinstance(item, int):
            if abs(item) >> 1023:
                raise NotJSON(f"{_place(path, step)} is a whole number of {item.bit_length()} bits; at most 1023 are taken")
        elif isinstance(item, (dict, list, tuple)):
            if len(levels) >= DEPTH_LIMIT:
                raise NotJSON(f"The value is nested deeper than {DEPTH_LIMIT - 1}, or contains itself")
            if not _is_plain(item):
                levels.append((_entries(item, path + step), path + step))
            else:
                room -= 2 * len(item)
        elif item is not None:
            raise NotJSON(f"{_place(path, step)} is of type {type_name(item)}, which JSON has no form for")
        if room < 0:
            raise TooLarge(f"The value is more than {MESSAGE_LIMIT} bytes of JSON; no more are taken")


def _is_plain(item: Any) -> bool:
    """Whether it is a list of numbers, none of which JSON lacks: seen without a step of Python for each."""
    if type(item) not in (list, tuple) or not item:
        return False
    kinds = set(map(type, item))
    if kinds == {float}:
        return math.isfinite(sum(item))
    return kinds == {int} and not (abs(max(item)) >> 1023 or abs(min(item)) >> 1023)


def _entries(item: Any, path: str) -> Any:
    if isinstance(item, dict):
        for key, inner in item.items():
            if not isinstance(key, str):
                raise NotJSON(f"A key of {_place(path, '')} is of type {type_name(key)}; JSON's keys are text")
            yield f".{key[:40]}", inner
            if len(key) > MESSAGE_LIMIT:
                raise TooLarge(f"A key is longer than {MESSAGE_LIMIT} bytes")
    else:
        for index, inner in enumerate(item):
            yield f"[{index}]", inner


def _place(path: str, step: str) -> str:
    return f"The value at {path}{step}" if path or step else "The value"


def type_name(value: object) -> str:
    """`datetime.datetime`, `bytes`: for people."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def cut(text: str, limit: int = TEXT_LIMIT) -> str:
    """At most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
