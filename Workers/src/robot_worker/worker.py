"""A worker's life: hello, loading, ready, calls."""
from __future__ import annotations

import os
import platform
import threading
import time
from typing import Any

from . import project as public
from .answering import run_coroutine
from .concurrent_calls import ConcurrentCalls
from .control import Control
from .failures import traceback_of, words
from .inspection import describe
from .loading import LoadFailure, load
from .lookup import Project
from .ordered import OrderedCalls
from .output import complain, prepare_logging, prepare_streams
from .pushing import Pusher
from .settings import Settings, SettingsError
from .stopping import Stopper

PROTOCOL = 1
#: A server on this machine that has not greeted the second and third socket by then does not listen.
GREETING_SECONDS = 10


def run() -> int:
    """Returns only where the worker was not started as it should be; else the process ends by the control thread."""
    try:
        settings = Settings.take()
    except SettingsError as problem:
        complain(f"{problem}")
        return 64
    lifeline = prepare_streams()
    prepare_logging()
    pusher = Pusher(settings.endpoint)
    calls = ConcurrentCalls(settings.endpoint) if settings.is_concurrent else OrderedCalls(settings.endpoint)
    own: list[threading.Thread] = []
    orders = "robot-worker-"
    stopper = Stopper(lambda: [*own, *(thread for thread in threading.enumerate() if thread.name.startswith(orders))])
    control = Control(settings.endpoint, lifeline, calls, pusher, stopper)
    control.send("hello", protocol=PROTOCOL, token=settings.token, pid=os.getpid(), runtime=f"python {platform.python_version()}")
    own.append(control.start())
    if not pusher.is_open(GREETING_SECONDS) or not calls.is_open(GREETING_SECONDS):
        complain("the server does not answer")
        control.leave(1)
    own.append(pusher.start())
    public.connect(pusher.push)
    control.send("loading")
    begun = time.monotonic()
    try:
        project = _load(settings.project, stopper)
    except LoadFailure as failure:
        trace = traceback_of(failure.cause) if failure.cause else None
        control.send("failed", stage=failure.stage, error=failure.reason, traceback=trace)
        control.leave(1)
    control.send("ready", objects=_described(project), import_seconds=round(time.monotonic() - begun, 6))
    calls.serve(project)


def _load(folder: str, stopper: Stopper) -> Project:
    project = Project(load(folder), folder)
    stopper.project = project
    init = vars(project.module).get("init")
    if callable(init):
        try:
            outcome = init()
            if hasattr(outcome, "cr_frame"):
                run_coroutine(outcome)
        except BaseException as problem:  # noqa: B902
            raise LoadFailure("init", words(problem), problem) from problem
    return project


def _described(project: Project) -> list[dict[str, Any]]:
    try:
        return describe(project)
    except BaseException as problem:  # noqa: B902 - a metaclass may do anything; the project can be called all the same
        complain(f"the project cannot be described: {words(problem)}")
        return []
