"""The Go2's sport service by the names of Unitree's own client, and one that only says what it would do."""
from __future__ import annotations

import math
from typing import Any

#: Seconds that one `Move` may last.
SHORTEST_MOVE, LONGEST_MOVE = 0.05, 5.0


class SportClient:
    """Postures, gestures and speeds of a Go2."""

    def describe(self) -> str:
        """What this client drives."""
        raise NotImplementedError

    def stop(self) -> None:
        """Called when the client of the server has gone."""

    def StandUp(self, speed: float = 1) -> Any:
        """Stands up. The robot knows one speed for it; the argument is taken since older clients send it."""
        return self._order("stand_up")

    def StandDown(self) -> Any:
        """Lies down."""
        return self._order("stand_down")

    def BalanceStand(self) -> Any:
        """Stands and keeps its balance: needed before it walks."""
        return self._order("balance_stand")

    def RecoveryStand(self) -> Any:
        """Gets up after a fall."""
        return self._order("recovery_stand")

    def Sit(self) -> Any:
        """Sits down."""
        return self._order("sit")

    def RiseSit(self) -> Any:
        """Gets up from sitting."""
        return self._order("rise_sit")

    def Hello(self) -> Any:
        """Waves a paw."""
        return self._order("hello")

    def Stretch(self) -> Any:
        """Stretches."""
        return self._order("stretch")

    def FingerHeart(self) -> Any:
        """Draws a heart."""
        return self._order("finger_heart")

    def Dance1(self) -> Any:
        """The first dance."""
        return self._order("dance1")

    def Dance2(self) -> Any:
        """The second dance."""
        return self._order("dance2")

    def Euler(self, roll: float = 0, pitch: float = 0, yaw: float = 0) -> Any:
        """Leans while it stands. Radians, at most 0.75, 0.75 and 0.6."""
        return self._order("euler", x=roll, y=pitch, z=yaw)

    def BodyHeight(self, height: float) -> Any:
        """Height above the usual one, -0.18 to 0.03 m."""
        return self._order("body_height", data=height)

    def SpeedLevel(self, level: int) -> Any:
        """-1 slow, 0 normal, 1 fast."""
        return self._order("speed_level", data=level)

    def GetState(self) -> Any:
        """What the sport service tells of itself."""
        return self._order("get_state")

    def Damp(self) -> Any:
        """Lets all joints go soft: the robot sinks. The emergency stop."""
        return self._order("damp")

    def StopMove(self) -> Any:
        """Stands still."""
        return self._order("stop")

    def Move(self, vx: float = 0, vy: float = 0, vyaw: float = 0, duration: float = 1) -> Any:
        """Walks: m/s forward and to the left, rad/s counter-clockwise, for 0.05 to 5 s; then it stops by itself."""
        for name, value in (("vx", vx), ("vy", vy), ("vyaw", vyaw), ("duration", duration)):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ValueError(f"{name} is a number")
        if not SHORTEST_MOVE <= duration <= LONGEST_MOVE:
            raise ValueError(f"duration is {SHORTEST_MOVE:g} to {LONGEST_MOVE:g} seconds")
        return self._move(float(vx), float(vy), float(vyaw), duration)

    def _order(self, command: str, **arguments: Any) -> Any:
        raise NotImplementedError

    def _move(self, vx: float, vy: float, vyaw: float, duration: float) -> Any:
        raise NotImplementedError


class DryRunSportClient(SportClient):
    """Drives nothing: every answer says so."""

    def describe(self) -> str:
        """What this client drives."""
        return "DRY RUN, no robot is configured; orders are answered and nothing moves"

    def _order(self, command: str, **arguments: Any) -> Any:
        return {"dry_run": True, "command": command, "arguments": arguments}

    def _move(self, vx: float, vy: float, vyaw: float, duration: float) -> Any:
        return self._order("move", x=vx, y=vy, yaw=vyaw, duration_ms=round(duration * 1000))
