"""Publishes the topics that one client subscribed to."""
from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from .faults import Faults
from .lidar import Lidar
from .settings import Settings
from .topics import NEEDS_LIDAR, RATES, Topics

BUFFER_LIMIT = 4 * 1024 * 1024


class Publisher:
    """One task a subscribed topic. `send` takes text or bytes, `buffered` tells what is still unsent."""

    def __init__(self, topics: Topics, settings: Settings, faults: Faults, position: Callable[[], list[float]],
                 send: Callable[[str | bytes], None], buffered: Callable[[], int]) -> None:
        self._topics, self._settings, self._faults, self._position = topics, settings, faults, position
        self._send, self._buffered = send, buffered
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._lidar = Lidar()
        self.traffic_saving = True
        self.sent: dict[str, int] = {}
        self.skipped = 0

    @property
    def subscribed(self) -> list[str]:
        """What the client subscribed to."""
        return sorted(self._tasks)

    def subscribe(self, topic: str) -> None:
        """Publishes from now on; a topic that the robot does not have stays silent, without any reply."""
        if topic not in self._tasks and len(self._tasks) < 256:
            self._tasks[topic] = asyncio.create_task(self._publish(topic))

    def unsubscribe(self, topic: str) -> None:
        """Ends that."""
        if task := self._tasks.pop(topic, None):
            task.cancel()

    def close(self) -> None:
        """Ends all."""
        for topic in list(self._tasks):
            self.unsubscribe(topic)

    def publish_now(self, topic: str, data: Any) -> None:
        """Publishes a value out of turn, if the topic is subscribed."""
        if topic in self._tasks:
            self._put(topic, json.dumps({"type": "msg", "topic": topic, "data": data}))

    async def _publish(self, topic: str) -> None:
        rate = RATES.get(topic, 0.0)
        if rate == 0:
            return
        due = time.monotonic() + 0.5 / rate / self._settings.rate_scale
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = max(due + 1 / rate / self._settings.rate_scale, time.monotonic() - 1)
            if self._faults.holds("topics.silent"):
                continue
            if topic in NEEDS_LIDAR:
                if not self.traffic_saving and self._topics.lidar_on:
                    self._put(topic, self._lidar.frame(self._settings.lidar_scene, self._settings.lidar_layout, time.time(), self._position()))
            elif (data := self._topics.payload(topic)) is not None:
                self._put(topic, json.dumps({"type": "msg", "topic": topic, "data": data}))

    def _put(self, topic: str, message: str | bytes) -> None:
        if self._buffered() > BUFFER_LIMIT:
            self.skipped += 1
            return
        if self._faults.take("topics.garbage"):
            message = message[: len(message) // 2]
        self._send(message)
        self.sent[topic] = self.sent.get(topic, 0) + 1
