"""`stop`, `shutdown`, and the ends that nobody ordered."""
from __future__ import annotations

import os
import signal
import time

import pytest

PROJECT = """
    import atexit, threading, time
    order = []
    class Part:
        def __init__(self, name="lazy"):
            self.name, self.ending, self.thread = name, threading.Event(), None
        def run(self):
            self.thread = threading.Thread(target=self.ending.wait, name=f"run-{self.name}")
            self.thread.start()
            return len(order)
        def wait(self):
            push_message("begun")
            self.ending.wait()
            return "ended by stop"
        def stop(self):
            order.append(self.name)
            push_message("stopped", self.name)
            self.ending.set()
            if self.name == "broken":
                raise RuntimeError("will not")
    class Lazy(Part):
        pass
    class Never(Part):
        pass
    context = {"first": Part("first"), "broken": Part("broken"), "text": "stop"}
    second = Part("second")
    again = second
    def stop():
        order.append("module")
    def get():
        return order
    atexit.register(push_message, "atexit")
"""


def test_stop_reaches_every_object_once_and_keeps_everything(run):
    worker = run(PROJECT)
    worker.value("Lazy", "run")
    worker.value("second", "run")
    stopped = worker.stop()
    assert stopped == {"type": "stopped", "errors": ["broken.stop(): RuntimeError: will not"], "threads": []}
    assert worker.value("main", "get") == ["first", "broken", "lazy", "second"]
    assert worker.stop()["threads"] == []
    assert len(worker.value("main", "get")) == 8
    assert [worker.expect("events", "push")["event"] for _ in range(8)] == ["stopped"] * 8


def test_stop_of_the_module_where_no_object_has_one(run):
    worker = run("""
        order = []
        class Plain:
            stop = 3
            def __getattr__(self, name):
                raise SystemExit("asked")
        plain = Plain()
        async def stop():
            order.append("module")
        def get():
            return order
    """)
    assert worker.stop() == {"type": "stopped", "errors": [], "threads": []}
    assert worker.value("main", "get") == ["module"]
    worker = run("def ping():\n    return 1\n")
    assert worker.stop() == {"type": "stopped", "errors": [], "threads": []}
    assert worker.value("main", "ping") == 1


def test_stop_ends_a_call_that_waits_for_it(run):
    worker = run(PROJECT)
    worker.start_call("second", "wait")
    worker.expect("events", "push")
    worker.stop()
    assert worker.receive("calls")["value"] == "ended by stop"


def test_threads_that_do_not_end_are_named_after_the_time_that_is_given(run):
    worker = run("""
        import threading
        never = threading.Event()
        def go():
            threading.Thread(target=never.wait, name="endless", daemon=True).start()
            threading.Thread(target=never.wait, name="also endless").start()
    """)
    worker.value("main", "go")
    begun = time.monotonic()
    assert sorted(worker.stop(0.5)["threads"]) == ["also endless", "endless"]
    assert 0.5 <= time.monotonic() - begun < 5
    worker.send("control", {"type": "shutdown", "seconds": 0.1})
    assert sorted(worker.expect("control", "stopped")["threads"]) == ["also endless", "endless"]
    assert worker.wait() == 0


def test_a_stop_that_hangs_or_leaves_is_an_error(run):
    worker = run("""
        import sys, time
        class Hanging:
            def stop(self):
                time.sleep(60)
        class Leaving:
            def stop(self):
                sys.exit(3)
        context = {"leaving": Leaving(), "hanging": Hanging()}
        def ping():
            return 1
    """)
    assert worker.stop(0.3)["errors"] == ["leaving.stop(): SystemExit: 3", "hanging.stop() did not end in time"]
    assert worker.value("main", "ping") == 1 and worker.beat(2)


@pytest.mark.parametrize("mode", ["ordered", "concurrent"])
def test_shutdown_stops_says_so_and_exits(run, mode):
    worker = run(PROJECT, AVATAR_STREAMER_CALLS=mode)
    assert worker.value("main", "get") == []
    worker.send("control", {"type": "shutdown", "seconds": 5})
    assert worker.expect("control", "stopped")["threads"] == []
    assert [worker.expect("events", "push").get("data") for _ in range(4)] == ["first", "broken", "second", None]
    assert worker.wait() == 0


def test_a_stop_does_not_wait_for_the_shutdown_that_waits_for_it(run):
    worker = run("""
        import threading
        end = threading.Event()
        def finish():
            end.set()
        def stop():
            push_message("stopping")
            end.wait()
    """)
    worker.send("control", {"type": "stop", "seconds": 30})
    worker.expect("events", "push")
    worker.send("control", {"type": "shutdown", "seconds": 30})
    worker.beat(2)
    assert worker.value("main", "finish") is None
    assert worker.expect("control", "stopped") == {"type": "stopped", "errors": [], "threads": []}
    worker.expect("control", "stopped")
    assert worker.wait() == 0


def test_shutdown_does_not_wait_for_a_call_that_never_ends(run):
    worker = run("import time\ndef go():\n    push_message('begun')\n    while True:\n        pass\n")
    worker.start_call("main", "go")
    worker.expect("events", "push")
    worker.send("control", {"type": "shutdown", "seconds": 1})
    worker.expect("control", "stopped")
    assert worker.wait() == 0


def test_shutdown_of_a_project_that_is_still_loading(start):
    worker = start("import time\ntime.sleep(60)\n")
    worker.expect("control", "hello")
    worker.expect("control", "loading")
    worker.send("control", {"type": "shutdown", "seconds": 1})
    worker.expect("control", "stopped")
    assert worker.wait() == 0


@pytest.mark.parametrize("busy", ["idle", "sleep", "loop"])
@pytest.mark.parametrize("cause", ["sigterm", "stdin"])
def test_the_worker_stops_and_exits_when_it_is_told_to_or_alone(run, busy, cause):
    worker = run("""
        import time
        def sleep():
            push_message("begun")
            time.sleep(60)
        def loop():
            push_message("begun")
            while True:
                pass
        def stop():
            print("stopping")
    """)
    if busy != "idle":
        worker.start_call("main", busy)
        worker.expect("events", "push")
    if cause == "stdin":
        worker.process.stdin.close()
    else:
        worker.process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    worker.wait()
    assert time.monotonic() - begun < 5 and worker.lines == [b"stopping\n"]


def test_sigint_changes_nothing(run):
    worker = run("import time\ndef go():\n    push_message('begun')\n    time.sleep(0.5)\n    return 'slept'\n")
    worker.start_call("main", "go")
    worker.expect("events", "push")
    worker.process.send_signal(signal.SIGINT)
    assert worker.receive("calls")["value"] == "slept"


def test_a_call_that_ends_the_process(run):
    worker = run("import os\ndef leave():\n    os._exit(5)\n")
    worker.start_call("main", "leave")
    assert worker.wait() == 5


def test_children_of_the_project_are_ordinary_processes(run):
    worker = run("""
        import multiprocessing, os, signal, subprocess, sys, time
        def child(connection):
            try:
                push_message("from a child")
            except RuntimeError as problem:
                connection.send(str(problem))
            time.sleep(60)
        def go(method):
            context = multiprocessing.get_context(method)
            ours, theirs = context.Pipe()
            process = context.Process(target=child, args=(theirs,))
            process.start()
            answer = ours.recv() if method == "fork" else process.pid > 0
            process.terminate()
            process.join(20)
            return [answer, process.exitcode]
        def program():
            code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, input())"
            return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr.splitlines()[-1]
        def alive():
            return True
    """)
    assert worker.value("main", "go", method="fork") == ["push_message works in the worker's own process only", -signal.SIGTERM]
    assert worker.value("main", "go", method="spawn") == [True, -signal.SIGTERM]
    assert worker.value("main", "program") == "EOFError: EOF when reading a line"
    worker.beat(2)
    assert worker.value("main", "alive") is True and os.getpgid(worker.process.pid) == worker.process.pid


def test_a_worker_whose_server_does_not_listen_ends(start, tmp_path):
    worker = start("", AVATAR_STREAMER_WORKER_ENDPOINT=f"ipc://{tmp_path}/nobody")
    worker.process.stdin.close()
    assert worker.wait(5) == 143
