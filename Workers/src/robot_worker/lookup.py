"""What a call names: an object of the project's context, an attribute of its module, and a method of that."""
from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType

MODULE_NAME = "main"


class LookupFailure(Exception):
    """Nothing is there by that name."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Project:
    """The loaded module and the instances that calls made of its classes."""

    def __init__(self, module: ModuleType, folder: str) -> None:
        self.module, self.folder = module, folder
        self._instances: dict[type, object] = {}
        self._instantiation = threading.RLock()

    @property
    def context(self) -> dict[object, object]:
        """The project's own `context`, where it has one."""
        context = vars(self.module).get("context")
        return context if isinstance(context, dict) else {}

    def method(self, object_name: str, method_name: str) -> object:
        """What is to be called. A class is instantiated, once."""
        found = self._object(object_name)
        if isinstance(found, type):
            found = self._instance(found)
        method = None if method_name.startswith("_") else getattr(found, method_name, None)
        if not callable(method):
            raise LookupFailure("unknown_method", f"Object '{object_name}' has no method '{method_name}'")
        return method

    def objects(self) -> Iterator[tuple[str, object]]:
        """Names and values that people are meant to call: the context's, then the module's instances and the project's own classes."""
        seen = set()
        for name, value in list(self.context.items()):
            if isinstance(name, str) and not name.startswith("_") and not _is_no_object(value):
                seen.add(name)
                yield name, value
        for name, value in list(vars(self.module).items()):
            if name in seen or name.startswith("_") or _is_no_object(value):
                continue
            if self._is_own(value) if isinstance(value, type) else not _is_of_python(type(value)):
                yield name, value

    def living(self) -> Iterator[tuple[str, object]]:
        """Those that have a state: instances, also those that calls made, each once."""
        seen: set[int] = set()
        for name, value in self.objects():
            if isinstance(value, type):
                value = self._instances.get(value)
            if value is not None and id(value) not in seen:
                seen.add(id(value))
                yield name, value
        for kind, value in list(self._instances.items()):
            if id(value) not in seen:
                yield kind.__name__, value

    def _object(self, name: str) -> object:
        if not name.startswith("_"):
            context = self.context
            if name in context:
                return context[name]
            found = vars(self.module).get(name)
            if found is not None and not _is_no_object(found):
                return found
            if name == MODULE_NAME:
                return self.module
            if found is not None and not isinstance(found, ModuleType):
                return found
        raise LookupFailure("unknown_object", f"Object '{name}' not found in context or module")

    def _instance(self, kind: type) -> object:
        with self._instantiation:
            if kind not in self._instances:
                self._instances[kind] = kind()
            return self._instances[kind]

    def _is_own(self, kind: type) -> bool:
        file = getattr(sys.modules.get(str(kind.__module__)), "__file__", None)
        return isinstance(file, str) and os.path.abspath(file).startswith(self.folder + os.sep)


def _is_no_object(value: object) -> bool:
    return isinstance(value, (ModuleType, FunctionType, BuiltinFunctionType))


def _is_of_python(kind: type) -> bool:
    """Whether it is a type of Python's own library: paths, locks, loggers and texts are no objects to call."""
    return str(kind.__module__).partition(".")[0] in sys.stdlib_module_names
