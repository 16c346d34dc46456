"""Runs the unmodified public client unitree-webrtc-connect 2.2.0 (in .venv-unitree) through the steps it is given, and prints what it saw.

Argument: JSON {"ip" or "serial": ..., "aes_key": ..., "decoder": "native" | "libvoxel", "steps": [...]}. Last line: `RESULT {json}`.
"""
from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from unitree_webrtc_connect import RTC_TOPIC, UnitreeWebRTCConnection, WebRTCConnectionMethod  # first: it patches aioice for aiortc
from unitree_webrtc_connect.constants import DATA_CHANNEL_TYPE

STEP_SECONDS = 20.0
PICTURES = 5


class Steps:
    """One method per step; each returns what it found."""

    def __init__(self, connection: UnitreeWebRTCConnection) -> None:
        self._connection = connection
        self._channel = connection.datachannel

    async def _first(self, topic: str, count: int = 1) -> list[Any]:
        messages: list[Any] = []
        enough = asyncio.Event()

        def received(message: Any) -> None:
            messages.append(message)
            if len(messages) >= count:
                enough.set()

        self._channel.pub_sub.subscribe(topic, received)
        await enough.wait()
        self._channel.pub_sub.unsubscribe(topic)
        return messages

    async def video(self) -> dict[str, Any]:
        """Some pictures, as sizes and brightness in the middle."""
        pictures: list[Any] = []
        enough = asyncio.Event()

        async def track(video: Any) -> None:
            while not enough.is_set():
                frame = await video.recv()
                pictures.append([frame.width, frame.height])
                if len(pictures) >= PICTURES:
                    enough.set()

        self._connection.video.add_track_callback(track)
        self._channel.switchVideoChannel(True)
        await enough.wait()
        self._channel.switchVideoChannel(False)
        return {"pictures": pictures}

    async def sound(self) -> dict[str, Any]:
        """The rate and the number of channels of the first sound."""
        first = asyncio.get_running_loop().create_future()

        async def heard(frame: Any) -> None:
            if not first.done():
                first.set_result([frame.sample_rate, len(frame.layout.channels)])

        self._connection.audio.add_track_callback(heard)
        self._channel.switchAudioChannel(True)
        return {"format": await first}

    async def lowstate(self) -> Any:
        """The first lowstate."""
        return (await self._first(RTC_TOPIC["LOW_STATE"]))[0]["data"]

    async def sportstate(self) -> Any:
        """The first sport state."""
        return (await self._first(RTC_TOPIC["LF_SPORT_MOD_STATE"]))[0]["data"]

    async def stand_up(self) -> Any:
        """The answer to StandUp."""
        return await self._channel.pub_sub.publish_request_new(RTC_TOPIC["SPORT_MOD"], {"api_id": 1004})

    async def classic_flip(self) -> Any:
        """The answer to a command of the classic set."""
        return await self._channel.pub_sub.publish_request_new(RTC_TOPIC["SPORT_MOD"], {"api_id": 1042, "parameter": {"data": True}})

    async def motion_mode(self) -> Any:
        """The answer of the motion switcher."""
        return await self._channel.pub_sub.publish_request_new(RTC_TOPIC["MOTION_SWITCHER"], {"api_id": 1001})

    async def lidar(self) -> dict[str, Any]:
        """Frames of both layouts: the number of points, or of faces, in each."""
        assert await self._channel.disableTrafficSaving(True)
        self._channel.pub_sub.publish_without_callback(RTC_TOPIC["ULIDAR_SWITCH"], "on", DATA_CHANNEL_TYPE["MSG"])
        messages = await self._first(RTC_TOPIC["ULIDAR_ARRAY"], 4)
        found = [message["data"]["data"] for message in messages]
        return {"points": [len(one["points"]) if "points" in one else int(one["point_count"]) for one in found],
                "faces": [int(one.get("face_count", 0)) for one in found],
                "first": found[0]["points"][0].tolist() if "points" in found[0] else None, "origin": messages[0]["data"]["origin"]}

    async def network(self) -> str:
        """The network status; the client asks for it by itself a second after validation."""
        told = asyncio.get_running_loop().create_future()
        self._channel.rtc_inner_req.network_status.set_on_network_status_callback(lambda mode: told.done() or told.set_result(mode))
        return await told

    async def heartbeat(self) -> bool:
        """Whether the echo of a heartbeat came."""
        while self._channel.heartbeat.heartbeat_response is None:
            await asyncio.sleep(0.02)
        return True

    async def hold(self) -> bool:
        """Stays until the standard input is closed."""
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        return True


async def run(task: dict[str, Any]) -> dict[str, Any]:
    """Connects and takes the steps."""
    connection = UnitreeWebRTCConnection(WebRTCConnectionMethod.LocalSTA, ip=task.get("ip"), serialNumber=task.get("serial"),
                                         aes_128_key=task.get("aes_key"))
    try:
        await connection.connect()
    except Exception as problem:  # noqa: BLE001 - whatever the client raises is the result
        return {"error": type(problem).__name__, "text": str(problem)}
    connection.datachannel.set_decoder(task.get("decoder", "native"))
    steps, result = Steps(connection), {"connected": True}
    for name in task.get("steps", []):
        try:
            work = getattr(steps, name)()
            result[name] = await (work if name == "hold" else asyncio.wait_for(work, STEP_SECONDS))
        except TimeoutError:
            result[name] = "timeout"
    await connection.disconnect()
    return result


if __name__ == "__main__":
    print("RESULT " + json.dumps(asyncio.run(run(json.loads(sys.argv[1])))), flush=True)
