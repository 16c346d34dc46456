"""The sport service: which commands there are in which firmware, and what they do."""
from __future__ import annotations

import json
from typing import Any

from .body import LOW_HEIGHT, SIT_HEIGHT, STAND_HEIGHT, Body, Motion
from .settings import Settings

OK, NOT_IMPLEMENTED, WRONG_PARAMETER, REJECTED, FAILED = 0, 3203, 3204, 3205, -1

DAMP, BALANCE_STAND, STOP_MOVE, STAND_UP, STAND_DOWN, RECOVERY_STAND, MOVE, SIT, RISE_SIT = 1001, 1002, 1003, 1004, 1005, 1006, 1008, 1009, 1010
BODY_HEIGHT, FOOT_RAISE_HEIGHT, SPEED_LEVEL = 1013, 1014, 1015
GET_BODY_HEIGHT, GET_FOOT_RAISE_HEIGHT, GET_SPEED_LEVEL, GET_STATE = 1024, 1025, 1026, 1034

CORE = set(range(1001, 1037))
CLASSIC = {1039, 1042, 1043, 1044, 1045, 1049, 1050, 1051, 1301, 1302, 1303, 1304, 1305}
MCF = {1061, 1062, 1063, 2041, 2043, 2044, 2045, 2046, 2047, 2048, 2049, 2050, 2051, 2054, 2055, 2056, 2058, 2059}
STANDUP_CLASSIC = 1050
GET_AUTO_RECOVERY = 2055
TOGGLES = {1019, 1027, 1028, 1035, 1045, 1049, 1051, 1061, 1062, 1063, 1301, 1302, 1303, 1304, 1305, *MCF} - {2041, 2043, 2055}
UP = {STAND_UP, BALANCE_STAND, RECOVERY_STAND, RISE_SIT, STANDUP_CLASSIC}
NEEDS_BATTERY = CORE | CLASSIC | MCF
ALWAYS = {DAMP, STOP_MOVE, STAND_DOWN, GET_BODY_HEIGHT, GET_FOOT_RAISE_HEIGHT, GET_SPEED_LEVEL, GET_STATE, GET_AUTO_RECOVERY}
LOW_BATTERY = 10


class Sport:
    """Executes sport requests on the body."""

    def __init__(self, body: Body, settings: Settings) -> None:
        self._body, self._settings = body, settings
        self.speed_level = 1
        self.foot_raise_height = 0.09
        self.flag_height = 0.0

    def known(self, api_id: int) -> bool:
        """Whether this firmware has the command."""
        own = {"classic": CLASSIC, "mcf": MCF, "both": CLASSIC | MCF}[self._settings.command_set]
        return api_id in CORE or api_id in own

    def execute(self, api_id: int, parameter: str) -> tuple[int, str]:
        """The status code and the data of the answer."""
        if not self.known(api_id):
            return NOT_IMPLEMENTED, ""
        if api_id not in ALWAYS:
            if self._body.clock() < self._body.warm_until:
                return FAILED, ""
            if self._settings.battery <= LOW_BATTERY:
                return REJECTED, ""
        try:
            value = json.loads(parameter) if parameter else {}
            if not isinstance(value, dict):
                return WRONG_PARAMETER, ""
            return self._run(api_id, value)
        except (ValueError, KeyError, TypeError):
            return WRONG_PARAMETER, ""

    def _run(self, api_id: int, value: dict[str, Any]) -> tuple[int, str]:
        body = self._body
        if api_id in UP:
            body.take_posture("standing", STAND_HEIGHT)
        elif api_id == STAND_DOWN:
            body.take_posture("lying", LOW_HEIGHT)
        elif api_id == DAMP:
            body.take_posture("damped", LOW_HEIGHT)
        elif api_id == SIT:
            body.take_posture("sitting", SIT_HEIGHT)
        elif api_id == STOP_MOVE:
            body.stop()
        elif api_id == MOVE:
            motion = Motion(float(value["x"]), float(value["y"]), float(value["z"]))
            return (OK if body.move(motion) else FAILED), ""
        elif api_id == BODY_HEIGHT:
            self.flag_height = float(value["data"])
        elif api_id == FOOT_RAISE_HEIGHT:
            self.foot_raise_height = float(value["data"])
        elif api_id == SPEED_LEVEL:
            self.speed_level = int(value["data"])
        elif api_id in (GET_BODY_HEIGHT, GET_FOOT_RAISE_HEIGHT, GET_SPEED_LEVEL):
            known = {GET_BODY_HEIGHT: self.flag_height, GET_FOOT_RAISE_HEIGHT: self.foot_raise_height, GET_SPEED_LEVEL: self.speed_level}
            return OK, json.dumps({"data": known[api_id]})
        elif api_id == GET_STATE:
            return OK, json.dumps({"bodyHeight": round(body.height, 3), "footRaiseHeight": self.foot_raise_height,
                                   "speedLevel": self.speed_level, "gait": 0, "state": body.posture})
        elif api_id == GET_AUTO_RECOVERY:
            return OK, json.dumps({"data": bool(body.toggles.get("2054", True))})
        elif api_id in TOGGLES:
            switched = value.get("data", value.get("flag", True))
            body.toggles[str(api_id)] = switched
            body.events.add("toggle", api_id=api_id, value=switched)
        else:
            body.events.add("trick", api_id=api_id)
        return OK, ""
