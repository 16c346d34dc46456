"""Calls: look-up, arguments, values, errors, in the former service's words."""
from __future__ import annotations

import pytest

DOG = """
    class SportClient:
        def __init__(self):
            self.count = 0
        def StandUp(self, speed: float = 1):
            self.count += 1
            return {"speed": speed, "count": self.count}
        def fail(self):
            raise RuntimeError("kaboom")
        def _secret(self):
            return 1
        @property
        def trap(self):
            raise SystemExit(9)
    class Lazy:
        made = 0
        def __init__(self):
            Lazy.made += 1
        def count(self):
            return Lazy.made
    class Needy:
        def __init__(self, thing):
            pass
        def go(self):
            pass
    sport_client = SportClient()
    context = {"registered": SportClient(), "sport_client": SportClient()}
    sport_client.count = 1000
    import os
    def ping():
        return "pong"
"""


def test_hello_repeats_the_token_and_the_project_does_not_see_it(run):
    worker = run("""
        import os
        def environment():
            return [name for name in os.environ if "TOKEN" in name]
    """)
    assert worker.hello == {"type": "hello", "protocol": 1, "token": "a secret of the server", "pid": worker.process.pid,
                            "runtime": worker.hello["runtime"]}
    assert worker.hello["runtime"].startswith("python 3.")
    assert 0 <= worker.interface["import_seconds"] < 30
    assert worker.value("main", "environment") == []


def test_the_context_comes_before_the_module(run):
    worker = run(DOG)
    assert worker.value("sport_client", "StandUp", speed=2) == {"speed": 2, "count": 1}
    assert worker.value("registered", "StandUp") == {"speed": 1, "count": 1}
    assert worker.value("main", "ping") == "pong"


def test_a_class_is_instantiated_once_and_kept(run):
    worker = run(DOG)
    assert [worker.value("Lazy", "count") for _ in range(3)] == [1, 1, 1]
    assert worker.value("SportClient", "StandUp")["count"] == 1
    assert worker.value("SportClient", "StandUp")["count"] == 2


@pytest.mark.parametrize(("object_", "method", "code", "error"), [
    ("ghost", "x", "unknown_object", "Object 'ghost' not found in context or module"),
    ("_hidden", "x", "unknown_object", "Object '_hidden' not found in context or module"),
    ("__builtins__", "exec", "unknown_object", "Object '__builtins__' not found in context or module"),
    ("os", "getpid", "unknown_object", "Object 'os' not found in context or module"),
    ("sport_client", "nope", "unknown_method", "Object 'sport_client' has no method 'nope'"),
    ("sport_client", "_secret", "unknown_method", "Object 'sport_client' has no method '_secret'"),
    ("sport_client", "__init__", "unknown_method", "Object 'sport_client' has no method '__init__'"),
    ("sport_client", "count", "unknown_method", "Object 'sport_client' has no method 'count'"),
])
def test_what_is_not_there_is_told_as_recorded(run, object_, method, code, error):
    answer = run(DOG).call(object_, method)
    assert (answer["type"], answer["code"], answer["error"], answer["traceback"]) == ("error", code, error, None)


def test_arguments_that_do_not_fit_are_told_in_pythons_words(run):
    worker = run(DOG + """
    class Careful:
        def strict(self, a):
            return len(a)
    careful = Careful()
    """)
    answer = worker.call("sport_client", "StandUp", height=3)
    assert (answer["code"], answer["error"]) == ("bad_arguments", "SportClient.StandUp() got an unexpected keyword argument 'height'")
    assert worker.call("careful", "strict")["error"] == "Careful.strict() missing 1 required positional argument: 'a'"
    assert worker.call("sport_client", "StandUp", self=1)["code"] == "bad_arguments"
    inner = worker.call("careful", "strict", a=1)
    assert inner["code"] == "exception" and "has no len()" in inner["error"] and "in strict" in inner["traceback"]


def test_an_exception_is_its_message_and_a_traceback_of_the_project_alone(run):
    worker = run(DOG)
    answer = worker.call("sport_client", "fail")
    assert (answer["code"], answer["error"]) == ("exception", "kaboom")
    assert "main.py" in answer["traceback"] and "robot_worker" not in answer["traceback"]
    assert worker.call("Needy", "go")["error"].startswith("Needy.__init__() missing 1 required")
    assert worker.call("sport_client", "trap")["code"] == "exception"


def test_exceptions_of_every_kind_end_the_call_and_not_the_worker(run):
    worker = run("""
        import sys
        class Rude(Exception):
            def __str__(self):
                raise ValueError("no")
        def leave():
            sys.exit(3)
        def quiet():
            raise ValueError
        def rude():
            raise Rude
        def base():
            raise BaseException("deep")
        def keyboard():
            raise KeyboardInterrupt
        def generator():
            raise GeneratorExit
        def recursion():
            return recursion()
        def long():
            raise RuntimeError("x" * 1_000_000)
    """)
    errors = [worker.call("main", name)["error"] for name in ("leave", "quiet", "rude", "base", "keyboard", "generator")]
    assert errors == ["SystemExit: 3", "ValueError", "Rude", "BaseException: deep", "KeyboardInterrupt", "GeneratorExit"]
    answer = worker.call("main", "recursion")
    assert "maximum recursion depth" in answer["error"] and len(answer["traceback"]) < 20_000
    assert len(worker.call("main", "long")["error"]) == 2000
    assert worker.call("main", "quiet")["code"] == "exception"


@pytest.mark.parametrize(("expression", "value"), [
    ("None", None), ("(1, (2, 3))", [1, [2, 3]]), ("'Grüße 🐕 \\x00'", "Grüße 🐕 \x00"), ("{'a': [True, 1.5, None]}", {"a": [True, 1.5, None]}),
    ("2**63 - 1", 2**63 - 1), ("__import__('collections').OrderedDict(a=1)", {"a": 1}), ("[]", []), ("-0.0", -0.0),
])
def test_json_comes_back_as_it_is(run, expression, value):
    assert run(f"def get():\n    return {expression}\n").value("main", "get") == value


@pytest.mark.parametrize(("expression", "code", "words"), [
    ("b'x'", "not_json", "of type bytes"), ("{1, 2}", "not_json", "of type set"), ("float('nan')", "not_json", "is nan"),
    ("{'a': [float('-inf')]}", "not_json", "at .a[0] is -inf"), ("{1: 2}", "not_json", "A key of The value is of type int"),
    ("__import__('datetime').datetime.now()", "not_json", "of type datetime.datetime"), ("object()", "not_json", "of type object"),
    ("cycle()", "not_json", "contains itself"), ("deep()", "not_json", "nested deeper"), ("'\\ud800'", "not_json", "surrogate"),
    ("10**400", "not_json", "bits"), ("(n for n in [])", "not_json", "of type generator"), ("lambda: 1", "not_json", "of type function"),
    ("__import__('pathlib').Path('/')", "not_json", "of type pathlib.PosixPath"), ("Liar([1])", "not_json", "lies"),
    ("data()", "not_json", "of type main.Data"), ("'x' * (17 << 20)", "too_large", "more than 16777216"),
    ("['é' * (9 << 20)]", "too_large", "bytes of JSON"), ("[[0] * 3000] * 3000", "too_large", "more than"), ("wide()", "too_large", "more than"),
])
def test_what_is_not_json_is_an_error_of_the_call(run, expression, code, words):
    worker = run(f"""
        import dataclasses
        def cycle():
            value = []
            value.append(value)
            return value
        def wide():
            value = [1]
            for _ in range(12):
                value = [value] * 9
            return value
        def deep():
            value = 1
            for _ in range(100_000):
                value = [value]
            return value
        class Liar(list):
            def __iter__(self):
                raise RuntimeError("lies")
        @dataclasses.dataclass
        class Data:
            a: int = 1
        def data():
            return Data()
        def get():
            return {expression}
        def ping():
            return "pong"
    """)
    answer = worker.call("main", "get")
    assert answer["type"] == "error" and answer["code"] == code and words in answer["error"], answer
    assert worker.value("main", "ping") == "pong"


def test_large_arguments_and_values_pass(run):
    worker = run("def echo(**values):\n    return values\n")
    for values in ({"text": "ß" * 7_000_000}, {"a": list(range(100_000)), "größe": {"tief": [[[[["🤖"]]]]]}}, {f"k{n}": n for n in range(10_000)}):
        assert worker.value("main", "echo", **values) == values


def test_coroutines_run_to_their_end(run):
    worker = run("""
        import asyncio
        class Robot:
            async def walk(self, steps):
                await asyncio.sleep(0)
                return steps * 2
            async def fail(self):
                raise ValueError("tripped")
        robot = Robot()
    """)
    assert worker.value("robot", "walk", steps=3) == 6
    assert worker.call("robot", "fail")["error"] == "tripped"
    assert worker.call("robot", "walk")["code"] == "bad_arguments"


@pytest.mark.parametrize("mode", ["ordered", "concurrent"])
def test_ten_thousand_calls(run, mode):
    worker = run("def same(n):\n    return n\n", AVATAR_STREAMER_CALLS=mode)
    expected = {worker.start_call("main", "same", n=n): n for n in range(10_000)}
    answers = [worker.receive("calls") for _ in expected]
    assert {answer["id"]: answer["value"] for answer in answers} == expected
    if mode == "ordered":
        assert [answer["value"] for answer in answers] == list(range(10_000))


def test_messages_that_are_none_are_dropped(run):
    worker = run(DOG)
    for data in (b"", b"\xff", b"[]", b"null", b'{"type":"call"}', b'{"type":"call","id":1,"object":"a","method":"b","args":{}}',
                 b'{"type":"call","id":"1","object":"a","method":"b","args":[]}', b"[" * 100_000, b'{"type":"interrupt"}',
                 b'{"type":"stop","seconds":"x"}', b'{"type":"stop","seconds":NaN}', b'{"type":"interrupt","id":4}'):
        for way in ("calls", "control"):
            worker.send_bytes(way, data)
    assert worker.value("main", "ping") == "pong"
    assert worker.beat(2)["type"] == "heartbeat"
    assert worker.process.poll() is None and b"was dropped" in b"".join(worker.errors)


def test_a_worker_without_its_environment_says_so(start):
    worker = start(DOG, AVATAR_STREAMER_WORKER_TOKEN="")
    assert worker.wait() == 64 and "AVATAR_STREAMER_WORKER_TOKEN" in worker.log()
    worker = start(DOG, AVATAR_STREAMER_CALLS="often")
    assert worker.wait() == 64 and "'often'" in worker.log()
