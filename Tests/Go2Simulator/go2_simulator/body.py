"""The robot's body: posture, height, motion and toggles, computed from the time that has passed."""
from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .events import Events
from .settings import Settings

LOW_HEIGHT, START_HEIGHT, STAND_HEIGHT, SIT_HEIGHT = 0.08, 0.313, 0.326, 0.22
CHANGE_SECONDS = 1.0
ERROR_CODES = {"idle": 100, "damped": 1001, "standing": 1002, "lying": 1004, "sitting": 1007, "moving": 1015}
WARMING_UP = 1013


@dataclass
class Motion:
    """A velocity in the robot's frame: m/s forward, m/s to the left, rad/s counter-clockwise."""

    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0

    @property
    def is_zero(self) -> bool:
        """Whether the robot stands still."""
        return self.x == 0 and self.y == 0 and self.yaw == 0


@dataclass
class Body:
    """What moves. All times are of the monotonic clock; `advance` is called before anything is read or changed."""

    settings: Settings
    events: Events
    clock: Callable[[], float] = time.monotonic
    posture: str = "idle"
    height: float = START_HEIGHT
    motion: Motion = field(default_factory=Motion)
    position: list[float] = field(default_factory=lambda: [0.0, 0.0])
    yaw: float = 0.0
    toggles: dict[str, object] = field(default_factory=dict)
    obstacle_avoidance: bool = False
    remote_commands: bool = False
    warm_until: float = 0.0
    move_times: list[float] = field(default_factory=list)
    stop_times: list[float] = field(default_factory=list)
    watchdog_times: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._at = self.clock()
        self._from, self._to, self._since = self.height, self.height, self._at
        self._moved_at = self._at

    @property
    def error_code(self) -> int:
        """As lf/sportmodestate tells it."""
        if self.clock() < self.warm_until:
            return WARMING_UP
        return ERROR_CODES["standing" if self.posture == "standing" and self.motion.is_zero else
                           "moving" if not self.motion.is_zero else self.posture]

    def advance(self) -> None:
        """Brings height and position to now; stops a motion that nobody renewed."""
        now = self.clock()
        until = now
        limit = self.settings.move_watchdog_ms / 1000
        if not self.motion.is_zero and limit > 0 and now - self._moved_at > limit:
            until = max(self._at, self._moved_at + limit)
            self._integrate(until)
            self.motion = Motion()
            self.watchdog_times.append(until)
            self.events.add("motion", what="watchdog", motion=[0, 0, 0], position=self.position[:])
        self._integrate(now)
        share = min(1.0, (now - self._since) / CHANGE_SECONDS)
        self.height = self._from + (self._to - self._from) * share

    def _integrate(self, until: float) -> None:
        elapsed = max(0.0, until - self._at)
        self.position[0] += (self.motion.x * math.cos(self.yaw) - self.motion.y * math.sin(self.yaw)) * elapsed
        self.position[1] += (self.motion.x * math.sin(self.yaw) + self.motion.y * math.cos(self.yaw)) * elapsed
        self.yaw = math.remainder(self.yaw + self.motion.yaw * elapsed, math.tau)
        self._at = max(self._at, until)

    def take_posture(self, posture: str, height: float) -> None:
        """Changes posture; the height follows within a second."""
        self.advance()
        if not self.motion.is_zero:
            self.motion = Motion()
        self.posture, self._from, self._to, self._since = posture, self.height, height, self.clock()
        self.events.add("posture", posture=posture, body_height=height)

    def move(self, motion: Motion) -> bool:
        """Moves from now on; False when the robot does not stand."""
        self.advance()
        if self.posture not in ("standing", "idle"):
            return False
        self.motion, self._moved_at = motion, self.clock()
        self.move_times.append(self._moved_at)
        self.events.add("motion", what="move", motion=[motion.x, motion.y, motion.yaw], position=self.position[:])
        return True

    def stop(self) -> None:
        """StopMove."""
        self.advance()
        self.motion = Motion()
        self.stop_times.append(self.clock())
        self.events.add("motion", what="stop", motion=[0, 0, 0], position=self.position[:])

    def report(self) -> dict[str, object]:
        """For the control port."""
        self.advance()
        return {"posture": self.posture, "body_height": round(self.height, 4), "error_code": self.error_code,
                "motion": [self.motion.x, self.motion.y, self.motion.yaw], "position": [round(one, 4) for one in self.position],
                "yaw": round(self.yaw, 4), "toggles": self.toggles, "obstacle_avoidance": self.obstacle_avoidance,
                "remote_commands_from_api": self.remote_commands, "move_count": len(self.move_times), "stop_count": len(self.stop_times),
                "move_times": self.move_times[-100:], "stop_times": self.stop_times[-100:], "watchdog_times": self.watchdog_times[-100:]}


def jitter(value: float, share: float = 0.02) -> float:
    """A measured value: not the same twice."""
    return value * (1 + random.uniform(-share, share))
