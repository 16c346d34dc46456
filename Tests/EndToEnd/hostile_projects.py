"""Projects that mean harm, or are as broken as if they did. Each is bounded: it does on a machine without any protection no more than is written here.

`PROJECTS[name]` has the files of the project, what is called, and what must be seen. Every one of them must leave: the server answering, its memory
and descriptors as before, no process of the project (look for `MARK` in `/proc/*/environ`, which whoever starts the server has put there: processes that
leave the group and the session keep it), and a good project that can be uploaded and called afterwards.
"""
from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Any

#: What `MARK` in the server's environment is called; its value is the test's.
MARK = "AVATAR_STREAMER_TEST_MARK"


@dataclass(frozen=True)
class HostileProject:
    """`load`: `ready`, `failed` (the upload is refused, the former project runs on), or `either`. `ending`: what becomes of the call."""

    files: dict[str, str]
    #: What must be seen.
    seen: str
    load: str = "ready"
    #: (object, method, arguments), or None where loading is all.
    call: tuple[str, str, dict[str, Any]] | None = ("main", "go", {})
    #: `result`; `error` (any code, the worker goes on); `timeout` (by interrupt or `max_execution_time`); `worker_ended`; `contained`: any of these,
    #: it depends on the limits that are in force.
    ending: str = "result"
    #: Names of what is needed of the machine for the containment to be complete: `cgroup`, `landlock`, `not_root`.
    needs: tuple[str, ...] = field(default=())


def _project(main: str, seen: str, **more: Any) -> HostileProject:
    return HostileProject({"main.py": textwrap.dedent(main)}, seen, **more)


PROJECTS: dict[str, HostileProject] = {
    # Processes.
    "daemon": _project("""
        import os, time
        def go():
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    for descriptor in range(0, 1024):
                        try:
                            os.close(descriptor)
                        except OSError:
                            pass
                    time.sleep(300)
                os._exit(0)
            return "daemon started"
    """, "the call is answered; when the worker ends (restart, update, shutdown of the server) the daemon is gone too, though it left the session"),
    "fork_bomb": _project("""
        import os, time
        def go(limit=400):
            started = 0
            try:
                for _ in range(limit):
                    if os.fork() == 0:
                        time.sleep(120)
                        os._exit(0)
                    started += 1
            except OSError as problem:
                return {"started": started, "refused": str(problem)}
            return {"started": started}
    """, "fork fails at the limit of processes, or the watch ends the worker with its reason; no child is left after the worker", ending="contained"),
    "thread_bomb": _project("""
        import threading, time
        def go(limit=2000):
            threads = []
            try:
                for _ in range(limit):
                    threads.append(threading.Thread(target=time.sleep, args=(120,), daemon=True))
                    threads[-1].start()
            except RuntimeError as problem:
                return {"started": len(threads), "refused": str(problem)}
            return {"started": len(threads)}
    """, "as fork_bomb: threads count as processes; `stopped` names them at most", ending="contained"),
    "zombies": _project("""
        import os
        def go():
            for _ in range(200):
                if os.fork() == 0:
                    os._exit(0)
            return 200
    """, "the zombies go with the worker", ending="contained"),
    "holds_pipes": _project("""
        import subprocess, sys
        def go():
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
            return "child holds the pipes"
    """, "the end of the worker is told at once, not when the child closes standard output; the child is ended"),
    "kills_parent": _project("""
        import os, signal
        def go():
            os.kill(os.getppid(), signal.SIGTERM)
            return "sent"
    """, "where the worker has a user of its own (or a PID namespace): PermissionError. As the server's own user it cannot be kept from it: the server drains "
         "and ends in good order, and leaves nothing", ending="contained", needs=("not_root",)),
    "kills_group": _project("""
        import os, signal
        def go():
            os.killpg(0, signal.SIGKILL)
    """, "the worker's own group is all that dies: the server has another one; it starts the worker again after the pause", ending="worker_ended"),
    "stops_itself": _project("""
        import os, signal
        def go():
            os.kill(os.getpid(), signal.SIGSTOP)
    """, "heartbeats cease, the server ends the worker with SIGKILL and starts it again", ending="worker_ended"),
    # Signals and ends.
    "ignores_signals": _project("""
        import signal, time
        def go():
            for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_IGN)
            while True:
                try:
                    time.sleep(60)
                except BaseException:
                    pass
    """, "interrupt and SIGTERM change nothing, SIGKILL after the grace does", ending="timeout"),
    "swallows_interrupts": _project("""
        import time
        def go():
            while True:
                try:
                    time.sleep(60)
                except BaseException:
                    pass
    """, "interrupt changes nothing, the ladder goes on; the next call works in a fresh worker", ending="timeout"),
    "never_returns": _project("""
        def go():
            while True:
                pass
    """, "pings and heartbeats on time; interrupt ends the call, else max_execution_time; the worker stays", ending="timeout"),
    "blocks_in_c": _project("""
        import ctypes, signal
        def go():
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
            ctypes.PyDLL(None).sleep(300)
    """, "Python's lock is held: no heartbeat, no interrupt; the server ends the worker", ending="worker_ended"),
    "never_stops": _project("""
        import threading
        never = threading.Event()
        class Robot:
            def go(self):
                threading.Thread(target=never.wait, name="endless").start()
            def stop(self):
                never.wait()
        robot = Robot()
    """, "after the client has gone the slot is free within the time for stops; the next client's calls work", call=("robot", "go", {})),
    "exits_on_import": _project("import os\nos._exit(3)\n", "the upload is refused with the exit status; the former project runs on", load="failed", call=None),
    "exits_in_init": _project("import os\ndef init():\n    os._exit(3)\n", "as exits_on_import", load="failed", call=None),
    "exits_in_a_call": _project("import os\ndef go():\n    os._exit(3)\n", "the call is answered at once; the worker comes back", ending="worker_ended"),
    "sys_exit_in_a_call": _project("import sys\ndef go():\n    sys.exit(3)\n", "an error of the call: SystemExit: 3; the worker stays", ending="error"),
    "crashes": _project("import ctypes\ndef go():\n    ctypes.string_at(0)\n", "SIGSEGV is told as the reason; the worker comes back", ending="worker_ended"),
    "crashes_again_and_again": _project("""
        import os, threading
        def init():
            threading.Timer(0.2, os._exit, (3,)).start()
    """, "it loads and dies: restarts with growing pauses up to the limit, then `failed` with its reason; an update mends it", load="either", call=None),
    "hangs_on_import": _project("import time\ntime.sleep(300)\n", "the upload is refused after the time for loading", load="failed", call=None),
    "fails_on_import": _project("import nothing_of_that_name\n", "refused with Python's traceback", load="failed", call=None),
    "fails_in_init": _project("def init():\n    raise RuntimeError('no camera')\n", "refused with Python's traceback", load="failed", call=None),
    "has_no_main": HostileProject({"readme.txt": "no code"}, "refused: neither main.py nor __init__.py", load="failed", call=None),
    "recursion": _project("def go():\n    return go()\n", "RecursionError is an error of the call", ending="error"),
    "deep_recursion_in_c": _project("""
        import sys
        def go():
            sys.setrecursionlimit(10**8)
            value = []
            for _ in range(10**6):
                value = [value]
            repr(value)
    """, "the worker dies of its stack, or the call fails; it comes back", ending="contained"),
    # Memory, disk, descriptors.
    "eats_memory": _project("""
        def go(megabytes=4096):
            blocks = []
            try:
                for _ in range(megabytes):
                    blocks.append(bytearray(b"x" * (1 << 20)))
            except MemoryError:
                return {"refused_at": len(blocks)}
            return {"had": len(blocks)}
    """, "MemoryError at the limit, or the watch ends the worker with its reason; the server's own memory stays", ending="contained"),
    "large_value": _project("def go():\n    return 'x' * (64 << 20)\n", "too_large", ending="error"),
    "endless_value": _project("""
        def go():
            value = [1]
            for _ in range(14):
                value = [value] * 9
            return value
    """, "too_large, soon", ending="error"),
    "fills_scratch": _project("""
        import os
        def go(megabytes=2048):
            written = 0
            folder = os.environ["AVATAR_STREAMER_SCRATCH"]
            try:
                for number in range(megabytes // 16):
                    with open(f"{folder}/{number}", "wb") as file:
                        file.write(bytes(16 << 20))
                    written += 16
            except OSError as problem:
                return {"written": written, "refused": str(problem)}
            return {"written": written}
    """, "the watch ends the worker at the limit of the folder, or a file at its own; the folder is empty afterwards", ending="contained"),
    "one_large_file": _project("""
        import os
        def go(megabytes=4096):
            try:
                with open(os.environ["AVATAR_STREAMER_SCRATCH"] + "/large", "wb") as file:
                    for _ in range(megabytes):
                        file.write(bytes(1 << 20))
            except OSError as problem:
                return str(problem)
            return "written"
    """, "File too large (Python ignores SIGXFSZ), or the watch", ending="contained"),
    "writes_outside": _project("""
        import os
        def go(places=("/tmp", "/var/tmp", "/dev/shm", os.path.dirname(os.path.abspath(__file__)), os.path.expanduser("~/.."), "..")):
            written = []
            for place in places:
                path = os.path.join(place, "avatar-streamer-hostile")
                try:
                    with open(path, "wb") as file:
                        file.write(bytes(1 << 20))
                    written.append(path)
                except OSError:
                    pass
            return written
    """, "an empty list: only the scratch folder can be written to", needs=("landlock",)),
    "replaces_its_files": _project("""
        import os
        def go():
            folder = os.path.dirname(os.path.abspath(__file__))
            changed = []
            for action in (lambda: open(os.path.join(folder, "main.py"), "w").write("raise SystemExit"), lambda: os.unlink(__file__),
                           lambda: os.rename(folder, folder + "-moved"), lambda: os.symlink("/etc", os.path.join(folder, "link"))):
                try:
                    action()
                    changed.append(True)
                except OSError:
                    changed.append(False)
            return changed
    """, "four times false; a restart loads what was uploaded", needs=("landlock",)),
    "many_files": _project("""
        import os
        def go(count=100_000):
            made = 0
            folder = os.environ["AVATAR_STREAMER_SCRATCH"]
            try:
                for number in range(count):
                    os.close(os.open(f"{folder}/f{number}", os.O_CREAT))
                    made += 1
            except OSError as problem:
                return {"made": made, "refused": str(problem)}
            return {"made": made}
    """, "the scratch folder is gone with the worker, and its removal delays nobody", ending="contained"),
    "opens_everything": _project("""
        import os
        def go():
            opened = 0
            try:
                for _ in range(100_000):
                    os.open("/dev/null", os.O_RDONLY)
                    opened += 1
            except OSError as problem:
                return {"opened": opened, "refused": str(problem)}
    """, "Too many open files; the worker goes on", ending="contained"),
    "closes_descriptors": _project("""
        import os
        def go():
            os.closerange(0, 65_536)
            return "closed"
    """, "ZeroMQ ends the worker, or nothing more is heard of it: told within the time for heartbeats; it comes back", ending="worker_ended"),
    "closes_output": _project("""
        import os
        def go():
            os.close(1)
            os.close(2)
            return "closed"
        def again():
            return "alive"
    """, "the call is answered, and the worker is not taken for dead"),
    # Floods.
    "prints_100_megabytes": _project("""
        def go():
            for _ in range(100):
                print(("x" * 1023 + "\\n") * 1024, end="")
            return "printed"
    """, "the call is answered; the log keeps its last lines and counts the rest; memory stays"),
    "prints_one_endless_line": _project("""
        import sys
        def go():
            for _ in range(100):
                sys.stdout.write("x" * (1 << 20))
            return "printed"
    """, "lines are cut, memory stays"),
    "prints_rubbish": _project("""
        import os
        def go():
            os.write(1, bytes(range(256)) * 1000 + b"\\n\\x1b]0;title\\x07\\x1b[2J\\n")
            return "printed"
    """, "no control character reaches the console page or the log file as it is"),
    "pushes_100000_a_second": _project("""
        import threading, time
        def go(seconds=3, a_second=100_000):
            count, begun = 0, time.monotonic()
            while (elapsed := time.monotonic() - begun) < seconds:
                if count < elapsed * a_second:
                    push_message("flood", {"n": count, "text": "x" * 100})
                    count += 1
            return {"pushed": count}
    """, "drops are counted here and there, the client stays, pings are on time, memory is bounded"),
    "large_pushes": _project("""
        def go():
            for _ in range(50):
                push_message("large", "x" * (8 << 20))
            return "pushed"
    """, "as before: the queues are bounded in bytes too"),
    "reserved_pushes": _project("""
        def go():
            refused = 0
            for name in ("connect", "disconnect", "connect_error", "callback", "", "x" * 1000, "newListener"):
                try:
                    push_message(name, 1)
                except ValueError:
                    refused += 1
            return refused
    """, "7"),
    # The protocol itself.
    "speaks_for_the_worker": _project("""
        import os, zmq
        def go():
            socket = zmq.Context().socket(zmq.DEALER)
            socket.setsockopt(zmq.ROUTING_ID, b"control")
            socket.connect(os.environ["AVATAR_STREAMER_WORKER_ENDPOINT"])
            for message in (b"", b"\\xff" * 1000, b"{}", b'{"type":"ready"}', b'{"type":"stopped","errors":[],"threads":[]}', b"x" * (20 << 20),
                            b'{"type":"result","id":"1","value":1}', b"[" * 1_000_000):
                socket.send(message)
            other = zmq.Context().socket(zmq.DEALER)
            other.connect(os.environ["AVATAR_STREAMER_WORKER_ENDPOINT"])
            for _ in range(1000):
                other.send(b"rubbish")
            return "sent"
    """, "rubbish is counted and dropped; the worker's own three ways go on"),
    "answers_twice": _project("""
        import gc, json, zmq
        def go():
            # The sockets of the worker, which it owns only by convention.
            for thing in gc.get_objects():
                if isinstance(thing, zmq.Socket) and not thing.closed and thing.getsockopt(zmq.ROUTING_ID) == b"calls":
                    for identifier in ("1", "another", "x" * 10_000):
                        thing.send(json.dumps({"type": "result", "id": identifier, "value": "forged"}).encode())
            return "real"
    """, "answers to calls that nobody made are dropped and counted; each call has one answer"),
    "reads_the_server": _project("""
        import os
        def go():
            parent = os.getppid()
            found = {"token": any("TOKEN" in name and "ROBOT" not in name for name in os.environ)}
            for name in ("environ", "mem", "cmdline"):
                try:
                    with open(f"/proc/{parent}/{name}", "rb") as file:
                        found[name] = bool(file.read(1))
                except OSError:
                    found[name] = False
            return found
    """, "token false; environ and mem false where the worker is another user", needs=("not_root",)),
}
