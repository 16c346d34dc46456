"""The robot control service under test, archives for it, and a client that speaks its packets by hand."""
from __future__ import annotations

import base64
import contextlib
import io
import json
import time
import zipfile
from pathlib import Path

from websockets.sync.client import connect

from server import ROOT, SMALL_AVATAR, Server, free_port, request, wait_until

TOKEN = "token-of-the-tests-0123"

MAIN = '''
import os, threading, time

class Counter:
    """Counts."""
    def __init__(self):
        self.value = 0
    def add(self, amount=1):
        """Adds to it."""
        self.value += amount
        return self.value

class SportClient:
    def StandUp(self, speed=1):
        return {"stood": speed}
    def boom(self):
        raise ValueError("kaboom")
    def set_up(self):
        return {1, 2}
    def sleep(self, seconds):
        time.sleep(seconds)
        return "slept"
    def spin(self):
        while True:
            pass
    def leave(self):
        os._exit(3)
    def echo(self, **values):
        return values
    def push(self, event="recognition_result", count=1, size=0, **data):
        for number in range(count):
            push_message(event, {"number": number, "padding": "x" * size, **data})
        return count
    def push_from_thread(self, every=0.05, count=20):
        def run():
            for number in range(count):
                push_message("task_completed", {"number": number, "time": time.time()})
                time.sleep(every)
        threading.Thread(target=run, name="pusher").start()
    def say(self, text):
        print(text)
    def stop(self):
        print("sport_client was stopped")

counter = Counter()
sport_client = SportClient()
'''


def archive(files: dict[str, str | bytes] | None = None, **named: str) -> bytes:
    """A zip of these files; `main.py` of the tests where nothing is said."""
    files = dict(files or {}) | {name.replace("__", "."): text for name, text in named.items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in (files or {"main.py": MAIN}).items():
            out.writestr(name, content)
    return buffer.getvalue()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


class ControlServer(Server):
    """The server with the robot control service, on a storage folder of its own."""

    def __init__(self, others: dict | None = None, **settings):
        self.control_port = free_port()
        # No viewer is expected: its media ports are whichever are free, so that several servers run side by side.
        super().__init__(**({"connectivity": "direct", "avatar": SMALL_AVATAR} | (others or {})))
        media = free_port()
        self.settings["webrtc"] |= {"port_min": media, "port_max": media}
        self.storage = self.folder / "robot-control"
        self.settings["robot_control"] = {
            "enabled": True, "port": self.control_port, "storage_directory": str(self.storage),
            "default_project": "", "python": str(ROOT / ".venv-worker/bin/python"), **settings}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.control_port}"

    @property
    def token(self) -> str | None:
        return self.settings["robot_control"].get("token")

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.control_port}/socket.io/?EIO=4&transport=websocket"

    def healthz(self) -> dict:
        return request("GET", self.url + "/healthz")[2]

    def wait_for_state(self, *states: str, timeout: float = 60) -> dict:
        return wait_until(lambda: (found := self.healthz())["state"] in states and found, timeout, f"a state of {states}")

    def with_project(self, files: dict[str, str | bytes] | None = None) -> "ControlServer":
        """Fills `current/` before the start, as an operator would."""
        folder = self.storage / "projects" / "current"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (files or {"main.py": MAIN}).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self

    def children(self) -> set[int]:
        """Every process below the server."""
        found: set[int] = set()
        waiting = [self.process.pid]
        while waiting:
            for task in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    new = {int(text) for text in task.read_text().split()} - found
                    found |= new
                    waiting += new
        return found


class Client:
    """A Socket.IO client by hand, over one WebSocket: what is sent and what came are packets' texts."""

    def __init__(self, server: ControlServer, auth: dict | None = None, namespace: str = "", handshake: bool = True, **options):
        self.namespace = f"{namespace}," if namespace else ""
        # Engine.IO has pings of its own; the library's would end a client that does not read.
        self.socket = connect(server.socket_url, max_size=None, compression=None, ping_interval=None, **options)
        self.opening = json.loads(self.socket.recv(timeout=10)[1:])
        self.events: list[tuple[float, list]] = []
        self.pings: list[float] = []
        self.acknowledgements: dict[int, list] = {}
        self.number = 0
        if handshake:
            self.socket.send(f"40{self.namespace}" + (json.dumps(auth) if auth is not None else ""))

    def receive(self, timeout: float = 20) -> str:
        """The next packet but pings, which are answered."""
        deadline = time.monotonic() + timeout
        while True:
            packet = self.socket.recv(timeout=max(0.01, deadline - time.monotonic()))
            if packet != "2":
                return packet
            self.pings.append(time.monotonic())
            self.socket.send("3")

    def connected(self) -> "Client":
        """Until the service has said so."""
        packet = self.receive()
        assert packet.startswith(f"40{self.namespace}{{"), packet
        if not self.namespace:
            assert self.receive() == '42["connected",{"message":"Connected successfully"}]'
        return self

    def send(self, event: str, *arguments) -> int:
        self.number += 1
        self.socket.send(f"42{self.namespace}{self.number}{json.dumps([event, *arguments])}")
        return self.number

    def wait(self, number: int, timeout: float = 60):
        """The acknowledgement of that number; what comes meanwhile is kept."""
        deadline = time.monotonic() + timeout
        while number not in self.acknowledgements:
            self.take(self.receive(max(0.01, deadline - time.monotonic())))
        return self.acknowledgements.pop(number)[0]

    def take(self, packet: str):
        body = packet[2 + len(self.namespace):]
        if packet.startswith("43"):
            digits = len(body) - len(body.lstrip("0123456789"))
            self.acknowledgements[int(body[:digits])] = json.loads(body[digits:])
        elif packet.startswith("42"):
            self.events.append((time.monotonic(), json.loads(body)))

    def call(self, event: str, *arguments, timeout: float = 60):
        return self.wait(self.send(event, *arguments), timeout)

    def process(self, object: str, method: str, timeout: float = 60, **arguments):
        return self.call("process", {"params": {"object": object, "method": method, "args": arguments}}, timeout=timeout)

    def wait_for_event(self, name: str, timeout: float = 20, where=lambda data: True) -> dict:
        deadline = time.monotonic() + timeout
        while True:
            for _, (event, *data) in self.events:
                if event == name and where(data[0] if data else None):
                    return data[0]
            self.take(self.receive(max(0.01, deadline - time.monotonic())))

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def client(server: ControlServer, **options) -> Client:
    """A client that is connected."""
    return Client(server, **options).connected()
