"""The process of an engine: its threads, signals, the watch on standard input, and its end.

```
main thread      signals; waits for the end
"link"           ZeroMQ: hello, ping, credit          (link.py)
"inference"      the engine's callbacks               (inference.py)
"preparation"    the engine's `prepare`, one at a time
"stdin"          end of file: the server is gone
```
"""
from __future__ import annotations

import logging
import os
import select
import signal
import stat
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from .engine import Engine, Preparation, Refusal
from .exchange import Exchange
from .inference import Inference
from .link import Link, LinkSettings
from .protocol import cut

log = logging.getLogger("avatar_engine")

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


@dataclass(frozen=True)
class Options:
    """How an engine runs; `from_environment` takes what the server gives its children."""

    endpoint: str = ""
    token: str | None = field(default=None, repr=False)
    server_key: str | None = None
    secret_key_file: str | None = None
    hang_timeout: float = 60.0
    silence_timeout: float = 5.0
    queue_limit: int = Exchange.QUEUE_LIMIT
    #: Ends at end of file on standard input. auto: if it is a pipe or socket and the server started this process.
    watch_stdin: Literal["auto", "always", "never"] = "auto"
    #: How long a callback may take to return once the engine is to end, in seconds.
    patience: float = 1.5

    @staticmethod
    def from_environment(environment: Mapping[str, str] = os.environ) -> Options:
        return Options(
            endpoint=environment.get("AVATAR_ENGINE_ENDPOINT", ""), token=environment.get("AVATAR_ENGINE_TOKEN") or None,
            server_key=environment.get("AVATAR_ENGINE_SERVER_KEY") or None,
            secret_key_file=environment.get("AVATAR_ENGINE_SECRET_KEY_FILE") or None)


class _Stopped(Exception):
    """The engine ends while it prepares an avatar."""


class Runtime:
    """One run of an engine, from `open` to `close`. `run` may be called on any thread; signals only on the main one."""

    def __init__(self, engine: Engine, options: Options) -> None:
        self.engine, self.options = engine, options
        self.exchange = Exchange(options.queue_limit)
        self.inference = Inference(engine, self.exchange)
        engine.send_raw = self.exchange.send_raw
        self._link: Link | None = None
        self._end = threading.Event()
        self._status = EXIT_OK
        self._reason = ""

    def stop(self, reason: str, status: int = EXIT_OK) -> None:
        """Ends the run, soon. From any thread and from signal handlers."""
        if not self._end.is_set():
            self._reason, self._status = reason, status
            self._end.set()

    def run(self) -> int:
        """Serves until told to end. Returns the exit status."""
        self._watch_signals()
        threading.Thread(target=self._watch_stdin, name="stdin", daemon=True).start()
        inference = threading.Thread(target=self._infer, name="inference", daemon=True)
        inference.start()
        while not self._end.wait(1):  # In slices, so that signals are handled wherever waiting cannot be interrupted.
            pass
        log.info("ending: %s", self._reason)
        self.exchange.stop()
        if self._link is not None:
            self._link.ended.wait(0.3)
        inference.join(self.options.patience)
        if inference.is_alive():
            log.warning("a callback does not return: leaving it behind")
        return self._status

    @property
    def has_unfinished_callbacks(self) -> bool:
        return any(thread.name in ("inference", "preparation") for thread in threading.enumerate())

    def _infer(self) -> None:
        try:
            avatars = list(self.engine.open())
            if len(avatars) > 64 or len({avatar.id for avatar in avatars}) != len(avatars):
                raise ValueError("an engine has at most 64 avatars, each with an id of its own")
        except Refusal as refusal:
            log.critical("the engine cannot start: %s", refusal.reason)
            return self.stop("the engine could not start", EXIT_FAILED)
        except Exception:
            log.critical("the engine cannot start", exc_info=True)
            return self.stop("the engine could not start", EXIT_FAILED)
        self.exchange.describe(avatars)
        self.exchange.can_prepare = self.engine.can_prepare
        for avatar in avatars:
            log.info("avatar: id=%s size=%dx%d fps=%g format=%s patches=%s idle=%d", avatar.id, avatar.width, avatar.height,
                     avatar.fps, avatar.pixel_format, avatar.patches, avatar.idle_count)
        if self._start_link():
            threading.Thread(target=self._prepare, name="preparation", daemon=True).start()
            self.inference.run()
            self.stop("the engine failed too often", EXIT_FAILED)
        try:
            self.engine.close()
        except Exception:
            log.error("the engine failed while closing", exc_info=True)

    def _start_link(self) -> bool:
        options = self.options
        link = Link(self.engine, self.exchange, self.inference, LinkSettings(
            options.endpoint, options.token, options.server_key, options.secret_key_file, options.hang_timeout,
            options.silence_timeout))

        def serve() -> None:
            link.run()
            if link.exit_status is not None:
                self.stop("the link ended", link.exit_status)

        if self._end.is_set():
            return False
        self._link = link
        threading.Thread(target=serve, name="link", daemon=True).start()
        return True

    def _prepare(self) -> None:
        exchange = self.exchange
        while True:
            with exchange.lock:
                while not exchange.preparations and not exchange.is_stopping:
                    exchange.job_ready.wait()
                if exchange.is_stopping:
                    return
                preparation = exchange.preparations.popleft()
            try:
                avatar = self.engine.prepare(preparation, self._progress_of(preparation))
                if avatar.id != preparation.avatar:
                    raise ValueError(f"prepared {avatar.id} instead of {preparation.avatar}")
            except _Stopped:
                return
            except Exception as error:
                if not isinstance(error, Refusal):
                    log.error("preparation failed: avatar=%s", preparation.avatar, exc_info=True)
                exchange.send("refused", what="prepare", code=getattr(error, "code", "failed"), avatar=preparation.avatar,
                              reason=cut(getattr(error, "reason", f"{type(error).__name__}: {error}")))
                continue
            exchange.describe([avatar])
            log.info("prepared: avatar=%s", avatar.id)
            exchange.send("prepared", avatar=avatar.members())

    def _progress_of(self, preparation: Preparation) -> Callable[[float], None]:
        def progress(share: float) -> None:
            if self.exchange.is_stopping:
                raise _Stopped()
            self.exchange.send("prepare_progress", avatar=preparation.avatar, progress=round(min(1.0, max(0.0, share)), 3))
        return progress

    def _watch_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _: self.stop(signal.Signals(received).name))

    def _watch_stdin(self) -> None:
        mode = self.options.watch_stdin
        try:
            descriptor = sys.stdin.fileno()
            kind = os.fstat(descriptor).st_mode
            if mode == "never":
                return
            if mode == "auto" and not ("AVATAR_ENGINE_NAME" in os.environ and (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind))):
                return
            while not self._end.is_set():
                if select.select([descriptor], [], [], 1)[0] and not os.read(descriptor, 4096):
                    return self.stop("the server is gone")
        except (AttributeError, OSError, ValueError):
            if mode == "always":
                self.stop("there is no standard input", EXIT_FAILED)


def run(engine: Engine, options: Options) -> int:
    """Serves with an engine until told to end, and returns the exit status."""
    return Runtime(engine, options).run()


def run_process(engine: Engine, options: Options) -> int:
    """As `run`, for the end of a program: leaves the process even if a callback hangs."""
    runtime = Runtime(engine, options)
    status = runtime.run()
    if runtime.has_unfinished_callbacks:
        logging.shutdown()
        sys.stderr.flush()
        os._exit(status)
    return status
