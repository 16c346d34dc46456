"""Projects that mean harm, as far as the worker itself is concerned: what it answers, and that it is there or gone. Limits are the server's."""
from __future__ import annotations

import sys
import time

import pytest

from conftest import PATIENCE, ROOT, Ended

sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))

from hostile_projects import PROJECTS  # noqa: E402 - the path above is needed first

#: They need the server's limits, or would reach this test's own process.
NOT_HERE = {"fork_bomb", "thread_bomb", "eats_memory", "fills_scratch", "one_large_file", "many_files", "writes_outside", "replaces_its_files",
            "kills_parent", "daemon", "holds_pipes", "hangs_on_import", "crashes_again_and_again", "zombies", "never_stops",
            "speaks_for_the_worker"}
#: They are not gone, they are silent: the server sees that by their heartbeats.
SILENT = {"blocks_in_c", "stops_itself", "closes_descriptors"}
HERE = {name: project for name, project in PROJECTS.items() if name not in NOT_HERE}


def is_gone_or_silent(worker) -> bool:
    """Three seconds without a heartbeat are two that were missed."""
    worker.waiting["control"].clear()
    seen = len(worker.heartbeats)
    end = time.monotonic() + 3.5
    while time.monotonic() < end:
        try:
            worker.receive("control", 0.2)
        except TimeoutError:
            continue
        except Ended:
            return True
    return len(worker.heartbeats) <= seen + 1


@pytest.mark.parametrize("name", [name for name, project in HERE.items() if project.load == "failed"])
def test_what_cannot_be_loaded_is_told_or_ends(start, name):
    worker = start(HERE[name].files)
    if name.startswith("exits"):
        # Whatever had been sent by then.
        assert worker.wait() == 3
    else:
        worker.expect("control", "hello")
        worker.expect("control", "loading")
        assert worker.expect("control", "failed")["error"]
        assert worker.wait() == 1


@pytest.mark.parametrize("name", [name for name, project in HERE.items() if project.load == "ready" and project.call])
def test_a_call_is_answered_or_the_worker_is_gone(run, name, tmp_path):
    project = HERE[name]
    worker = run(project.files, AVATAR_STREAMER_SCRATCH=str(tmp_path))
    object_, method, arguments = project.call
    identifier = worker.start_call(object_, method, **arguments)
    if name in SILENT:
        assert is_gone_or_silent(worker)
    elif project.ending == "worker_ended":
        assert worker.wait() != 0
    elif project.ending == "timeout":
        worker.beat(2)
        worker.interrupt(identifier)
        if name == "never_returns":
            assert worker.receive("calls")["code"] == "interrupted"
        worker.beat(2)
    else:
        try:
            answers = [worker.receive("calls", 2 * PATIENCE)]
            while answers[-1]["id"] != identifier:
                answers.append(worker.receive("calls"))
        except Ended:
            assert project.ending == "contained"
            return
        if project.ending in ("result", "error"):
            assert answers[-1]["type"] == project.ending, answers[-1]
        if name == "reserved_pushes":
            assert answers[-1]["value"] == 7
        worker.beat(2)
