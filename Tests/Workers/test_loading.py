"""How a project is found, loaded and described; and how that fails."""
from __future__ import annotations

import pytest


def failed(worker):
    worker.expect("control", "hello")
    worker.expect("control", "loading")
    failure = worker.expect("control", "failed")
    assert worker.wait() == 1
    return failure


def test_a_project_without_an_entry_fails_to_be_found(start):
    failure = failed(start({"other.py": ""}))
    assert failure == {"type": "failed", "stage": "find", "error": "The project has neither a main.py nor an __init__.py", "traceback": None}


@pytest.mark.parametrize(("main", "stage", "error", "trace"), [
    ("import nothing_of_that_name", "import", "No module named 'nothing_of_that_name'", "main.py"),
    ("def (", "import", "invalid syntax", "SyntaxError"),
    ("import sys; sys.exit(4)", "import", "SystemExit: 4", "main.py"),
    ("1 / 0", "import", "division by zero", "main.py"),
    ("def f(): f()\nf()", "import", "maximum recursion depth", "main.py"),
    ("def init():\n    raise RuntimeError('no camera')", "init", "no camera", "in init"),
    ("async def init():\n    raise RuntimeError('no camera')", "init", "no camera", "in init"),
    ("def init():\n    raise SystemExit", "init", "SystemExit", "in init"),
    ("def init(needed):\n    pass", "init", "init() missing 1 required", ""),
    ("x = '\\ud800'\nraise RuntimeError(x)", "import", "?", "main.py"),
])
def test_what_fails_while_loading_is_told_with_its_traceback(start, main, stage, error, trace):
    failure = failed(start(main))
    assert failure["stage"] == stage and error in failure["error"], failure
    assert trace in failure["traceback"] and "robot_worker" not in failure["traceback"]


@pytest.mark.parametrize("where", ["", "def init():\n    "])
def test_a_project_that_ends_the_process_while_loading_is_an_end_without_a_word(start, where):
    worker = start(f"import os\n{where}os._exit(7)\n")
    assert worker.wait() == 7


def test_init_runs_after_loading_and_before_ready(run):
    worker = run("""
        state = []
        def init():
            push_message("loaded", __name__)
            state.append("init")
        def get():
            return state
        state.append("module")
    """)
    assert worker.expect("events", "push")["data"] == "main"
    assert worker.value("main", "get") == ["module", "init"]


def test_heartbeats_come_while_a_project_loads(start):
    worker = start("import time\nbegun = time.monotonic()\nwhile time.monotonic() < begun + 2.5:\n    pass\n")
    worker.expect("control", "hello")
    worker.expect("control", "loading")
    assert worker.beat(2) == {"type": "heartbeat", "calls": 0, "pushes_dropped": 0}
    assert worker.expect("control", "ready")["import_seconds"] >= 2.5


def test_a_package_has_relative_imports_and_a_folder_its_modules(run):
    files = {"__init__.py": "top = 'package'", "other.py": "from . import top\ndef get():\n    return top",
             "main.py": "from .other import get\nimport main\nassert main.get is get"}
    assert run(files).value("main", "get") == "package"
    lone = {"__init__.py": "from .other import get\ndef own():\n    push_message('x')\n    return __name__",
            "other.py": "def get():\n    return 'lone'"}
    worker = run(lone)
    assert worker.value("main", "own") == "robot_project"
    assert worker.value("main", "get") == "lone"
    plain = {"main.py": "import other\nimport sub.deep\ndef get():\n    return [other.x, sub.deep.x, __file__]",
             "other.py": "x = 1", "sub/deep.py": "x = 2"}
    worker = run(plain)
    assert worker.value("main", "get") == [1, 2, str(worker.folder / "main.py")]


def test_modules_of_a_project_do_not_replace_the_workers_own(run):
    names = ["json", "queue", "zmq", "threading", "logging", "robot_worker", "control", "inspect", "traceback", "types", "platform"]
    worker = run({"main.py": "import queue, sys\ndef get():\n    return [queue.MINE, sys.path[0]]\n",
                  **{f"{name}.py": "MINE = True\n" for name in names if name not in ("types", "robot_worker")}}, PYTHONSAFEPATH="1")
    # Python had loaded its own `queue` before; a name that it had not is the project's.
    answer = worker.call("main", "get")
    assert answer["type"] == "error" and "MINE" in answer["error"]
    worker = run({"main.py": "import dance\ndef get():\n    return dance.MINE\n", "dance.py": "MINE = 1"})
    assert worker.value("main", "get") == 1


def test_the_projects_folder_stays_as_it_was(run):
    worker = run({"main.py": "import other\n", "other.py": ""}, PYTHONDONTWRITEBYTECODE="")
    assert sorted(path.name for path in worker.folder.iterdir()) == ["main.py", "other.py"]


def test_inspection_runs_nothing_of_the_project_and_never_fails(run):
    interface = run('''
        """Drives a dog."""
        import logging, pathlib, threading
        from collections import OrderedDict
        log, lock, path = logging.getLogger(), threading.Lock(), pathlib.Path()
        class SportClient:
            """The sport service.

            Of the Go2.
            """
            def StandUp(self, speed: float = 1, *, mode="fast", **rest):
                """Stands up."""
            def Move(self, vx: float, vy: "int | None", tags=(1, "a"), thing=object()): ...
            @staticmethod
            def Still(x): ...
            @classmethod
            def Made(cls, y: list[int] = None): ...
            @property
            def trap(self):
                raise SystemExit("a property ran")
            def __getattr__(self, name):
                raise SystemExit("__getattr__ ran")
            def _hidden(self): ...
        class Lazy:
            def go(self): ...
        sport_client = SportClient()
        context = {"arm": Lazy(), "number": 3, "_hidden": Lazy()}
        def wave(times: int = 2):
            """Waves."""
        def _private(): ...
        class Nasty:
            def __repr__(self):
                raise SystemExit("repr ran")
            def go(self, a=[SystemExit]): ...
            go.__signature__ = 5
            go.__doc__ = 7
            def run(self, a: [object] = None): ...
            run.__defaults__ = ([SportClient],)
        nasty = Nasty()
        nasty.run.__func__.__defaults__ = ([nasty],)
        nasty.run.__func__.__annotations__ = {"a": nasty}
    ''').interface
    objects = {described["name"]: described for described in interface["objects"]}
    assert list(objects) == ["arm", "number", "SportClient", "Lazy", "sport_client", "Nasty", "nasty", "main"]
    client = objects["sport_client"]
    assert (client["kind"], client["class"], client["doc"]) == ("object", "SportClient", "The sport service.\n\nOf the Go2.")
    assert objects["Lazy"]["kind"] == "class" and objects["number"]["methods"] == []
    assert objects["main"]["doc"] == "Drives a dog." and [method["name"] for method in objects["main"]["methods"]] == ["wave"]
    methods = {method["name"]: method for method in client["methods"]}
    assert list(methods) == ["StandUp", "Move", "Still", "Made"]
    assert methods["StandUp"] == {"name": "StandUp", "doc": "Stands up.", "arguments": [
        {"name": "speed", "kind": "keyword", "required": False, "default": "1", "annotation": "float"},
        {"name": "mode", "kind": "keyword", "required": False, "default": "'fast'", "annotation": None},
        {"name": "rest", "kind": "any", "required": False, "default": None, "annotation": None}]}
    assert [(a["name"], a["required"], a["default"], a["annotation"]) for a in methods["Move"]["arguments"]] == [
        ("vx", True, None, "float"), ("vy", True, None, "int | None"), ("tags", False, "(1, 'a')", None), ("thing", False, "<object>", None)]
    assert [a["name"] for a in methods["Still"]["arguments"]] == ["x"]
    assert [(a["name"], a["annotation"]) for a in methods["Made"]["arguments"]] == [("y", "list[int]")]
    nasty = {method["name"]: method for method in objects["nasty"]["methods"]}
    assert nasty["go"]["arguments"][0]["kind"] == "any" and nasty["go"]["doc"] is None
    assert (nasty["run"]["arguments"][0]["default"], nasty["run"]["arguments"][0]["annotation"]) == ("<list>", "?")


def test_the_description_has_its_limits(run):
    objects = run("""
        class Wide:
            pass
        for n in range(150):
            def method(self, x="y" * 5000): ...
            method.__doc__ = "d" * 5000
            setattr(Wide, f"m{n}", method)
        context = {f"o{n}": Wide() for n in range(300)}
    """).interface["objects"]
    methods = [method for described in objects for method in described["methods"]]
    assert len(objects) <= 200 and len(methods) == 2000
    assert len(methods[0]["doc"]) == len(methods[0]["arguments"][0]["default"]) == 2000


def test_a_description_that_would_be_too_long_for_a_message_is_shortened(run):
    objects = run("""
        code = "def method(self, " + ", ".join(f"a{n}='{'y' * 1900}'" for n in range(200)) + "): ..."
        space = {}
        exec(code, space)
        class Wide:
            pass
        for n in range(150):
            setattr(Wide, f"m{n}", space["method"])
        class Small:
            def go(self): ...
        context = {"small": Small(), "wide": Wide()}
    """).interface["objects"]
    assert [described["name"] for described in objects] == ["small"]


def test_a_project_that_cannot_be_described_can_be_called(run):
    worker = run("""
        class Hidden:
            @property
            def __class__(self):
                raise SystemExit("asked for the class")
        hidden = Hidden()
        def ping():
            return "pong"
    """)
    assert worker.interface["objects"] == []
    assert worker.value("main", "ping") == "pong"


def test_messages_of_the_worker_need_no_stream_of_the_project(run):
    worker = run("""
        import os, sys
        def go():
            sys.stdout = sys.stderr = None
            os.close(1)
            os.close(2)
    """)
    worker.value("main", "go")
    for way in ("calls", "control"):
        worker.send(way, {"type": "nonsense"})
    worker.beat(2)
    assert worker.process.poll() is None
