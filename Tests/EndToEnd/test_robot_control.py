"""The robot control service: the recorded exchanges of the former one, and each of its defects, which ours must not have."""
from __future__ import annotations

import asyncio
import json
import random
import socket
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import socketio
import zmq

from control import MAIN, TOKEN, Client, ControlServer, archive, client, encoded
from go2 import Go2, ask, wait_connected
from server import ROOT, free_port, request, wait_until
from talker import run


@pytest.fixture(scope="module")
def service():
    """One service with the tests' project, for tests that leave it as they found it."""
    with ControlServer().with_project() as server:
        server.wait_for_state("ready")
        yield server


@pytest.fixture(scope="module")
def empty():
    """A service without a project."""
    with ControlServer() as server:
        yield server


# The recorded exchanges, field for field.

def test_the_root_names_the_service(service):
    assert request("GET", service.url + "/")[2] == {"service": "Robot Control System", "protocol": "Socket.IO", "status": "running"}


def test_the_first_client_is_welcomed_behind_the_answer_to_its_connect(service):
    with Client(service) as one:
        assert sorted(one.opening) == ["maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"]
        assert one.opening["pingInterval"] == 25000 and one.opening["pingTimeout"] == 20000
        answer = one.receive()
        assert answer.startswith("40") and list(json.loads(answer[2:])) == ["sid"]
        assert one.receive() == '42["connected",{"message":"Connected successfully"}]'


def test_a_second_client_is_told_and_rejected_and_the_first_stays(service):
    with client(service) as first, Client(service) as second:
        assert second.receive() == '42["error",{"message":"Another client is already connected"}]'
        assert second.receive() == '44{"message":"Connection rejected by server"}'
        assert first.process("counter", "add")["status"] == "success"


def test_a_call_is_answered_as_recorded(service):
    with client(service) as one:
        assert one.process("sport_client", "StandUp", speed=1) == {
            "status": "success", "message": "StandUp executed", "data": {"status": "success", "result": {"stood": 1}}}


@pytest.mark.parametrize("object, method, arguments, message", [
    ("sport_client", "boom", {}, "kaboom"),
    ("sport_client", "nope", {}, "Object 'sport_client' has no method 'nope'"),
    ("ghost", "boo", {}, "Object 'ghost' not found in context or module"),
    ("counter", "add", {"sum": 1}, "Counter.add() got an unexpected keyword argument 'sum'"),
])
def test_a_call_that_fails_is_a_success_outside_and_an_error_inside(service, object, method, arguments, message):
    with client(service) as one:
        assert one.process(object, method, **arguments) == {
            "status": "success", "message": f"{method} executed", "data": {"status": "error", "message": message}}


@pytest.mark.parametrize("event, argument, message", [
    ("process", {}, "PROCESS command requires 'params' field"),
    ("process", {"params": 1}, "'params' must be an object"),
    ("process", {"params": {"method": "x"}}, "'params' must contain 'object' field"),
    ("process", {"params": {"object": "x"}}, "'params' must contain 'method' field"),
    ("process", {"params": {"object": "x", "method": "y", "args": 1}}, "'args' must be an object"),
    ("update", {}, "UPDATE command requires 'data' field"),
    ("update", {"data": 1}, "'data' field must be a base64 string"),
    ("x", {}, "Unknown command: x"),
])
def test_an_order_that_is_wrong_is_refused_as_recorded(service, event, argument, message):
    with client(service) as one:
        assert one.call(event, argument) == {"status": "error", "message": message}


def test_without_a_project_calls_and_starts_are_refused_as_recorded(empty):
    with client(empty) as one:
        assert one.process("a", "b") == {"status": "error", "message": "No project loaded", "data": {}}
        assert one.call("start", {}) == {"status": "error", "message": "No project loaded. Please upload a project first (UPDATE command)"}


def test_the_whole_cycle_as_recorded():
    with ControlServer() as server, client(server) as one:
        answer = one.call("update", {"data": encoded(archive())})
        path = answer["data"].pop("project_path")
        assert answer == {"status": "success", "message": "Project extracted successfully", "data": {"project_type": "python"}}
        assert path == str(server.storage / "projects" / "current")
        assert one.call("start", {}) == {"status": "success", "message": "Python project started successfully", "data": {"project_type": "python"}}
        assert one.process("counter", "add", amount=2)["data"] == {"status": "success", "result": 2}
        # The older clients' name of the field, and a lone top folder, which is stripped.
        answer = one.call("update", {"zip_data": encoded(archive({"robot/main.py": MAIN}))})
        assert answer["message"] == "Project extracted successfully. Worker will restart to clear module cache."
        assert answer["data"]["worker_will_restart"] is True
        assert one.process("counter", "add")["data"] == {"status": "success", "result": 1}
        one.process("sport_client", "push", event="task_error", text="x")
        assert one.wait_for_event("task_error") == {"number": 0, "padding": "", "text": "x"}
        refused = one.call("update", {"data": encoded(b"no zip at all")})
        assert refused["status"] == "error" and refused["message"].startswith("Failed to update project: ") and set(refused) == {"status", "message"}


TRANSPORTS = [["polling"], ["websocket"], None]


@pytest.mark.parametrize("transports", TRANSPORTS, ids=["polling", "websocket", "upgrade"])
def test_python_socketio_runs_the_whole_cycle(transports):
    async def cycle(server):
        for round in range(2):
            heard: asyncio.Queue = asyncio.Queue()
            one = socketio.AsyncClient()
            one.on("recognition_result", heard.put)
            welcome = asyncio.get_running_loop().create_future()
            one.on("connected", lambda data: welcome.set_result(data))
            await one.connect(server.url, transports=transports)
            assert await asyncio.wait_for(welcome, 10) == {"message": "Connected successfully"}
            if round == 0:
                answer = await one.call("update", {"data": encoded(archive())})
                assert answer["status"] == "success", answer
            assert (await one.call("start", {}))["status"] == "success"
            answer = await one.call("process", {"params": {"object": "counter", "method": "add", "args": {"amount": 5}}})
            # What the project holds is kept from one connection to the next.
            assert answer["data"] == {"status": "success", "result": 5 * (round + 1)}
            await one.call("process", {"params": {"object": "sport_client", "method": "push", "args": {}}})
            assert (await asyncio.wait_for(heard.get(), 10))["number"] == 0
            await one.disconnect()

    with ControlServer() as server:
        run(cycle(server))


def test_the_threaded_client_works_as_well(service):
    with socketio.SimpleClient() as one:
        one.connect(service.url)
        assert one.receive(timeout=10) == ["connected", {"message": "Connected successfully"}]
        answer = one.call("process", {"params": {"object": "sport_client", "method": "StandUp", "args": {}}})
        assert answer["data"]["result"] == {"stood": 1}


# What the former service got wrong.

def test_an_upload_of_a_hundred_megabytes_drops_nothing_and_is_not_held_in_memory():
    with ControlServer() as server, client(server) as one:
        order = {"data": encoded(archive({"main.py": MAIN, "data.bin": random.randbytes(96 << 20)}))}
        before = worst = server.figures()["anonymous"]
        number = one.send("update", order)
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(one.wait, number)
            while not answer.done():
                worst = max(worst, server.figures()["anonymous"])
                time.sleep(0.01)
        assert answer.result()["status"] == "success"
        assert one.process("counter", "add")["data"]["result"] == 1
        assert (server.storage / "projects" / "current" / "data.bin").stat().st_size == 96 << 20
        assert worst - before < 48 << 20, f"{(worst - before) >> 20} MiB"


def test_a_post_that_takes_longer_than_a_ping_and_its_timeout_keeps_its_session():
    with ControlServer(ping_interval_ms=300, ping_timeout_ms=1000) as server:
        poll = f"{server.url}/socket.io/?EIO=4&transport=polling"
        opening = json.loads(request("GET", poll)[2][1:])
        path = f"/socket.io/?EIO=4&transport=polling&sid={opening['sid']}"
        body = b'40{"padding":"' + b"x" * 5_000 + b'"}'
        with socket.create_connection(("127.0.0.1", server.control_port)) as slow:
            slow.sendall(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n".encode())
            assert request("GET", server.url + path)[2] == 2, "a ping that a polling client can only answer by its next POST"
            began, sent = time.monotonic(), 0
            while time.monotonic() - began < 3:
                slow.sendall(body[sent:sent + 100])
                sent += 100
                time.sleep(0.1)
            slow.sendall(body[sent:])
            assert slow.recv(4096).startswith(b"HTTP/1.1 200")
        assert request("GET", server.url + path)[2].startswith('40{"sid"')


def test_max_message_size_is_read():
    with ControlServer(maximum_message_bytes=100_000) as server, Client(server) as one:
        assert one.opening["maxPayload"] == 100_000
        one.connected()
        one.socket.send("42" + json.dumps(["update", {"data": "A" * 200_000}]))
        with pytest.raises(Exception, match="1009|no close frame|too big"):
            while True:
                one.receive()


def test_a_call_that_is_too_long_is_ended():
    with ControlServer(maximum_execution_seconds=1).with_project() as server, client(server, auth={"extended": True}) as one:
        server.wait_for_state("ready")
        began = time.monotonic()
        answer = one.process("sport_client", "sleep", seconds=60)
        assert answer["data"]["status"] == "error" and answer["data"]["error_code"] == "timeout" and "1" in answer["data"]["message"]
        assert time.monotonic() - began < 20
        assert one.process("counter", "add")["data"]["status"] == "success"


def test_log_level_is_read(monkeypatch):
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    with ControlServer().with_project() as server:
        server.wait_for_state("ready")
        with client(server) as one:
            one.call("start", {})
        assert "order: start" in server.log()


def test_a_long_call_holds_up_neither_pings_nor_pushes_and_is_interrupted(service):
    with client(service, auth={"extended": True}) as one:
        one.process("sport_client", "push_from_thread", every=0.05, count=20)
        call = one.send("process", {"params": {"object": "sport_client", "method": "sleep", "args": {"seconds": 10}, "id": "nap"}})
        pushed = one.wait_for_event("task_completed", where=lambda data: data["number"] == 19)
        assert pushed["number"] == 19 and call not in one.acknowledgements
        began = time.monotonic()
        assert one.call("interrupt", {"id": "nap"})["data"] == {"interrupted": 1}
        answer = one.wait(call)
        assert answer["data"]["status"] == "error" and answer["data"]["error_code"] == "interrupted"
        assert time.monotonic() - began < 5
        assert one.process("counter", "add")["data"]["status"] == "success"


def test_a_project_that_leaves_is_started_again_and_the_call_is_answered(service):
    with client(service, auth={"extended": True}) as one:
        answer = one.process("sport_client", "leave")
        assert answer["data"]["error_code"] == "worker_ended"
        service.wait_for_state("ready")
        assert one.process("counter", "add")["data"] == {"status": "success", "result": 1}


def test_a_value_that_is_not_json_is_an_error_of_the_call(service):
    with client(service) as one:
        answer = one.process("sport_client", "set_up")
        assert answer["data"]["status"] == "error" and "set" in answer["data"]["message"]
        assert one.process("counter", "add")["data"]["status"] == "success"


@pytest.mark.parametrize("files, told", [
    ({"main.py": "raise RuntimeError('no good')"}, "no good"),
    ({"main.py": "def init():\n    raise RuntimeError('bad start')"}, "bad start"),
    ({"main.py": "import os\nos._exit(1)"}, ""),
    ({"readme.txt": "nothing to run"}, "main.py"),
    ({"main.py": "def ("}, "syntax"),
])
def test_a_bad_upload_leaves_the_running_project_running(service, files, told):
    with client(service) as one:
        one.process("counter", "add", amount=100)
        before = one.process("counter", "add", amount=0)["data"]["result"]
        answer = one.call("update", {"data": encoded(archive(files))})
        assert answer["status"] == "error" and answer["message"].startswith("Failed to update project: ")
        assert told in answer["message"]
        assert one.process("counter", "add", amount=0)["data"]["result"] == before
        assert list((service.storage / "projects" / "staging").iterdir()) == []


def test_start_right_after_update_does_not_hang(service):
    with client(service) as one:
        update = one.send("update", {"data": encoded(archive())})
        start = one.send("start", {})
        assert one.wait(update)["status"] == "success"
        assert one.wait(start)["status"] == "success"


def test_the_next_client_gets_no_stale_pushes(service):
    with client(service) as one:
        one.process("sport_client", "push_from_thread", every=0.01, count=100)
    with client(service) as two:
        two.process("sport_client", "push", event="fresh")
        two.wait_for_event("fresh")
        assert {event for _, (event, *_) in two.events} <= {"fresh", "task_completed"}
        times = [data[0]["time"] for _, (event, *data) in two.events if event == "task_completed"]
        assert all(later >= earlier for earlier, later in zip(times, times[1:]))


def test_the_end_of_the_server_leaves_no_process_and_frees_the_port():
    with ControlServer().with_project() as server:
        server.wait_for_state("ready")
        children = server.children()
        assert children
        assert server.stop() == 0
        wait_until(lambda: not any(alive(child) for child in children), 10, "the end of every child")
        port = server.control_port
    again = ControlServer().with_project()
    again.control_port = port
    again.settings["robot_control"]["port"] = port
    with again:
        again.wait_for_state("ready")


def test_a_killed_server_takes_its_worker_along():
    with ControlServer().with_project() as server:
        server.wait_for_state("ready")
        children = server.children()
        server.kill()
        wait_until(lambda: not any(alive(child) for child in children), 10, "the end of every child")


def alive(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_an_unknown_event_and_an_exception_are_acknowledged(service):
    with client(service) as one:
        assert one.call("dance")["message"] == "Unknown command: dance"
        assert one.process("sport_client", "boom")["data"]["message"] == "kaboom"


# What is new.

def test_state_is_kept_for_the_reconnect_and_the_project_is_told(service):
    with client(service) as one:
        before = one.process("counter", "add")["data"]["result"]
    with client(service) as two:
        assert two.process("counter", "add")["data"]["result"] == before + 1
        lines = two.call("log", {"lines": 1000})["data"]["lines"]
        assert "sport_client was stopped" in [line["message"] for line in lines]


def test_status_history_and_rollback():
    with ControlServer() as server, client(server, auth={"extended": True}) as one:
        for number in (1, 2):
            answer = one.call("update", {"data": encoded(archive(main__py=f"class A:\n    def number(self):\n        return {number}\na = A()")), "name": f"v{number}.zip"})
            assert answer["data"]["version"] == number
        versions = one.call("history", {})["data"]["versions"]
        assert [version["version"] for version in versions] == [2, 1] and versions[0]["name"] == "v2.zip"
        assert one.process("a", "number")["data"]["result"] == 2
        assert one.call("rollback", {"version": 1})["status"] == "success"
        assert one.process("a", "number")["data"]["result"] == 1
        refused = one.call("rollback", {"version": 77})
        assert refused["status"] == "error" and refused["error_code"] == "unknown_version"
        status = one.call("status", {})["data"]
        assert status["state"] == "ready" and status["client"] is True and status["project"]["type"] == "python"
        assert {entry["name"] for entry in status["objects"]} >= {"a"}
        assert one.call("restart", {})["status"] == "success"


def test_output_is_followed_live(service):
    with client(service) as one:
        one.call("log", {"lines": 0, "follow": True})
        one.process("sport_client", "say", text="hello from the project")
        assert one.wait_for_event("log", where=lambda line: line["message"] == "hello from the project")["source"] == "project"


def test_requirements_are_installed_for_the_project_alone(tmp_path):
    package = {"setup.py": "from setuptools import setup\nsetup(name='tiny-part', version='1.0', py_modules=['tiny_part'])", "tiny_part.py": "answer = 42\n"}
    files = {"main.py": "import tiny_part\nclass A:\n    def answer(self):\n        return tiny_part.answer\na = A()\n",
             "requirements.txt": "tiny-part==1.0\n"}
    wheels = build_wheel(tmp_path, package)
    with ControlServer(pip_arguments=["--no-index", "--find-links", str(wheels)]) as server, client(server, auth={"extended": True}) as one:
        answer = one.call("update", {"data": encoded(archive(files))}, timeout=120)
        assert answer["status"] == "success", answer
        assert one.process("a", "answer")["data"]["result"] == 42
        refused = one.call("update", {"data": encoded(archive({**files, "requirements.txt": "no-such-part==9\n"}))}, timeout=120)
        assert refused["status"] == "error" and "no-such-part" in refused["message"] + str(refused.get("data"))
        assert one.process("a", "answer")["data"]["result"] == 42


def build_wheel(folder, files):
    """A wheel, written by hand: no build tool is needed."""
    import zipfile
    path = folder / "tiny_part-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny_part.py", files["tiny_part.py"])
        wheel.writestr("tiny_part-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-part\nVersion: 1.0\n")
        wheel.writestr("tiny_part-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny_part-1.0.dist-info/RECORD", "tiny_part.py,,\ntiny_part-1.0.dist-info/METADATA,,\ntiny_part-1.0.dist-info/WHEEL,,\ntiny_part-1.0.dist-info/RECORD,,\n")
    return folder


def test_a_second_kind_of_project_is_a_plain_executable():
    script = '''#!/usr/bin/python3
import json, os, sys
def say(**message):
    print(json.dumps(message), flush=True)
say(type="hello", protocol=1, token=os.environ["AVATAR_STREAMER_WORKER_TOKEN"], pid=os.getpid(), runtime="a script")
say(type="ready", objects=[{"name": "robot", "kind": "object", "class": "Robot", "doc": "", "methods": []}], import_seconds=0)
for line in sys.stdin:
    order = json.loads(line)
    if order["type"] == "call":
        say(type="push", event="told", data=order["args"])
        say(type="result", id=order["id"], value=order["method"].upper())
    elif order["type"] == "stop":
        say(type="stopped", errors=[], threads=[])
    elif order["type"] == "shutdown":
        break
'''
    import io
    import zipfile
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr("project.json", json.dumps({"kind": "executable", "command": ["./robot"]}))
        entry = zipfile.ZipInfo("robot")
        entry.external_attr = 0o755 << 16
        entry.create_system = 3
        out.writestr(entry, script)
    with ControlServer() as server, client(server) as one:
        answer = one.call("update", {"data": encoded(buffer.getvalue())})
        assert answer["status"] == "success" and answer["data"]["project_type"] == "executable", answer
        assert one.process("robot", "sit", deep=True)["data"] == {"status": "success", "result": "SIT"}
        assert one.wait_for_event("told") == {"deep": True}


# Who may connect.

def test_a_token_is_asked_before_the_seat_is_looked_at():
    with ControlServer(token=TOKEN, viewer_token="viewers-of-the-tests").with_project() as server:
        for auth in (None, {}, {"token": "wrong"}, {"token": 5}):
            with Client(server, auth=auth) as refused:
                assert refused.receive() == '44{"message":"Authentication failed"}'
        with client(server, auth={"token": TOKEN}), Client(server, auth={"token": TOKEN}) as second:
            assert second.receive().startswith('42["error"')
        with client(server, additional_headers={"Authorization": f"Bearer {TOKEN}"}) as by_header:
            server.wait_for_state("ready")
            assert by_header.process("counter", "add")["status"] == "success"
        with Client(server, auth={"token": "viewers-of-the-tests"}) as viewer:
            assert viewer.receive().startswith("44")


def test_a_viewer_listens_and_may_not_call():
    with ControlServer(token=TOKEN, viewer_token="viewers-of-the-tests").with_project() as server:
        server.wait_for_state("ready")
        with client(server, auth={"token": TOKEN}) as one, client(server, namespace="/console", auth={"token": "viewers-of-the-tests"}) as viewer:
            refused = viewer.process("counter", "add")
            assert refused["status"] == "error" and refused["error_code"] == "forbidden"
            assert viewer.call("update", {"data": "UEs="})["error_code"] == "forbidden"
            assert viewer.call("status", {})["data"]["state"] == "ready"
            one.process("sport_client", "push", event="recognition_result")
            assert viewer.wait_for_event("push")["event"] == "recognition_result"


def test_an_operator_calls_without_taking_the_seat(service):
    with client(service) as one, client(service, namespace="/console") as operator:
        assert operator.process("sport_client", "StandUp")["data"]["result"] == {"stood": 1}
        assert one.process("sport_client", "StandUp")["data"]["result"] == {"stood": 1}


def test_a_client_with_the_token_takes_over_where_that_is_configured():
    with ControlServer(token=TOKEN, second_client="take_over").with_project() as server:
        server.wait_for_state("ready")
        with client(server, auth={"token": TOKEN}) as first:
            with Client(server, auth={"token": TOKEN}) as polite:
                assert polite.receive().startswith('42["error"')
            with client(server, auth={"token": TOKEN, "take_over": True}) as second:
                assert first.wait_for_event("error") == {"message": "Another client has taken over"}
                assert second.process("counter", "add")["status"] == "success"
                with pytest.raises(Exception):
                    while not first.receive().startswith("41"):
                        pass
                    raise ConnectionError


def test_pages_of_other_origins_are_kept_out(service):
    with Client(service, origin="https://evil.example") as page:
        assert page.receive().startswith("44")
    with client(service, origin=service.url) as page:
        assert page.call("start", {})["status"] == "success"


def test_the_robot_of_the_configuration_is_none_without_one_and_the_default_project_says_so():
    with ControlServer(default_project=str(ROOT / "Workers/default")) as server, client(server) as one:
        server.wait_for_state("ready")
        answer = one.process("sport_client", "StandUp")
        assert answer["status"] == "success" and answer["data"]["status"] == "success"
        assert answer["data"]["result"]["dry_run"] is True


def test_the_default_project_drives_the_robot_of_the_configuration():
    with Go2() as robot:
        others = {"robots": {"go2": {"address": robot.address, "public": "read"}}}
        with ControlServer(others, default_project=str(ROOT / "Workers/default"), robot="go2") as server, client(server) as one:
            server.wait_for_state("ready")
            wait_connected(server)
            low = robot.body["body_height"]
            answer = one.process("sport_client", "StandUp")["data"]
            assert answer["status"] == "success", answer
            wait_until(lambda: robot.body["body_height"] > low + 0.01, 10, "the robot to stand up")
            call = one.send("process", {"params": {"object": "sport_client", "method": "Move", "args": {"vx": 0.3, "duration": 5}}})
            wait_until(lambda: robot.body["motion"][0] > 0, 10, "the robot to walk")
            # The client goes while it walks: it is interrupted, `stop()` stands still, and the seat is free.
            one.close()
            wait_until(lambda: robot.body["motion"] == [0, 0, 0], 10, "the robot to stand still")
            assert call


def test_the_former_zeromq_endpoints_answer_commands_and_publish_pushes(tmp_path):
    command, push = f"ipc://{tmp_path}/command", f"ipc://{tmp_path}/push"
    with ControlServer(command_endpoint=command, push_endpoint=push).with_project() as server, zmq.Context() as context:
        server.wait_for_state("ready")
        assert all(stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600 for name in ("command", "push"))
        with context.socket(zmq.REQ) as tool, context.socket(zmq.SUB) as listener:
            tool.connect(command)
            listener.connect(push)
            listener.subscribe("recognition_result")

            def ask_for(**order):
                tool.send_json(order)
                return tool.recv_json()

            answer = ask_for(command="process", params={"object": "sport_client", "method": "StandUp", "args": {"speed": 2}})
            assert answer == {"status": "success", "message": "StandUp executed", "data": {"status": "success", "result": {"stood": 2}}}
            assert ask_for(command="dance") == {"status": "error", "message": "Unknown command: dance"}
            assert ask_for(command="update", data=encoded(archive()))["message"].startswith("Project extracted successfully")
            with client(server) as one:
                assert wait_until(lambda: one.process("sport_client", "push", word="hi") and listener.poll(100), 20, "a push")
            event, data = listener.recv_multipart()
            assert event == b"recognition_result" and json.loads(data)["word"] == "hi"
            tool.close(0)
            listener.close(0)


def test_an_endpoint_that_cannot_be_had_is_named_and_the_rest_works(tmp_path):
    with ControlServer(command_endpoint=f"ipc://{tmp_path}/none/command").with_project() as server:
        server.wait_for_state("ready")
        (part,) = [part for part in server.health()["degraded"] if part["part"] == "robot_control:endpoints"]
        assert "none/command" in part["reason"] and "command_endpoint" in part["remedy"]
        with client(server) as one:
            assert one.process("counter", "add")["status"] == "success"


@pytest.mark.parametrize("setting, part", [("worker_directory", "robot_control:worker"), ("python", "robot_control:python")])
def test_a_worker_that_cannot_start_is_named_with_what_mends_it(tmp_path, setting, part):
    with ControlServer(**{setting: str(tmp_path / "none")}).with_project() as server:
        (found,) = [one for one in server.health()["degraded"] if one["part"] == part]
        assert str(tmp_path / "none") in found["reason"] and f"robot_control.{setting}" in found["remedy"]
