"""Pushes and output."""
from __future__ import annotations

import pytest


def test_pushes_come_from_any_thread_in_order(run):
    worker = run({"main.py": """
        import threading
        import other
        def go(count):
            def work(name):
                for n in range(count):
                    push_message("tick", {"thread": name, "n": n})
            threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            other.tell("Grüße")
    """, "other.py": """
        from robot_worker.project import push_message
        def tell(what):
            push_message("recognition_result", what)
            push_message("nothing")
    """})
    assert worker.value("main", "go", count=100) is None
    seen: dict[str, int] = {}
    for _ in range(400):
        push = worker.expect("events", "push")
        assert push["event"] == "tick" and push["data"]["n"] == seen.get(push["data"]["thread"], 0)
        seen[push["data"]["thread"]] = push["data"]["n"] + 1
    assert worker.receive("events") == {"type": "push", "event": "recognition_result", "data": "Grüße"}
    assert worker.receive("events") == {"type": "push", "event": "nothing", "data": None}


@pytest.mark.parametrize(("event", "data", "error"), [
    ("1", "1", "TypeError: push_message: the event's name is text, not int"), ("''", "1", "ValueError: push_message: the event's name has 1 to 200"),
    ("'e'", "b'x'", "TypeError: push_message 'e': The value is of type bytes"), ("'e'", "float('inf')", "TypeError: push_message 'e': The value is inf"),
    ("'e'", "'x' * (17 << 20)", "ValueError: push_message 'e': The value is more than"), ("'é' * 101", "1", "ValueError: push_message"),
    ("'callback'", "1", "ValueError: push_message: 'callback' is a name"), ("'\\ud800'", "1", "TypeError: push_message"),
])
def test_a_push_that_cannot_be_is_the_callers_exception(run, event, data, error):
    worker = run(f"""
        def go():
            try:
                push_message({event}, {data})
            except Exception as problem:
                return f"{{type(problem).__name__}}: {{problem}}"
    """)
    assert worker.value("main", "go").startswith(error)


def test_a_flood_is_dropped_and_counted_and_results_do_not_wait(run):
    worker = run("""
        import os, threading
        ending = threading.Event()
        counts, threads = [0] * 4, []
        def flood():
            def work(index):
                while not ending.is_set():
                    push_message("flood", {"n": counts[index], "thread": index, "text": "x" * 500})
                    counts[index] += 1
            for index in range(4):
                threads.append(threading.Thread(target=work, args=(index,), daemon=True))
                threads[-1].start()
        def end():
            ending.set()
            for thread in threads:
                thread.join()
            return sum(counts)
        def memory():
            return int(open("/proc/self/statm").read().split()[1]) * 4096
        def ping():
            return "pong"
    """)
    worker.router.rcvhwm = 1000
    # Nobody reads here: what comes stays in the sockets until both are full.
    worker.value("main", "flood")
    for _ in range(20):
        assert worker.value("main", "ping") == "pong"
    sent = 0
    while sent < 50_000:
        sent = worker.beat()["pushes_dropped"]
    memory = worker.value("main", "memory")
    pushed = worker.value("main", "end")
    dropped = worker.beat(2)["pushes_dropped"]
    came = 0
    with pytest.raises(TimeoutError):
        while True:
            worker.receive("events", timeout=0.5)
            came += 1
    assert came + dropped == pushed
    assert memory < 200 * 1024 * 1024


def test_a_hundred_thousand_pushes_leave_the_calls_alone(run):
    worker = run("""
        def flood():
            for n in range(100_000):
                push_message("n", n)
            return "done"
    """)
    assert worker.value("main", "flood") == "done"
    numbers = []
    while not numbers or numbers[-1] != 99_999:
        numbers.append(worker.expect("events", "push")["data"])
    assert numbers == sorted(numbers)
    assert worker.beat(2)["pushes_dropped"] == 100_000 - len(numbers)


def test_output_is_lines_at_once(run):
    worker = run("""
        import logging, sys, threading
        def go():
            print("Grüße aus main")
            print("and error", file=sys.stderr)
            thread = threading.Thread(target=print, args=("from a thread",))
            thread.start()
            thread.join()
            logging.getLogger("dog").info("walking")
            logging.getLogger("dog").debug("hidden")
            sys.stdout.write("\\udc80\\n")
        def hundred_megabytes():
            for _ in range(100):
                print(("x" * 1023 + "\\n") * 1024, end="")
    """)
    worker.value("main", "go")
    worker.value("main", "hundred_megabytes")
    worker.stop()
    worker.process.stdin.close()
    worker.wait()
    assert [line.decode() for line in worker.lines[:3]] == ["Grüße aus main\n", "from a thread\n", "\\udc80\n"]
    assert sum(map(len, worker.lines[3:])) == 100 * 1024 * 1024
    assert b"".join(worker.errors).decode() == "and error\nINFO dog: walking\n"


def test_a_projects_own_logging_stays(run):
    worker = run("""
        import logging
        logging.basicConfig(format="MINE %(message)s", level=logging.WARNING)
        def go():
            logging.warning("bark")
            logging.info("hidden")
    """)
    worker.value("main", "go")
    worker.process.stdin.close()
    worker.wait()
    assert b"".join(worker.errors).decode() == "MINE bark\n"
