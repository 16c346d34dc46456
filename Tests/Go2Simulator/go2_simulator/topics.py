"""What the robot publishes: the payload of each topic and its rate."""
from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

from .body import Body, jitter
from .services import Services
from .settings import Settings

# Hz as measured on a robot (go2.md 3.5); topics that are silent over WebRTC are not here.
RATES: dict[str, float] = {
    "rt/lf/lowstate": 1.0,
    "rt/lf/sportmodestate": 20.0,
    "rt/utlidar/robot_pose": 19.0,
    "rt/utlidar/voxel_map_compressed": 7.0,
    "rt/utlidar/lidar_state": 1.0,
    "rt/multiplestate": 1.0,
    "rt/servicestate": 0.5,
    "rt/uslam/server_log": 0.0,
    "rt/wirelesscontroller": 0.0,
}
NEEDS_LIDAR = {"rt/utlidar/voxel_map_compressed"}
STAND_ANGLES = (0.0, 0.67, -1.3)


class Topics:
    """Payloads of the topics that are JSON."""

    def __init__(self, body: Body, services: Services, settings: Settings) -> None:
        self._body, self._services, self._settings = body, services, settings
        self._makers: dict[str, Callable[[], Any]] = {
            "rt/lf/lowstate": self._low_state, "rt/lf/sportmodestate": self._sport_state, "rt/utlidar/robot_pose": self._pose,
            "rt/utlidar/lidar_state": self._lidar_state, "rt/multiplestate": self._multiple_state, "rt/servicestate": self._service_state}
        self.lidar_on = False

    def payload(self, topic: str) -> Any:
        """The next value of a topic; None where there is none to publish now."""
        self._body.advance()
        maker = self._makers.get(topic)
        return maker() if maker else None

    def _low_state(self) -> dict[str, Any]:
        bend = (self._body.height - 0.326) * 3
        motors = [{"q": round(STAND_ANGLES[index % 3] - bend * (index % 3), 6), "temperature": 30 + index % 3 * 5, "lost": 0, "reserve": [0, 674]}
                  for index in range(12)]
        motors += [{"q": 0, "temperature": 0, "lost": 0, "reserve": [0, 0]} for _ in range(8)]
        return {"imu_state": {"rpy": [round(jitter(0.01), 6), round(jitter(-0.012), 6), round(self._body.yaw, 6)]}, "motor_state": motors,
                "bms_state": {"version_high": 1, "version_low": 18, "soc": int(self._settings.battery), "current": int(jitter(-2481)), "cycle": 56,
                              "bq_ntc": [30, 29], "mcu_ntc": [33, 32]},
                "foot_force": [int(jitter(97)), int(jitter(84)), int(jitter(81)), int(jitter(81))], "temperature_ntc1": 48,
                "power_v": round(jitter(28.331045, 0.001), 6)}

    def _quaternion(self) -> tuple[float, float, float, float]:
        return math.cos(self._body.yaw / 2), 0.0, 0.0, math.sin(self._body.yaw / 2)

    def _sport_state(self) -> dict[str, Any]:
        body = self._body
        return {"error_code": body.error_code,
                "imu_state": {"quaternion": list(self._quaternion()), "gyroscope": [0.0, 0.0, body.motion.yaw],
                              "accelerometer": [0.0, 0.0, round(jitter(9.81, 0.001), 4)], "rpy": [0.0, 0.0, body.yaw], "temperature": 71},
                "mode": {"standing": 1, "lying": 5, "damped": 7, "sitting": 10, "idle": 0}[body.posture] if body.motion.is_zero else 3,
                "progress": 0, "gait_type": 0 if body.motion.is_zero else 1, "foot_raise_height": self._services.sport.foot_raise_height,
                "position": [*body.position, body.height], "body_height": round(body.height, 6),
                "velocity": [body.motion.x, body.motion.y, 0.0], "yaw_speed": body.motion.yaw, "range_obstacle": [0.0] * 4,
                "foot_force": [97, 84, 81, 81], "foot_position_body": [0.0] * 12, "foot_speed_body": [0.0] * 12}

    def _pose(self) -> dict[str, Any]:
        now = time.time()
        w, x, y, z = self._quaternion()
        return {"header": {"stamp": {"sec": int(now), "nanosec": int(now % 1 * 1e9)}, "frame_id": "odom"},
                "pose": {"position": {"x": self._body.position[0], "y": self._body.position[1], "z": self._body.height},
                         "orientation": {"x": x, "y": y, "z": z, "w": w}}}

    def _lidar_state(self) -> dict[str, Any]:
        return {"stamp": time.time(), "firmware_version": "1.1.1", "software_version": "1.1.1", "sys_rotation_speed": 10.0 if self.lidar_on else 0.0,
                "com_rotation_speed": 10.0 if self.lidar_on else 0.0, "error_state": 0, "cloud_frequency": 15.0, "cloud_packet_loss_rate": 0.0,
                "cloud_size": 1000, "cloud_scan_num": 18, "imu_frequency": 250.0, "serial_buffer_size": 0}

    def _multiple_state(self) -> str:
        return json.dumps({"bodyHeight": 0, "brightness": self._services.brightness, "footRaiseHeight": self._services.sport.foot_raise_height,
                           "obstaclesAvoidSwitch": self._body.obstacle_avoidance, "speedLevel": self._services.sport.speed_level,
                           "uwbSwitch": False, "volume": self._services.volume})

    def _service_state(self) -> str | None:
        if not self._services.service_state_interval:
            return None
        return json.dumps([{"name": name, "status": 0, "protect": 1, "version": "1.0.0.1"}
                           for name in ("sport_mode", "utlidar", "obstacles_avoid", "vui_service", "webrtc_bridge", "motion_switcher")])
