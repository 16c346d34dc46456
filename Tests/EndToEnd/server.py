"""Starts the built server, coturn and a tunnel for tests, and ends them by process id."""
from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("AVATAR_STREAMER", ROOT / ".build/release/avatar-streamer"))


handed_out: set[int] = set()

#: For servers whose avatar nobody looks at: its idle pictures are drawn after the start, on the processors that the test needs.
SMALL_AVATAR = {"width": 128, "height": 128, "frames_per_second": 10}


def free_port() -> int:
    """A port that nobody listens on, never the same twice: the kernel may give a closed one again at once."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in handed_out:
            handed_out.add(port)
            return port


def request(method: str, url: str, body=None, headers=None):
    """One HTTP request: (status, headers, decoded JSON or text)."""
    is_object = body is not None and not isinstance(body, (str, bytes))
    data = json.dumps(body).encode() if is_object else body.encode() if isinstance(body, str) else body
    head = {"Content-Type": "application/json"} if is_object else {}
    ask = urllib.request.Request(url, data=data, method=method, headers=head | (headers or {}))
    try:
        with urllib.request.urlopen(ask, timeout=10) as answer:
            status, fields, raw = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        status, fields, raw = error.code, error.headers, error.read()
    text = raw.decode()
    try:
        return status, fields, json.loads(text)
    except ValueError:
        return status, fields, text


def wait_until(condition, timeout: float, what: str):
    """Polls a condition that no event announces (another process's state)."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        threading.Event().wait(0.05)
    raise AssertionError(f"{what} did not come true within {timeout} s")


class Server:
    """One avatar-streamer process on loopback with its own configuration."""

    def __init__(self, **settings):
        self.folder = Path(tempfile.mkdtemp(prefix="avatar-streamer-"))
        self.http_port = free_port()
        self.ws_port = free_port()
        self.settings = {
            "management": {"host": "127.0.0.1", "port": self.http_port},
            "signaling": {"host": "127.0.0.1", "port": self.ws_port},
            "webrtc": {"public_ip": "127.0.0.1", "bind_address": "127.0.0.1"},
            "storage": {"state_directory": str(self.folder / "state"), "web_root": str(ROOT / "Web")},
            "avatars": {"directory": str(self.folder / "avatars"), "video_roots": [str(self.folder)]},
            "shutdown": {"drain_seconds": 1},
        }
        for key, value in settings.items():
            if isinstance(value, dict):
                self.settings.setdefault(key, {}).update(value)
            else:
                self.settings[key] = value
        self.process: subprocess.Popen | None = None
        self.log_path = self.folder / "server.log"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.ws_port}"

    def start(self) -> "Server":
        config = self.folder / "config.yaml"
        # JSON is YAML; the server's own reader has to cope with it.
        config.write_text(json.dumps(self.settings, indent=1))
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen([str(BINARY), "serve", "--config", str(config)], stdout=log, stderr=log)
        wait_until(self.is_answering, 20, f"the server's /health (log: {self.log_path})")
        return self

    def is_answering(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the server ended: {self.log()}"
        with contextlib.suppress(OSError):
            return self.health()["status"] in ("healthy", "degraded")
        return False

    def health(self) -> dict:
        return request("GET", self.http + "/health")[2]

    def metric(self, name: str, labels: str = "") -> float:
        for line in request("GET", self.http + "/metrics")[2].splitlines():
            if line.startswith(name + labels + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def figures(self) -> dict:
        """What the kernel says of the process: resident memory in bytes, that of it which lies in no file, open descriptors, threads."""
        assert self.process is not None
        proc = Path("/proc") / str(self.process.pid)
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        return {"rss": int(status["VmRSS"].split()[0]) * 1024, "anonymous": int(status["RssAnon"].split()[0]) * 1024, "fds": len(list((proc / "fd").iterdir())),
                "threads": int(status["Threads"])}

    def stop(self) -> int:
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else 0
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)

    def kill(self):
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        try:
            return self.start()
        except AssertionError:
            # It must not hold its ports against the tests that follow.
            self.__exit__()
            raise

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()


class Coturn:
    """coturn as the requirements describe it: listening on 10110, relaying on 10111-10115; loopback only."""

    def __init__(self, user="viewer", password="viewer-pass", public="127.0.0.1"):
        self.user, self.password, self.public = user, password, public
        self.folder = Path(tempfile.mkdtemp(prefix="coturn-"))
        self.log_path = self.folder / "turn.log"
        self.process: subprocess.Popen | None = None

    def start(self) -> "Coturn":
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                ["turnserver", "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--listening-port=10110",
                 "--min-port=10111", "--max-port=10115", "--realm=test", "--lt-cred-mech", f"--user={self.user}:{self.password}",
                 "--allow-loopback-peers", "--no-cli", "--no-tls", "--no-dtls", "--verbose", "--log-file=stdout",
                 f"--userdb={self.folder}/db", f"--pidfile={self.folder}/pid"]
                + ([] if self.public == "127.0.0.1" else [f"--external-ip={self.public}/127.0.0.1"]),
                stdout=log, stderr=log)
        wait_until(self.is_listening, 10, "coturn's TCP port")
        return self

    def is_listening(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 10110), 0.2):
            return True
        return False

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    @property
    def settings(self) -> dict:
        """What the server is told to use this relay."""
        return {"relay": "external", "webrtc": {
            "public_ip": self.public, "bind_address": "127.0.0.1", "turn_server": f"turn:{self.public}:10110",
            "turn_server_local": "turn:127.0.0.1:10110",
            "turn_username": self.user, "turn_password": self.password}}


class Tunnel:
    """A UDP proxy as FRP is one: every client of `public` reaches `private` from one address, with a port of its own."""

    def __init__(self, public: str, private: str, ports: range):
        self.public, self.private, self.ports = public, private, ports
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.transports: list = []
        self.clients: dict = {}

    class Front(asyncio.DatagramProtocol):
        def __init__(self, tunnel, port):
            self.tunnel, self.port = tunnel, port

        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, address):
            key = (self.port, address)
            back = self.tunnel.clients.get(key)
            if back is None:
                back = self.tunnel.clients[key] = Tunnel.Back(self.transport, address)
                self.tunnel.loop.create_task(self.tunnel.connect(back, self.port))
            back.send(data)

    class Back(asyncio.DatagramProtocol):
        def __init__(self, front, address):
            self.front, self.address, self.transport, self.queue = front, address, None, []

        def connection_made(self, transport):
            self.transport = transport
            for data in self.queue:
                transport.sendto(data)

        def send(self, data):
            self.transport.sendto(data) if self.transport else self.queue.append(data)

        def datagram_received(self, data, _):
            self.front.sendto(data, self.address)

    async def connect(self, back, port):
        transport, _ = await self.loop.create_datagram_endpoint(
            lambda: back, local_addr=(self.private, 0), remote_addr=(self.private, port))
        self.transports.append(transport)

    async def listen(self):
        for port in self.ports:
            transport, _ = await self.loop.create_datagram_endpoint(
                lambda port=port: Tunnel.Front(self, port), local_addr=(self.public, port))
            self.transports.append(transport)

    def __enter__(self):
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(), self.loop).result(5)
        return self

    async def close(self):
        for transport in self.transports:
            transport.close()
        await asyncio.sleep(0)  # Transports close their sockets in the loop's next turn.

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self.close(), self.loop).result(5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
