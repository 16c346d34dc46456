"""Finds the project's entry and runs it as a module."""
from __future__ import annotations

import importlib.util
import os
import sys
from types import ModuleType

from .project import push_message

#: The package's name where the folder has an `__init__.py`: the folder's own (`current`) means nothing.
PACKAGE = "robot_project"


class LoadFailure(Exception):
    """`stage` is `find`, `import` or `init`; `cause` what the project's code raised."""

    def __init__(self, stage: str, reason: str, cause: BaseException | None = None) -> None:
        super().__init__(reason)
        self.stage, self.reason, self.cause = stage, reason, cause


def load(folder: str) -> ModuleType:
    """Runs `main.py`, else `__init__.py`. With both, `main.py` is a module of the package: `from . import other` works."""
    main, package = os.path.join(folder, "main.py"), os.path.join(folder, "__init__.py")
    if not os.path.isfile(main) and not os.path.isfile(package):
        raise LoadFailure("find", "The project has neither a main.py nor an __init__.py")
    # The server's copy of a project never changes.
    sys.dont_write_bytecode = True
    # The folder first, and once: `-m` may have put it there already, as a relative path.
    sys.path[:] = [folder, *(entry for entry in sys.path if entry and os.path.abspath(entry) != folder)]
    try:
        module = _run(PACKAGE, package, [folder]) if os.path.isfile(package) else None
        if os.path.isfile(main):
            name = f"{PACKAGE}.main" if module else "main"
            module = _run(name, main, None, alias="main")
    except BaseException as problem:  # noqa: B902 - also SystemExit
        from .failures import words

        raise LoadFailure("import", words(problem), problem) from problem
    assert module is not None
    return module


def _run(name: str, path: str, search: list[str] | None, alias: str | None = None) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=search)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    module.push_message = push_message  # type: ignore[attr-defined]
    sys.modules[name] = module
    if alias:
        sys.modules[alias] = module
    spec.loader.exec_module(module)
    return module
