"""Starts a simulated robot as a process and speaks to its control port; for tests, synchronous."""
from __future__ import annotations

import http.client
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PACKAGE_PARENT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0


class SimulatorProcess:
    """`with SimulatorProcess(data2=3, faults=["http.offer_hang"]) as robot:` - options by the names of Settings."""

    def __init__(self, faults: list[str] | None = None, python: str = sys.executable, **settings: Any) -> None:
        arguments = [f"--fault={fault}" for fault in faults or []]
        for name, value in settings.items():
            flag = name.replace("_", "-")
            arguments.append(f"--{'' if value else 'no-'}{flag}" if isinstance(value, bool) else f"--{flag}={value}")
        path = os.pathsep.join(filter(None, [str(PACKAGE_PARENT), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen([python, "-m", "go2_simulator", *arguments], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                         env={**os.environ, "PYTHONPATH": path}, text=True)
        try:
            self.ready = self._wait_until_ready()
        except BaseException:
            self.close()
            raise

    def _wait_until_ready(self) -> dict[str, Any]:
        assert self._process.stdout
        if not select.select([self._process.stdout], [], [], START_SECONDS)[0]:
            raise TimeoutError("the simulated robot does not start")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the simulated robot ended with {self._process.wait()}")
        return json.loads(line)

    @property
    def address(self) -> str:
        """The robot's address."""
        return self.ready["address"]

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def call(self, method: str, path: str, body: Any = None, timeout: float = 70.0) -> Any:
        """One request to the control port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ready["control"], timeout=timeout)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            result = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(f"{method} {path}: {response.status} {result}")
        return result

    def state(self) -> dict[str, Any]:
        """Everything the robot knows of itself."""
        return self.call("GET", "/state")

    def events(self, *kinds: str, after: int = 0, timeout: float = 0.0) -> list[dict[str, Any]]:
        """The events of some kinds (all, if none is named); waits for the first when there is none yet and a timeout is given."""
        named = f"&kinds={','.join(kinds)}" if kinds else ""
        return self.call("GET", f"/events?after={after}&timeout={timeout}{named}", timeout=timeout + 30)

    def wait_for(self, kind: str, which: Callable[[dict[str, Any]], bool] = lambda event: True, after: int = 0, timeout: float = 20.0) -> dict[str, Any]:
        """The first event of a kind that fits, after the event of a number; raises TimeoutError with what came instead."""
        end, seen = time.monotonic() + timeout, []
        while (left := end - time.monotonic()) > 0:
            for event in self.events(kind, after=after, timeout=min(left, 30.0)):
                after = event["index"]
                if which(event):
                    return event
                seen.append(event)
        raise TimeoutError(f"no such {kind} of the robot; there were {seen[-10:]}")

    def wait_until(self, condition: Callable[[dict[str, Any]], bool], timeout: float = 20.0) -> dict[str, Any]:
        """The first state that fits; asked for again with each event, at least every 0.1 s."""
        end, after = time.monotonic() + timeout, 0
        while True:
            state = self.state()
            if condition(state):
                return state
            if time.monotonic() > end:
                raise TimeoutError(f"the robot's state does not come: {state}")
            for event in self.events(after=after, timeout=0.1):
                after = event["index"]

    def last_index(self) -> int:
        """The number of the newest event, to wait for what comes after it."""
        events = self.events()
        return events[-1]["index"] if events else 0

    def set(self, **settings: Any) -> None:
        """Changes settings."""
        self.call("POST", "/settings", settings)

    def fault(self, name: str, value: bool | int = True) -> None:
        """Switches a fault."""
        self.call("POST", "/faults", {name: value})

    def clear_faults(self) -> None:
        """Switches all faults off."""
        self.call("DELETE", "/faults")

    def act(self, action: str, **arguments: Any) -> None:
        """reboot, disconnect, vanish, abort, send, send_binary, add_error, remove_error, stop."""
        self.call("POST", "/actions", {"action": action, **arguments})

    def kill(self) -> None:
        """SIGKILL: the robot is gone without a word."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Ends the process."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        if self._process.stdout:
            self._process.stdout.close()

    def __enter__(self) -> SimulatorProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
