"""One call: from the message to the bytes that answer it."""
from __future__ import annotations

import json
from dataclasses import dataclass
from types import CoroutineType
from typing import Any

from .failures import traceback_of, words
from .lookup import LookupFailure, Project
from .messages import NotJSON, TooLarge, cut, encode, encode_with
from .output import complain


class Interrupted(BaseException):
    """Raised in a call that the server interrupts. No `Exception`: a project that catches those does not catch it."""


@dataclass(frozen=True)
class Call:
    """What the server asks for."""

    id: str
    object: str
    method: str
    arguments: dict[str, Any]

    @classmethod
    def parse(cls, data: bytes) -> Call | None:
        """None, and a line in the log, for what is no call."""
        try:
            message = json.loads(data)
            if message["type"] != "call":
                raise ValueError(f"of type {message['type']!r}")
            call = cls(message["id"], message["object"], message["method"], message["args"])
            if not all(isinstance(text, str) for text in (call.id, call.object, call.method)) or not isinstance(call.arguments, dict):
                raise ValueError("a field is of the wrong kind")
        except (ValueError, KeyError, TypeError, RecursionError) as problem:
            complain(f"a message on calls was dropped: {problem!r}")
            return None
        return call


def answer(project: Project, call: Call) -> bytes:
    """Calls, and tells what came of it. Only `Interrupted` leaves this function; it may come at any point in it."""
    try:
        value = resolve(project, call)(**call.arguments)
        if isinstance(value, CoroutineType):
            value = run_coroutine(value)
    except Interrupted:
        raise
    except LookupFailure as failure:
        return _error(call, failure.code, str(failure))
    except BaseException as problem:  # noqa: B902 - also SystemExit: it ends the call, not the worker
        # Raised by the call itself, not below it: the arguments do not fit.
        is_misfit = isinstance(problem, TypeError) and problem.__traceback__ is not None and problem.__traceback__.tb_next is None
        if is_misfit:
            return _error(call, "bad_arguments", words(problem))
        return _error(call, "exception", words(problem), traceback_of(problem))
    try:
        return encode_with({"type": "result", "id": call.id}, "value", value)
    except (NotJSON, TooLarge) as problem:
        return _error(call, problem.code, f"{call.object}.{call.method}: {problem}")
    except (Exception, SystemExit) as problem:  # The project's own subclass of a list or a dict may raise anything.
        return _error(call, "not_json", f"{call.object}.{call.method}: {words(problem)}", traceback_of(problem))


def resolve(project: Project, call: Call) -> Any:
    """The method."""
    return project.method(call.object, call.method)


def run_coroutine(coroutine: Any) -> object:
    """In an event loop of its own: tasks that it leaves behind are cancelled."""
    import asyncio

    return asyncio.run(coroutine)


def interrupted(identifier: str) -> bytes:
    """The answer to a call that was ended."""
    return encode({"type": "error", "id": identifier, "code": "interrupted", "error": "The call was interrupted", "traceback": None})


def _error(call: Call, code: str, reason: str, traceback: str | None = None) -> bytes:
    return encode({"type": "error", "id": call.id, "code": code, "error": cut(reason), "traceback": traceback})
