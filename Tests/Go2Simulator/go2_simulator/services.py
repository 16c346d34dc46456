"""The robot's services besides sport: each `rt/api/NAME/request` with the answers that clients read."""
from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

from .body import Body, Motion
from .events import Events
from .settings import Settings
from .sport import FAILED, NOT_IMPLEMENTED, OK, REJECTED, WRONG_PARAMETER, Sport

NO_ANSWER = None
COLORS = {"white", "red", "yellow", "blue", "green", "cyan", "purple"}
PHOTO = base64.b64encode(b"\xff\xd8\xff\xe0simulated\xff\xd9").decode()

Answer = tuple[int, str] | None


class Services:
    """All services of one robot; they keep their state when a client goes, as the robot does."""

    def __init__(self, body: Body, settings: Settings, events: Events) -> None:
        self.body, self._settings, self._events = body, settings, events
        self.sport = Sport(body, settings)
        self.mode = "mcf" if settings.command_set != "classic" else "normal"
        self.silent = False
        self.volume, self.brightness, self.color = 5, 5, "white"
        self.service_state_interval = 0.0
        self.play_mode = "no_cycle"
        self.audio: list[dict[str, str]] = []
        self.megaphone = False
        self.megaphone_bytes = 0
        self._services: dict[str, Callable[[int, dict[str, Any]], Answer]] = {
            "motion_switcher": self._motion_switcher, "obstacles_avoid": self._obstacles_avoid, "vui": self._vui, "robot_state": self._robot_state,
            "bashrunner": self._bashrunner, "gas_sensor": lambda *_: (OK, ""), "uwbswitch": lambda *_: (OK, json.dumps({"enable": 0})),
            "audiohub": self._audiohub, "videohub": lambda *_: (OK, PHOTO), "assistant_recorder": lambda *_: (OK, ""),
            "pet": lambda *_: (OK, ""), "config": lambda *_: (OK, ""), "gpt": lambda *_: (OK, ""), "fourg_agent": lambda *_: (OK, "")}

    def execute(self, topic: str, api_id: int, parameter: str) -> Answer:
        """Status code and data; None where the robot does not answer: services that there are not, and silent commands."""
        name = topic.removeprefix("rt/api/").removesuffix("/request")
        if name == "sport":
            return self.sport.execute(api_id, parameter)
        if name not in self._services:
            return NO_ANSWER
        try:
            value = json.loads(parameter) if parameter else {}
            return self._services[name](api_id, value if isinstance(value, dict) else {"data": value})
        except (ValueError, KeyError, TypeError):
            return WRONG_PARAMETER, ""

    def _motion_switcher(self, api_id: int, value: dict[str, Any]) -> Answer:
        if api_id == 1001:
            return OK, json.dumps({"form": "0", "name": self.mode})
        if api_id == 1002:
            if value["name"] not in ("normal", "ai", "advanced", "mcf"):
                return WRONG_PARAMETER, ""
            self.mode = value["name"]
            return OK, ""
        if api_id == 1003:
            self.mode = ""
            return OK, ""
        if api_id == 1004:
            self.silent = bool(value.get("silent", value.get("data")))
            return OK, ""
        return (OK, json.dumps({"silent": self.silent})) if api_id == 1005 else (NOT_IMPLEMENTED, "")

    def _obstacles_avoid(self, api_id: int, value: dict[str, Any]) -> Answer:
        if api_id == 1001:
            self.body.obstacle_avoidance = bool(value["enable"])
            return OK, ""
        if api_id == 1002:
            return OK, json.dumps({"enable": self.body.obstacle_avoidance})
        if api_id == 1003:
            if self.body.clock() >= self.body.warm_until and self._settings.battery > 10:
                self.body.move(Motion(float(value["x"]), float(value["y"]), float(value["yaw"])))
            return NO_ANSWER
        if api_id == 1004:
            self.body.remote_commands = bool(value["is_remote_commands_from_api"])
            return OK, ""
        return NOT_IMPLEMENTED, ""

    def _vui(self, api_id: int, value: dict[str, Any]) -> Answer:
        if api_id == 1003:
            self.volume = min(10, max(0, int(value["volume"])))
        elif api_id == 1005:
            self.brightness = min(10, max(0, int(value["brightness"])))
        elif api_id == 1007:
            if value["color"] not in COLORS:
                return WRONG_PARAMETER, ""
            self.color = value["color"]
        elif api_id == 1004:
            return OK, json.dumps({"volume": self.volume})
        elif api_id == 1006:
            return OK, json.dumps({"brightness": self.brightness})
        else:
            return NOT_IMPLEMENTED, ""
        return OK, ""

    def _robot_state(self, api_id: int, value: dict[str, Any]) -> Answer:
        if api_id == 1001:
            self._events.add("service", name=value["name"], switch=value["switch"])
        elif api_id == 1002:
            self.service_state_interval = max(0.1, float(value["interval"]))
        else:
            return NOT_IMPLEMENTED, ""
        return OK, ""

    def _bashrunner(self, api_id: int, value: dict[str, Any]) -> Answer:
        if api_id != 1001:
            return NOT_IMPLEMENTED, ""
        if value.get("script") == "get_whole_packet_version.sh":
            return OK, json.dumps({"package_version": {"1": "1.1.7", "2": "1.1.14", "3": "1.1.15"}[str(self._settings.data2)]})
        return REJECTED, ""

    def _audiohub(self, api_id: int, value: dict[str, Any]) -> Answer:
        if api_id == 1001:
            return OK, json.dumps({"audio_list": self.audio})
        if api_id == 1002:
            return (OK if any(one["UNIQUE_ID"] == value["unique_id"] for one in self.audio) else FAILED), ""
        if api_id == 1007:
            self.play_mode = value["play_mode"]
        elif api_id == 1010:
            return OK, json.dumps({"play_mode": self.play_mode})
        elif api_id == 1008:
            for one in self.audio:
                if one["UNIQUE_ID"] == value["unique_id"]:
                    one["CUSTOM_NAME"] = value["new_name"]
        elif api_id == 1009:
            self.audio = [one for one in self.audio if one["UNIQUE_ID"] != value["unique_id"]]
        elif api_id == 2001:
            if value.get("current_block_index") == value.get("total_block_number"):
                self.audio.append({"UNIQUE_ID": str(uuid.uuid4()), "CUSTOM_NAME": str(value.get("file_name", "audio"))})
        elif api_id == 4001:
            self.megaphone, self.megaphone_bytes = True, 0
        elif api_id == 4002:
            self.megaphone = False
        elif api_id == 4003:
            if self.megaphone:
                self.megaphone_bytes += len(value["block_content"])
        elif api_id not in (1003, 1004, 1005, 1006, 5001, 5002, 5003):
            return NOT_IMPLEMENTED, ""
        return OK, ""

    def report(self) -> dict[str, Any]:
        """For the control port."""
        return {"mode": self.mode, "volume": self.volume, "brightness": self.brightness, "color": self.color, "speed_level": self.sport.speed_level,
                "megaphone": self.megaphone, "megaphone_bytes": self.megaphone_bytes, "audio": self.audio}
