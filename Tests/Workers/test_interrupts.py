"""Interrupts: what they end, and what they must not touch."""
from __future__ import annotations

import random

import pytest

PROJECT = """
    import ctypes, queue, socket, threading, time
    begun = []
    def ping(n=0):
        return n
    def wait_for(what, event="begun"):
        push_message(event, what)
        WAYS[what]()
    def loop():
        while True:
            pass
    def swallow():
        while True:
            try:
                time.sleep(60)
            except Exception:
                pass
    def nested():
        try:
            time.sleep(60)
        finally:
            push_message("cleaned")
    def listen():
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            listener.accept()
    def join():
        thread = threading.Thread(target=time.sleep, args=(60,), daemon=True)
        thread.start()
        thread.join()
    def stubborn():
        try:
            time.sleep(60)
        except BaseException:
            return
    def deep(n=900):
        if n:
            deep(n - 1)
        else:
            time.sleep(60)
    def endless():
        value = [1]
        for _ in range(14):
            value = [value] * 5
        return value
    async def walk():
        import asyncio
        push_message("begun", "walk")
        await asyncio.sleep(60)
    WAYS = {"sleep": lambda: time.sleep(60), "loop": loop, "swallow": swallow, "nested": nested, "listen": listen, "join": join,
            "queue": lambda: queue.Queue().get(), "lock": lambda: [lock := threading.Lock(), lock.acquire(), lock.acquire()],
            "stubborn": stubborn, "deep": deep, "sort": lambda: sorted(range(3), key=lambda n: time.sleep(60))}
    def block_in_c(seconds):
        push_message("begun", "c")
        ctypes.CDLL(None).usleep(int(seconds * 1_000_000))
        return "done"
    def quick():
        pass
"""


@pytest.mark.parametrize("what", ["sleep", "loop", "swallow", "nested", "listen", "join", "queue", "lock", "stubborn", "deep", "sort"])
@pytest.mark.parametrize("by_name", [True, False])
def test_an_interrupt_ends_whatever_python_waits_for(run, what, by_name):
    worker = run(PROJECT)
    identifier = worker.start_call("main", "wait_for", what=what)
    worker.expect("events", "push")
    worker.interrupt(identifier if by_name else None)
    answer = worker.receive("calls", timeout=10)
    assert answer == {"type": "error", "id": identifier, "code": "interrupted", "error": "The call was interrupted", "traceback": None}
    assert worker.value("main", "ping", n=5) == 5


def test_an_interrupt_ends_a_coroutine(run):
    worker = run(PROJECT)
    for _ in range(3):
        identifier = worker.start_call("main", "walk")
        worker.expect("events", "push")
        worker.interrupt(identifier)
        assert worker.receive("calls", timeout=10)["code"] == "interrupted"


def test_an_interrupt_of_another_call_changes_nothing(run):
    worker = run(PROJECT)
    identifier = worker.start_call("main", "wait_for", what="sleep")
    worker.expect("events", "push")
    worker.interrupt("another")
    assert worker.beat(2)["calls"] == 1
    assert not worker.waiting["calls"]
    worker.interrupt(identifier)
    assert worker.receive("calls")["id"] == identifier
    assert worker.beat(2)["calls"] == 0


def test_an_interrupt_that_comes_before_its_call_ends_it(run):
    worker = run(PROJECT)
    first = worker.start_call("main", "wait_for", what="sleep")
    worker.expect("events", "push")
    second, third = worker.start_call("main", "wait_for", what="loop"), worker.start_call("main", "ping", n=3)
    worker.interrupt(second)
    worker.interrupt(first)
    assert [worker.receive("calls").get("code") for _ in range(2)] == ["interrupted"] * 2
    assert worker.receive("calls") == {"type": "result", "id": third, "value": 3}


def test_an_interrupt_of_every_call_leaves_those_that_wait(run):
    worker = run(PROJECT)
    worker.start_call("main", "wait_for", what="sleep")
    second = worker.start_call("main", "ping", n=2)
    worker.expect("events", "push")
    worker.interrupt(None)
    assert worker.receive("calls")["code"] == "interrupted"
    assert worker.receive("calls") == {"type": "result", "id": second, "value": 2}


def test_a_call_that_cannot_be_interrupted_in_c_ends_with_its_c(run):
    worker = run(PROJECT)
    identifier = worker.start_call("main", "block_in_c", seconds=1.5)
    worker.expect("events", "push")
    worker.interrupt(identifier)
    worker.beat()
    assert worker.receive("calls")["code"] == "interrupted"
    assert worker.value("main", "ping", n=1) == 1


@pytest.mark.parametrize("mode", ["ordered", "concurrent"])
def test_interrupts_that_race_with_the_end_of_their_calls(run, mode):
    worker = run(PROJECT, AVATAR_STREAMER_CALLS=mode)
    chance = random.Random(1)
    codes = []
    for _ in range(1000):
        identifier = worker.start_call("main", "quick")
        if chance.random() < 0.3:
            worker.router.poll(0)
        for _ in range(chance.choice([1, 1, 1, 3])):
            worker.interrupt(identifier)
        answer = worker.receive("calls")
        assert answer["id"] == identifier
        codes.append(answer.get("code", "result"))
        follower = worker.start_call("main", "ping", n=7)
        assert worker.receive("calls") == {"type": "result", "id": follower, "value": 7}
    assert set(codes) <= {"interrupted", "result"}
    assert worker.beat(2)["calls"] == 0 and b"Traceback" not in b"".join(worker.errors)


def test_racing_interrupts_hit_no_other_call_of_a_busy_queue(run):
    worker = run(PROJECT)
    first = [worker.start_call("main", "ping", n=n) for n in range(3000)]
    wanted = set(random.Random(2).sample(first, 1000))
    for identifier in sorted(wanted):
        worker.interrupt(identifier)
    answers = [worker.receive("calls") for _ in first]
    assert [answer["id"] for answer in answers] == first
    assert {answer["id"] for answer in answers if answer.get("code") == "interrupted"} <= wanted
    assert all(answer["type"] == "result" or answer["code"] == "interrupted" for answer in answers)


@pytest.mark.parametrize("what", ["loop", "deep_loop"])
def test_concurrent_calls_are_interrupted_at_pythons_next_instruction(run, what):
    worker = run(PROJECT + """
    WAYS["deep_loop"] = lambda: [None for _ in iter(int, 1)]
    """, AVATAR_STREAMER_CALLS="concurrent")
    identifiers = [worker.start_call("main", "wait_for", what=what) for _ in range(3)]
    for _ in identifiers:
        worker.expect("events", "push")
    assert worker.value("main", "ping", n=1) == 1
    worker.interrupt(identifiers[1])
    assert worker.receive("calls")["id"] == identifiers[1]
    worker.interrupt(None)
    assert {worker.receive("calls")["id"] for _ in range(2)} == {identifiers[0], identifiers[2]}
    assert worker.value("main", "ping", n=2) == 2


def test_concurrent_calls_beyond_the_pool_wait_and_can_be_interrupted(run):
    worker = run(PROJECT, AVATAR_STREAMER_CALLS="concurrent")
    running = [worker.start_call("main", "wait_for", what="queue") for _ in range(16)]
    for _ in running:
        worker.expect("events", "push")
    waiting = worker.start_call("main", "ping")
    assert worker.beat(2)["calls"] == 17
    worker.interrupt(waiting)
    worker.interrupt(running[0])
    # A blocking wait in C goes on: nothing is answered, and the server ends the worker.
    worker.beat(1)
    assert not worker.waiting["calls"] and worker.process.poll() is None
