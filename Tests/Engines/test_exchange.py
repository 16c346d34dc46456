"""Credit, epochs and queues without threads or sockets."""
from __future__ import annotations

import json

import numpy as np
import pytest

from avatar_engine import AvatarDescription, Engine, Frame, OutputError, Refusal
from avatar_engine.exchange import Exchange
from avatar_engine.inference import Inference
from avatar_engine.protocol import Message, ProtocolError

AVATAR = AvatarDescription("a", 16, 16, 25, idle_count=4, patches=True)


class Idler(Engine):
    """Answers every due picture by an idle frame and notes what it was asked."""

    def __init__(self):
        self.calls = []

    def open(self):
        return [AVATAR]

    def attach(self, session):
        self.calls.append("attach")

    def detach(self, session):
        self.calls.append("detach")

    def clear(self, session):
        self.calls.append(f"clear {session.epoch}")

    def speech(self, session, utterance, samples):
        try:
            for due in utterance.due():
                yield Frame.idle(due.first_sample, due.idle_index)
        except GeneratorExit:
            self.calls.append("closed")
            raise

    def end(self, session, utterance):
        return self.speech(session, utterance, None)


class Bench:
    """An exchange and an inference that are moved by hand."""

    def __init__(self, engine=None, queue_limit=25):
        self.engine = engine or Idler()
        self.exchange = Exchange(queue_limit)
        self.exchange.describe([AVATAR])
        self.inference = Inference(self.engine, self.exchange)

    def tell(self, kind, payload=b"", **members):
        self.exchange.handle(Message(kind, members, payload))

    def attach(self, session="s", epoch=0):
        self.tell("attach", session=session, avatar="a", epoch=epoch, fps=25, width=64, height=64)

    def speak(self, samples, session="s", utterance="u", epoch=0, first=0, position=0):
        self.tell("speech", bytes(2 * samples), session=session, utterance=utterance, epoch=epoch, first_sample=first,
                  idle_position=position)

    def work(self):
        while self.inference.step():
            pass

    def sent(self):
        return [json.loads(parts[0]) for parts in self.exchange.outgoing()]


def types(messages):
    return [message["type"] for message in messages]


def test_no_frame_leaves_without_credit_and_done_waits_for_the_last():
    bench = Bench()
    bench.attach()
    bench.speak(6400)
    bench.tell("end", session="s", utterance="u", epoch=0, samples=6400)
    bench.work()
    assert bench.sent() == []
    bench.tell("credit", session="s", frames=3)
    assert [frame["first_sample"] for frame in bench.sent()] == [0, 640, 1280]
    bench.tell("credit", session="s", frames=7)
    assert types(bench.sent()) == ["frame"] * 7 + ["utterance_done"]


def test_a_generator_rests_while_the_queue_is_full_and_another_session_goes_on():
    bench = Bench(queue_limit=5)
    bench.attach("s")
    bench.attach("t")
    bench.speak(16000, "s")
    bench.speak(3200, "t")
    bench.work()
    assert bench.exchange.seats["s"].frames == 5
    assert bench.exchange.seats["t"].frames == 5
    bench.tell("credit", session="s", frames=2)
    assert len(bench.sent()) == 2
    bench.work()
    assert bench.exchange.seats["s"].frames == 5


def test_clear_drops_the_queue_closes_the_generator_and_answers_before_the_inference_knows():
    bench = Bench(queue_limit=5)
    bench.attach()
    bench.speak(16000)
    bench.work()
    bench.tell("clear", session="s", epoch=1)
    bench.tell("credit", session="s", frames=20)
    assert bench.sent() == [{"type": "cleared", "session": "s", "epoch": 1}]
    bench.work()
    assert bench.engine.calls == ["attach", "closed", "clear 1"]
    assert bench.sent() == []
    bench.speak(1280, utterance="v", epoch=1)
    bench.work()
    assert [(frame["utterance"], frame["epoch"]) for frame in bench.sent()] == [("v", 1), ("v", 1)]


def test_sound_that_waits_is_dropped_by_clear_and_sound_of_an_old_epoch_is_not_taken():
    bench = Bench()
    bench.attach()
    bench.speak(16000)
    bench.tell("clear", session="s", epoch=1)
    bench.speak(16000, epoch=0)
    bench.tell("credit", session="s", frames=100)
    bench.work()
    assert types(bench.sent()) == ["cleared"]
    assert bench.exchange.counters["speech_of_old_epochs"] == 1


def test_credit_survives_clear_and_ends_with_detach():
    bench = Bench()
    bench.attach()
    bench.tell("credit", session="s", frames=4)
    bench.tell("clear", session="s", epoch=3)
    bench.speak(16000, epoch=3)
    bench.work()
    assert types(bench.sent()) == ["cleared"] + ["frame"] * 4
    bench.tell("detach", session="s")
    bench.attach()
    bench.speak(16000)
    bench.work()
    assert bench.sent() == []
    assert bench.engine.calls[-2:] == ["attach", "detach"] or bench.engine.calls[-2:] == ["detach", "attach"]


def test_utterances_are_worked_off_in_order():
    bench = Bench()
    bench.attach()
    bench.tell("credit", session="s", frames=100)
    for name in "uvw":
        bench.speak(1280, utterance=name)
        bench.tell("end", session="s", utterance=name, epoch=0, samples=1280)
    bench.work()
    assert [message["utterance"] + message["type"][0] for message in bench.sent()] == ["uf", "uf", "uu", "vf", "vf", "vu", "wf", "wf", "wu"]


def test_idle_indices_follow_the_position_forth_and_back():
    bench = Bench()
    bench.attach()
    bench.tell("credit", session="s", frames=100)
    bench.speak(640 * 9, position=2)
    bench.work()
    assert [frame["idle_index"] for frame in bench.sent()] == [2, 3, 2, 1, 0, 1, 2, 3, 2]


def test_frames_that_are_overtaken_are_left_out_but_never_the_newest():
    bench = Bench()
    bench.attach()
    bench.speak(640 * 10)
    bench.work()
    bench.tell("playing", session="s", epoch=0, utterance="u", sample=172_000_000)
    bench.tell("credit", session="s", frames=100)
    assert [frame["first_sample"] for frame in bench.sent()] == [640 * 9]


def test_an_utterance_without_sound_is_done_at_once():
    bench = Bench()
    bench.attach()
    bench.tell("end", session="s", utterance="u", epoch=0, samples=0)
    bench.work()
    assert types(bench.sent()) == ["utterance_done"]


@pytest.mark.parametrize("members", [
    {"session": "nobody", "epoch": 0, "utterance": "u", "first_sample": 0, "idle_position": 0},
    {"session": "s", "epoch": -1, "utterance": "u", "first_sample": 0, "idle_position": 0},
    {"session": "s", "epoch": 0, "utterance": "", "first_sample": 0, "idle_position": 0},
    {"session": "s", "epoch": 0, "utterance": "u", "first_sample": 10**30, "idle_position": 0},
    {"session": "s", "epoch": 0, "utterance": "u", "first_sample": 1.5, "idle_position": 0},
    {"session": "s", "epoch": True, "utterance": "u", "first_sample": 0, "idle_position": 0},
    {"session": ["s"], "epoch": 0, "utterance": "u", "first_sample": 0, "idle_position": 0},
    {},
])
def test_speech_that_breaks_the_rules_is_refused(members):
    bench = Bench()
    bench.attach()
    with pytest.raises(ProtocolError):
        bench.tell("speech", bytes(640), **members)
    bench.work()
    assert bench.sent() == []


@pytest.mark.parametrize("size", [0, 1, 641, 32_002])
def test_speech_of_a_wrong_size_is_refused(size):
    bench = Bench()
    bench.attach()
    with pytest.raises(ProtocolError) as caught:
        bench.tell("speech", bytes(size), session="s", epoch=0, utterance="u", first_sample=0, idle_position=0)
    assert caught.value.code == "wrong_size"


def test_an_engine_that_refuses_a_session_is_heard_and_gets_no_speech():
    class Choosy(Idler):
        def attach(self, session):
            raise Refusal("no memory", "busy")

    bench = Bench(Choosy())
    bench.attach()
    bench.work()
    assert bench.sent() == [{"type": "refused", "what": "attach", "code": "busy", "session": "s", "reason": "no memory"}]
    with pytest.raises(ProtocolError):
        bench.speak(640)


def test_failures_are_told_the_utterance_ends_and_too_many_end_the_engine():
    class Broken(Idler):
        def speech(self, session, utterance, samples):
            raise RuntimeError("CUDA out of memory")

    bench = Bench(Broken())
    bench.attach()
    bench.speak(640)
    bench.tell("end", session="s", utterance="u", epoch=0, samples=640)
    bench.work()
    assert types(bench.sent()) == ["refused", "refused", "utterance_done"]
    assert not bench.inference.has_failed
    for number in range(20):
        bench.speak(640, utterance=f"v{number}")
    bench.work()
    assert bench.inference.has_failed


@pytest.mark.parametrize("frame", [
    Frame.full(0, np.zeros((16, 18, 3), np.uint8)),
    Frame.full(0, np.zeros((16, 16, 3), np.float32)),
    Frame.full(0, np.zeros((16, 16), np.uint8)),
    Frame.full(-1, np.zeros((16, 16, 3), np.uint8)),
    Frame.patch(0, np.zeros((3, 4, 3), np.uint8), 0, 0, 0),
    Frame.patch(0, np.zeros((4, 4, 3), np.uint8), 0, 14, 0),
    Frame.patch(0, np.zeros((4, 4, 3), np.uint8), 4, 0, 0),
    Frame.idle(0, 4),
])
def test_a_frame_that_the_server_would_refuse_does_not_leave(frame):
    bench = Bench()
    bench.attach()
    bench.speak(640)
    bench.work()
    seat = bench.exchange.seats["s"]
    with pytest.raises(OutputError):
        bench.exchange.put(seat, next(iter(seat.utterances.values())), frame)


def test_a_new_connection_forgets_sessions_and_tells_the_engine():
    bench = Bench(queue_limit=2)
    bench.attach()
    bench.speak(16000)
    bench.work()
    bench.exchange.forget_sessions()
    bench.work()
    assert bench.engine.calls == ["attach", "closed", "detach"]
    assert bench.exchange.outgoing() == [] and not bench.exchange.seats


def test_floods_meet_limits():
    bench = Bench()
    bench.attach()
    with pytest.raises(ProtocolError, match="utterances wait"):
        for number in range(2000):
            bench.speak(1, utterance=f"u{number}")
    with pytest.raises(ProtocolError, match="instead of"):
        bench.speak(1, utterance="u1", first=170_000_000)
    bench.tell("clear", session="s", epoch=1)
    with pytest.raises(ProtocolError, match="s of sound wait"):
        for number in range(2000):
            bench.speak(16_000, epoch=1, first=number * 16_000)
    with pytest.raises(AssertionError):
        for number in range(3000):
            bench.attach(f"s{number % 1500}")
            bench.tell("detach", session=f"s{number % 1500}")
            assert not any(b"busy" in parts[0] for parts in bench.exchange.outgoing())
