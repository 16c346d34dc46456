"""What can be called in a project, for people: the `objects` of `ready`. Runs none of the project's code on purpose, and never fails."""
from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from .lookup import MODULE_NAME, Project
from .messages import cut, encode

OBJECT_LIMIT = 200
METHOD_LIMIT = 2_000
ARGUMENT_LIMIT = 64
#: Bytes of all descriptions together; what does not fit is left out.
TOTAL_LIMIT = 12 * 1024 * 1024
_PLAIN = (type(None), bool, int, float, str, bytes)


def describe(project: Project) -> list[dict[str, Any]]:
    """The objects and their methods, at most so many."""
    room, left = METHOD_LIMIT, TOTAL_LIMIT
    described: list[dict[str, Any]] = []
    for name, value in project.objects():
        if len(described) == OBJECT_LIMIT - 1 or room == 0:
            break
        is_class = isinstance(value, type)
        kind = value if isinstance(value, type) else type(value)
        own = {} if is_class else _instance_members(value)
        methods = _methods(_members(kind, own), room)
        room -= len(methods)
        described.append({"name": cut(name), "kind": "class" if is_class else "object", "class": cut(str(kind.__name__)),
                          "doc": _doc(kind), "methods": methods})
        left -= len(encode(described[-1]))
        if left < 0:
            return described[:-1]
    functions = ((name, member) for name, member in list(vars(project.module).items())
                 if isinstance(member, FunctionType) and member.__module__ == project.module.__name__)
    methods = _methods(functions, room, is_bound=False)
    if methods:
        described.append({"name": MODULE_NAME, "kind": "module", "class": "module", "doc": _doc(project.module), "methods": methods})
    return described if len(encode({"": described})) <= TOTAL_LIMIT else described[:-1]


def _instance_members(value: object) -> dict[str, Any]:
    try:
        members = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return members if type(members) is dict else {}


def _members(kind: type, own: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Functions that an instance has, by static look-up: no property and no `__getattr__` runs."""
    seen = set()
    for name, member in list(own.items()):
        if isinstance(member, FunctionType):
            seen.add(name)
            # As if it were static: it is called without `self`.
            yield name, staticmethod(member)
    for parent in type.__getattribute__(kind, "__mro__"):
        if parent is object:
            continue
        for name, member in list(type.__getattribute__(parent, "__dict__").items()):
            if name not in seen:
                seen.add(name)
                yield name, member


def _methods(members: Any, room: int, is_bound: bool = True) -> list[dict[str, Any]]:
    methods: list[dict[str, Any]] = []
    for name, member in members:
        if len(methods) == room:
            break
        if not isinstance(name, str) or name.startswith("_"):
            continue
        skips_first = is_bound and not isinstance(member, staticmethod)
        function = member.__func__ if isinstance(member, (staticmethod, classmethod)) else member
        if not isinstance(function, FunctionType):
            continue
        methods.append({"name": cut(name), "doc": _doc(function), "arguments": _arguments(function, skips_first)})
    return methods


def _arguments(function: FunctionType, skips_first: bool) -> list[dict[str, Any]]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except BaseException:  # noqa: B902 - a decorator may have put anything there
        return [{"name": "kwargs", "kind": "any", "required": False, "default": None, "annotation": None}]
    arguments = []
    for parameter in parameters[1 if skips_first else 0 :][:ARGUMENT_LIMIT]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            continue  # Arguments come by name.
        takes_any = parameter.kind is parameter.VAR_KEYWORD
        has_default = parameter.default is not parameter.empty
        arguments.append({"name": cut(parameter.name), "kind": "any" if takes_any else "keyword",
                          "required": not takes_any and not has_default, "default": _source(parameter.default) if has_default else None,
                          "annotation": None if parameter.annotation is parameter.empty else _annotation(parameter.annotation)})
    return arguments


def _source(value: Any) -> str:
    if type(value) in _PLAIN:
        return cut(repr(value))
    try:
        return cut(repr(value)) if type(value) in (list, tuple, dict, set) else f"<{type(value).__name__}>"
    except BaseException:  # noqa: B902 - repr of what is in it is the project's code
        return f"<{type(value).__name__}>"


def _annotation(value: Any) -> str:
    if isinstance(value, str):
        return cut(value)
    if type(value) is type:
        return cut(value.__name__)
    try:
        return cut(str(value).removeprefix("typing."))
    except BaseException:  # noqa: B902
        return "?"


def _doc(thing: FunctionType | ModuleType | type) -> str | None:
    text = type.__getattribute__(thing, "__dict__").get("__doc__") if isinstance(thing, type) else thing.__doc__
    return cut(inspect.cleandoc(text)) if isinstance(text, str) else None
