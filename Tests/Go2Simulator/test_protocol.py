"""Topics, requests and inner requests over a real channel."""
from __future__ import annotations

import asyncio
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from raw_client import RawClient

HERE = Path(__file__).resolve().parent


async def settled(go2, condition):
    return await asyncio.to_thread(go2.wait_until, condition)


@pytest.mark.asyncio
async def test_topics_come_at_their_rates_and_unknown_ones_stay_silent(robot):
    go2 = robot(video="none")
    async with RawClient(go2) as client:
        await client.validated()
        for topic in ("rt/lf/lowstate", "rt/lf/sportmodestate", "rt/utlidar/robot_pose", "rt/multiplestate", "rt/sportmodestate", "rt/no/such"):
            client.send("subscribe", topic)
        state = await settled(go2, lambda state: state["peer"]["sent"].get("rt/lf/lowstate", 0) >= 2)
        sent = state["peer"]["sent"]
        assert 20 <= sent["rt/lf/sportmodestate"] and 19 <= sent["rt/utlidar/robot_pose"] and set(sent) == {
            "rt/lf/lowstate", "rt/lf/sportmodestate", "rt/utlidar/robot_pose", "rt/multiplestate"}
        multiple = await client.message(lambda one: one.get("topic") == "rt/multiplestate")
        assert json.loads(multiple["data"])["volume"] == 5
        client.send("unsubscribe", "rt/lf/sportmodestate")
        state = await settled(go2, lambda state: "rt/lf/sportmodestate" not in state["peer"]["subscribed"])
        before = state["peer"]["sent"]["rt/lf/sportmodestate"]
        state = await settled(go2, lambda state: state["peer"]["sent"]["rt/utlidar/robot_pose"] > sent["rt/utlidar/robot_pose"] + 20)
        assert state["peer"]["sent"]["rt/lf/sportmodestate"] == before


@pytest.mark.asyncio
async def test_ten_times_the_data(robot):
    go2 = robot(video="none", rate_scale=10.0)
    async with RawClient(go2) as client:
        await client.validated()
        client.send("subscribe", "rt/lf/lowstate")
        client.send("subscribe", "rt/lf/sportmodestate")
        state = await settled(go2, lambda state: state["peer"]["sent"].get("rt/lf/lowstate", 0) >= 10)
        assert state["peer"]["sent"]["rt/lf/sportmodestate"] >= 100 and state["peer"]["skipped"] == 0


@pytest.mark.asyncio
async def test_voxels_need_the_switch_and_no_traffic_saving(robot):
    go2 = robot(video="none", lidar_layout="both", rate_scale=5.0)
    async with RawClient(go2) as client:
        await client.validated()
        client.send("subscribe", "rt/utlidar/voxel_map_compressed")
        client.send("subscribe", "rt/utlidar/robot_pose")
        await settled(go2, lambda state: state["peer"]["sent"].get("rt/utlidar/robot_pose", 0) > 20)
        assert not [one for one in client.messages if isinstance(one, bytes)]
        client.send("msg", "rt/utlidar/switch", "ON")
        client.send("rtc_inner_req", data={"req_type": "disable_traffic_saving", "instruction": "on"})
        done = await client.message(lambda one: isinstance(one, dict) and one.get("info", {}).get("req_type") == "disable_traffic_saving")
        assert done["info"] == {"req_type": "disable_traffic_saving", "execution": "ok"}
        await client.wait_until(lambda: {b[:4] == b"\x02\0\0\0" for b in client.messages if isinstance(b, bytes)} == {True, False})
        first = next(one for one in client.messages if isinstance(one, bytes) and one[:4] != b"\x02\0\0\0")
        length = struct.unpack_from("<H", first)[0]
        assert json.loads(first[4 : 4 + length])["topic"] == "rt/utlidar/voxel_map_compressed"


@pytest.mark.asyncio
async def test_requests_are_answered_by_id_however_they_come(robot):
    go2 = robot(video="none")
    async with RawClient(go2) as client:
        await client.validated()
        client.request(2_147_483_647, 1004)
        assert await client.response(2_147_483_647) == {"header": {"identity": {"id": 2_147_483_647, "api_id": 1004}, "status": {"code": 0}}, "data": ""}
        client.request(2, 1001, kind="msg", topic="rt/api/motion_switcher/request")
        assert json.loads((await client.response(2))["data"])["name"] == "mcf"
        client.request(3, 1008, {"x": 1, "y": 0, "z": 0})
        assert (await client.response(3))["header"]["status"]["code"] == 3204, "a parameter that is no string"
        client.request(4, 1, topic="rt/api/nothing/request")
        client.send("req", "rt/api/sport/request", {"header": {}})
        client.request(5, 1034)
        await client.response(5)
        assert not [one for one in client.messages if one.get("type") == "res" and one["data"]["header"]["identity"]["id"] == 4]
        assert go2.events("malformed") and next(one for one in client.messages if one.get("type") == "res")["topic"] == "rt/api/sport/response"


@pytest.mark.asyncio
async def test_faults_of_requests(robot):
    go2 = robot(["requests.refuse=1"], video="none", answer_delay_ms=50)
    async with RawClient(go2) as client:
        await client.validated()
        client.request(11, 1004)
        assert (await client.response(11))["header"]["status"]["code"] == 3205
        assert go2.state()["body"]["posture"] == "idle"
        await asyncio.to_thread(go2.fault, "requests.silent", 1)
        client.request(12, 1004)
        await settled(go2, lambda state: state["body"]["posture"] == "standing")
        await asyncio.to_thread(go2.fault, "requests.other_id", 1)
        client.request(13, 1034)
        await client.response(1)
        answered = {one["data"]["header"]["identity"]["id"] for one in client.messages if one.get("type") == "res"}
        assert answered == {11, 1}


@pytest.mark.asyncio
async def test_long_answers_come_in_chunks(robot):
    go2 = robot(video="none", chunk_size=10)
    async with RawClient(go2) as client:
        await client.validated()
        client.request(21, 1001, topic="rt/api/motion_switcher/request")

        def chunks() -> list[dict]:
            return [one["data"] for one in client.messages if one.get("type") == "res"]

        await client.wait_until(lambda: chunks() and len(chunks()) == chunks()[0]["content_info"]["total_chunk_num"])
        assert [one["content_info"]["chunk_index"] for one in chunks()] == list(range(1, len(chunks()) + 1))
        assert json.loads("".join(one["data"] for one in chunks())) == {"form": "0", "name": "mcf"}


@pytest.mark.asyncio
async def test_files_go_both_ways(robot):
    go2 = robot(video="none")
    async with RawClient(go2) as client:
        await client.validated()
        for index, piece in enumerate(("aGVs", "bG8="), 1):
            client.send("rtc_inner_req", data={"req_type": "push_static_file", "req_uuid": f"upload_{index}", "file_path": "note",
                                               "file": {"chunk_index": index, "total_chunk_num": 2, "chunk_data": piece, "chunk_data_size": 4}})
            told = await client.message(lambda one: one.get("info", {}).get("req_uuid") == f"upload_{index}")
            assert told["info"]["file_status"] == "ok"
        client.send("rtc_inner_req", data={"req_type": "request_static_file", "req_uuid": "req_1", "file_path": "note"})
        file = (await client.message(lambda one: one.get("info", {}).get("req_uuid") == "req_1"))["info"]["file"]
        assert (file["data"], file["chunk_index"], file["total_chunk_num"]) == ("aGVsbG8=", 1, 1)


@pytest.mark.asyncio
async def test_broken_messages_of_the_robot_and_of_the_client(robot):
    go2 = robot(["topics.garbage=1"], video="none")
    async with RawClient(go2) as client:
        await client.validated()
        for text in ("", "[]", "7", '{"type": 1}', "{", '{"type": "subscribe"}', '{"type": "req", "topic": "rt/api/sport/request", "data": [1]}'):
            client.channel.send(text)
        client.send("subscribe", "rt/lf/sportmodestate")
        broken = await client.message(lambda one: isinstance(one, str))
        assert broken.startswith('{"type": "msg"')
        await client.message(lambda one: isinstance(one, dict) and one.get("topic") == "rt/lf/sportmodestate")


@pytest.mark.asyncio
async def test_the_wireless_controller_drives(robot):
    go2 = robot(video="none")
    async with RawClient(go2) as client:
        await client.validated()
        client.send("msg", "rt/wirelesscontroller", {"lx": 0, "ly": 0.5, "rx": 0, "ry": 0})
        assert (await asyncio.to_thread(go2.wait_for, "motion"))["motion"] == [0.75, 0, 0]
        client.send("msg", "rt/wirelesscontroller", {"lx": 0, "ly": 0, "rx": 0, "ry": 0})
        await asyncio.to_thread(go2.wait_for, "motion", lambda event: event["what"] == "stop")


def test_the_simulator_ends_with_whoever_started_it():
    command = f'"{sys.executable}" -m go2_simulator --video none --port 0 & read line'
    shell = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(HERE)})
    assert shell.stdout and json.loads(shell.stdout.readline())["ready"]
    shell.kill()
    shell.wait()
    assert shell.stdout.read() == b"", "the pipe closes when the last writer is gone"
    shell.stdout.close()
    assert shell.stdin
    shell.stdin.close()
