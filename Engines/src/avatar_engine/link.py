"""The link thread: one DEALER socket, hello and its repetition, pings, CURVE, reconnects.

It never calls the engine, so that a busy inference does not look hung. A callback that takes longer than
`hang_timeout` is hung: then the link stops answering pings, and the server does what it does to hung engines.
"""
from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import zmq
import zmq.utils.monitor

from . import protocol
from .curve import read_key, read_secret_key
from .engine import Engine
from .exchange import Exchange
from .inference import Inference
from .protocol import Message, ProtocolError

log = logging.getLogger("avatar_engine")


@dataclass(frozen=True)
class LinkSettings:
    """Where the server is, and how long to be patient (seconds)."""

    endpoint: str
    token: str | None = field(default=None, repr=False)
    #: CURVE: the server's public key (Z85 or a file with it), and the file with the engine's secret key.
    server_key: str | None = None
    secret_key_file: str | None = None
    #: A callback that takes longer is hung; 0: never.
    hang_timeout: float = 60.0
    #: Nothing heard for so long: a new socket.
    silence_timeout: float = 5.0
    statistics_interval: float = 1.0


class Link:
    """Owns the socket. `run` is the thread's body; `wake` may be called from any thread."""

    HANDSHAKE_EVENTS = (zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
                        | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
    REFUSALS_PER_SECOND = 10

    def __init__(self, engine: Engine, exchange: Exchange, inference: Inference, settings: LinkSettings,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.engine, self.exchange, self.inference, self.settings, self.clock = engine, exchange, inference, settings, clock
        self.is_welcome = False
        #: Why the engine ends: exit status, set once the server sent `shutdown` or refused for good.
        self.exit_status: int | None = None
        self.ended = threading.Event()
        self._context = zmq.Context()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        exchange.wake = self.wake
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._blocked: deque[list[bytes]] = deque()
        self._last_heard = self._hello_at = self._statistics_at = 0.0
        self._hello_retry = 1.0
        self._answers = (0.0, 0)
        self._is_hung = False
        self._was_kept_out = False
        self._counted = (0, 0.0)

    def wake(self) -> None:
        try:
            os.write(self._wake_write, b"!")
        except (BlockingIOError, OSError):
            pass  # Woken already, or ended.

    def run(self) -> None:
        try:
            self._connect()
            while not self.exchange.is_stopping and self.exit_status is None:
                self._turn()
            self._say_goodbye()
        except Exception:
            log.critical("the link failed", exc_info=True)
            self.exit_status = 1
        finally:
            self._disconnect(linger=200)
            self._context.term()
            self.ended.set()

    def _turn(self) -> None:
        now = self.clock()
        if now - self._last_heard > self.settings.silence_timeout:
            if self.is_welcome:
                log.warning("nothing heard from the server for %.0f s: connecting anew", self.settings.silence_timeout)
            self._connect()
        if self._hello_at and now >= self._hello_at:
            self._say_hello()
        if self.is_welcome and now >= self._statistics_at:
            self._send_statistics(now)
        self._watch_inference(now)
        socket, monitor = self._sockets()
        self._flush(socket)
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN | (zmq.POLLOUT if self._blocked else 0))
        poller.register(monitor, zmq.POLLIN)
        poller.register(self._wake_read, zmq.POLLIN)
        ready = dict(poller.poll(100))
        if self._wake_read in ready:
            try:
                os.read(self._wake_read, 65536)
            except BlockingIOError:
                pass
        if monitor in ready and not self._watch_connection(monitor):
            return
        # A flood of the server's must not keep pictures from leaving.
        for _ in range(200):
            try:
                parts = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            self._receive(parts)
            if self._socket is not socket:
                break

    # The connection.

    def _sockets(self) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
        if self._socket is None or self._monitor is None:
            raise RuntimeError("the link is not connected")
        return self._socket, self._monitor

    def _connect(self) -> None:
        self._disconnect()
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        socket.sndhwm = socket.rcvhwm = 1000
        socket.reconnect_ivl, socket.reconnect_ivl_max = 100, 2000
        socket.setsockopt(zmq.MAXMSGSIZE, protocol.MAXIMUM_PAYLOAD_BYTES)
        settings = self.settings
        if settings.server_key:
            public, secret = read_secret_key(settings.secret_key_file)
            socket.curve_serverkey, socket.curve_publickey, socket.curve_secretkey = read_key(settings.server_key), public, secret
        self._monitor = socket.get_monitor_socket(self.HANDSHAKE_EVENTS)
        socket.connect(settings.endpoint)
        self._socket = socket
        self._last_heard = self.clock()
        self._say_hello()

    def _disconnect(self, linger: int = 0) -> None:
        self.is_welcome = False
        self._blocked.clear()
        if self._socket is not None:
            self._socket.disable_monitor()
            self._socket.close(linger)
            self._socket = None
        if self._monitor is not None:
            self._monitor.close(0)
            self._monitor = None

    def _watch_connection(self, monitor: zmq.Socket[bytes]) -> bool:
        """Reads what happened to the connection. False if there is a new socket now."""
        while monitor.poll(0):
            event = zmq.utils.monitor.recv_monitor_message(monitor)["event"]
            if event == zmq.EVENT_DISCONNECTED:
                if self.is_welcome:
                    log.warning("the server closed the connection: connecting anew")
                    self._connect()
                    return False
            elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._was_kept_out = False
                self._last_heard = self.clock()
                if not self.is_welcome:
                    self._hello_at = self.clock() + 1  # In case the first hello was lost with an earlier connection.
            elif not self._was_kept_out:
                self._was_kept_out = True
                log.error("the server refuses the connection: wrong key, or it is no engine endpoint")
        return True

    def _say_hello(self) -> None:
        engine = self.engine
        self._hello_at = 0.0
        self.is_welcome = False
        self.exchange.forget_sessions()
        self._blocked.clear()
        with self.exchange.lock:
            avatars = [avatar.members() for avatar in self.exchange.avatars.values()]
        members: dict[str, Any] = {
            "version": protocol.VERSION, "engine": protocol.cut(engine.name, 64), "token": self.settings.token, "avatars": avatars,
            "audio": {"rate": protocol.SAMPLE_RATE}, "provides_audio": engine.provides_audio,
            "av_offset_ms": engine.av_offset_ms, "lookahead_ms": engine.lookahead_ms, "batch_size": engine.batch_size,
            "can_prepare": engine.can_prepare,
        }
        self._send(protocol.encode("hello", members))

    def _say_goodbye(self) -> None:
        if self.is_welcome:
            self._send(protocol.encode("bye", {"reason": "the engine ends"}))

    # Messages.

    def _send(self, parts: list[bytes]) -> None:
        self._blocked.append(parts)
        if self._socket is not None:
            self._drain(self._socket)

    def _flush(self, socket: zmq.Socket[bytes]) -> None:
        if self.is_welcome and not self._blocked:
            self._blocked.extend(self.exchange.outgoing())
        self._drain(socket)

    def _drain(self, socket: zmq.Socket[bytes]) -> None:
        while self._blocked:
            try:
                socket.send_multipart(self._blocked[0], zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            self._blocked.popleft()

    def _receive(self, parts: list[bytes]) -> None:
        self._last_heard = self.clock()
        try:
            message = protocol.decode(parts)
            if message.type == "ping":
                identifier = message.integer("id", 0, 2**63 - 1)
                if not self._is_hung:
                    self._send(protocol.encode("pong", {"id": identifier}))
            elif message.type == "welcome":
                message.integer("version", protocol.VERSION, protocol.VERSION)
                self._hello_at = 0.0
                self._hello_retry = 1.0
                self.is_welcome = True
                log.info("welcome: server=%s", message.text("server"))
            elif message.type == "refused":
                self._note_refusal(message)
            elif message.type == "shutdown":
                log.info("the server asks to end")
                self.exit_status = 0
            elif not self.is_welcome:
                self.exchange.count("before_welcome")
            else:
                self.exchange.handle(message)
        except ProtocolError as error:
            self._refuse(error)

    def _note_refusal(self, message: Message) -> None:
        what, code, reason = message.text("what", 64), message.text("code", 64), message.text("reason")
        self.exchange.count("refused_by_server")
        if what == "hello" and not self.is_welcome:
            if "retry_after_ms" not in message.members:
                log.critical("the server refuses this engine for good: code=%s reason=%s", code, reason)
                self.exit_status = 1
                return
            wait = message.integer("retry_after_ms", 0, 600_000) / 1000
            log.warning("the server refuses this engine for now: code=%s reason=%s", code, reason)
            self._hello_at = self.clock() + max(wait, self._hello_retry)
            self._hello_retry = min(30.0, self._hello_retry * 1.5)
        elif code == "unknown_peer":
            if self.is_welcome:
                log.warning("the server does not know this engine: saying hello again")
                self._say_hello()
            elif not self._hello_at:
                self._hello_at = self.clock() + 1
        else:
            log.warning("refused by the server: what=%s code=%s reason=%s", what, code, reason)

    def _refuse(self, error: ProtocolError) -> None:
        """Counts a fault of the server and answers it, at most 10 times a second."""
        self.exchange.count("faults_of_server")
        second, answers = self._answers
        now = self.clock()
        if now - second >= 1:
            second, answers = now, 0
        self._answers = (second, answers + 1)
        if answers < self.REFUSALS_PER_SECOND:
            log.warning("the server sent what the protocol does not allow: %s", error.reason)
            if self.is_welcome:
                self._send(protocol.encode("refused", {"what": error.what, "code": error.code, "reason": protocol.cut(error.reason)}))

    def _send_statistics(self, now: float) -> None:
        self._statistics_at = now + self.settings.statistics_interval
        frames, busy = self._counted
        made, worked = self.inference.frames - frames, self.inference.busy_seconds - busy
        self._counted = (self.inference.frames, self.inference.busy_seconds)
        rate = made / worked if made and worked > 0 else 0.0
        self._send(protocol.encode("statistics", {
            "inference_fps": round(min(rate, 1e6), 2), "queue": self.exchange.queued_frames, "gpu": self.engine.gpu_load()}))

    def _watch_inference(self, now: float) -> None:
        since = self.inference.busy_since
        limit = self.settings.hang_timeout
        is_hung = limit > 0 and since is not None and now - since > limit
        if is_hung and not self._is_hung:
            log.critical("the engine hangs: one call has taken more than %.1f s; pings are not answered any more", limit)
            try:
                faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
            except (OSError, ValueError, AttributeError):
                pass  # Standard error is no file.
        elif self._is_hung and not is_hung:
            log.warning("the engine goes on")
        self._is_hung = is_hung
