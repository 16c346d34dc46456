"""What the server tells a worker through its environment."""
from __future__ import annotations

import os
from dataclasses import dataclass

PREFIX = "AVATAR_STREAMER_"


class SettingsError(Exception):
    """The worker was not started as docs/protocols/worker.md says."""


@dataclass(frozen=True)
class Settings:
    """The variables of docs/protocols/worker.md that concern the worker itself."""

    endpoint: str
    token: str
    project: str
    is_concurrent: bool

    @classmethod
    def take(cls) -> Settings:
        """Reads them, and removes the token: the project is not to see it."""
        endpoint = os.environ.get(PREFIX + "WORKER_ENDPOINT", "")
        token = os.environ.pop(PREFIX + "WORKER_TOKEN", "")
        calls = os.environ.get(PREFIX + "CALLS", "ordered")
        if not endpoint or not token:
            raise SettingsError(f"{PREFIX}WORKER_ENDPOINT and {PREFIX}WORKER_TOKEN must be set: the server starts this program")
        if calls not in ("ordered", "concurrent"):
            raise SettingsError(f"{PREFIX}CALLS is {calls!r}; ordered or concurrent is expected")
        return cls(endpoint, token, os.path.abspath(os.environ.get(PREFIX + "PROJECT") or "."), calls == "concurrent")
