"""The robot's WebRTC: its habits, and the faults of each phase."""
from __future__ import annotations

import asyncio
import fractions
import json
import math
import re
import struct

import av
import numpy as np
import pytest
from aiortc.mediastreams import AudioStreamTrack
from go2_simulator.pictures import read_counter
from raw_client import RawClient, one_fingerprint


def kinds(client: RawClient) -> list[int]:
    """The NAL unit types of the packets that came, as they came."""
    return [packet.payload[0] & 0x1F for packet in client.packets if packet.payload]


def slices(client: RawClient) -> set[int]:
    """The NAL unit types that came in fragments."""
    return {packet.payload[1] & 0x1F for packet in client.packets if packet.payload[0] & 0x1F == 28}


async def until_state(robot, condition):
    return await asyncio.to_thread(robot.wait_until, condition)


async def until_event(robot, kind, **which):
    return await asyncio.to_thread(robot.wait_for, kind, lambda event: which.items() <= event.items())


@pytest.mark.asyncio
async def test_three_fingerprints_leave_the_association_silent(robot):
    go2 = robot(video="none")
    async with RawClient(go2, change=lambda sdp: sdp) as client:
        await until_event(go2, "fingerprint")
        await client.wait_until(lambda: client.pc.connectionState == "connected")
        peer = go2.state()["peer"]
        assert peer["dtls"] == "connected" and peer["sctp"] is None and not client.messages


@pytest.mark.asyncio
async def test_only_the_last_credentials_count(robot):
    go2 = robot(video="none")

    def other_first(sdp: str) -> str:
        return re.sub(r"a=ice-ufrag:\S+", "a=ice-ufrag:zzzz", one_fingerprint(sdp), count=1)

    async with RawClient(go2, change=other_first) as client:
        await client.validated()


@pytest.mark.asyncio
async def test_the_challenge_comes_first_and_nothing_is_acknowledged(robot):
    go2 = robot(video="none", probe_seconds=0.0)
    async with RawClient(go2, validate=False) as client:
        await client.wait_until(lambda: client.messages)
        assert client.messages[0]["type"] == "validation" and client.channel.readyState == "connecting"
        client.send("subscribe", "rt/lf/lowstate")
        assert await client.message(lambda one: one["type"] == "err") == {"type": "err", "info": "Validation Needed."}
        client.send("validation", data="wrong")
        await client.wait_until(lambda: sum(one["type"] == "err" for one in client.messages) == 2)
        assert go2.state()["peer"]["subscribed"] == []
        tls = client.pc.sctp.transport._ssl
        assert (tls.get_protocol_version_name(), tls.get_selected_srtp_profile()) == ("DTLSv1.2", b"SRTP_AES128_CM_SHA1_80")


@pytest.mark.asyncio
async def test_indications_keep_the_path_alive(robot):
    go2 = robot(video="none", keepalive_seconds=0.1)
    async with RawClient(go2) as client:
        heard: list[bytes] = []
        for protocol in client.pc.sctp.transport.transport._connection._protocols:
            protocol.datagram_received = keep(heard, protocol.datagram_received)
        await client.wait_until(lambda: any(isinstance(data, bytes) and data[:2] == b"\x00\x11" for data in heard))


def keep(heard: list, call):
    """A call whose first argument is kept."""
    def kept(data, address):
        heard.append(data)
        return call(data, address)
    return kept


@pytest.mark.asyncio
async def test_a_channel_that_is_opened_again_is_challenged_again(robot):
    go2 = robot(video="none")
    async with RawClient(go2) as client:
        await client.validated()
        client.channel.close()
        await until_event(go2, "channel_closed")
        messages: list[str] = []
        again = client.pc.createDataChannel("data")
        again.on("message", messages.append)
        await client.wait_until(lambda: messages)
        assert json.loads(messages[0])["type"] == "validation" and not go2.state()["peer"]["validated"]


@pytest.mark.asyncio
async def test_errors_follow_validation(robot):
    go2 = robot(video="none", errors_seconds=0.1)
    async with RawClient(go2) as client:
        await client.validated()
        ok = next(index for index, one in enumerate(client.messages) if one.get("data") == "Validation Ok.")
        await client.wait_until(lambda: len(client.messages) > ok + 1)
        assert client.messages[ok + 1] == {"type": "errors", "data": []}
        await asyncio.to_thread(go2.act, "add_error", source=300, code=16, timestamp=7)
        assert (await client.message(lambda one: one["type"] == "add_error"))["data"] == [7, 300, 16]
        await client.message(lambda one: one["type"] == "errors" and one["data"] == [[7, 300, 16]])
        await asyncio.to_thread(go2.act, "remove_error", source=300, code=16)
        await client.message(lambda one: one["type"] == "rm_error")


@pytest.mark.asyncio
async def test_no_picture_before_it_is_switched_on_and_then_a_key_frame_in_single_units(robot):
    go2 = robot()
    async with RawClient(go2) as client:
        await client.validated()
        assert go2.state()["peer"]["video"]["packets"] == 0
        client.send("vid", data="on")
        frame = await client.pc.getTransceivers()[1].receiver.track.recv()
        await client.wait_until(lambda: slices(client) == {1, 5})
        assert kinds(client)[:3] == [7, 8, 28] and 24 not in kinds(client)
        first = [packet for packet in client.packets if packet.timestamp == client.packets[0].timestamp]
        assert [packet.marker for packet in first] == [0] * (len(first) - 1) + [1]
        assert (frame.width, frame.height, read_counter(frame.to_ndarray()[:720])) == (1280, 720, 0)
        client.send("vid", data="off")
        await until_state(go2, lambda state: not state["peer"]["video"]["on"])
        assert len(await asyncio.to_thread(go2.call, "GET", "/frames")) >= 1


@pytest.mark.asyncio
async def test_lost_packets_are_sent_again_when_asked_for(robot):
    go2 = robot()
    async with RawClient(go2) as client:
        await client.validated()
        client.send("vid", data="on")
        await client.wait_until(lambda: len(client.packets) > 20)
        lost = client.packets[5]
        ssrc, sequence = lost.ssrc, lost.sequence_number
        nack = struct.pack("!BBHIIHH", 0x81, 205, 3, 1, ssrc, sequence, 0)
        await client.pc.getTransceivers()[1].receiver.transport._send_rtp(nack)
        await until_state(go2, lambda state: state["peer"]["video"]["resent"] == 1)


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", ["media.none", "media.no_idr", "media.garbage"])
async def test_faults_of_the_camera(robot, fault):
    go2 = robot([fault])
    async with RawClient(go2) as client:
        await client.validated()
        client.send("vid", data="on")
        await until_event(go2, "switch", media="vid", on=True)
        if fault == "media.none":
            state = await until_state(go2, lambda state: state["peer"]["video"]["withheld"] > 5)
            assert state["peer"]["video"]["packets"] == 0 and not client.packets
        else:
            await client.wait_until(lambda: len(client.packets) > 60)
            assert not {7, 8} & set(kinds(client)) and slices(client) == {1} if fault == "media.no_idr" else len(set(kinds(client))) > 10


@pytest.mark.asyncio
async def test_video_stops_midway_and_bursts(robot):
    go2 = robot()
    async with RawClient(go2) as client:
        await client.validated()
        client.send("vid", data="on")
        await client.wait_until(lambda: len(client.packets) > 20)
        await asyncio.to_thread(go2.fault, "media.burst")
        before = len(await asyncio.to_thread(go2.call, "GET", "/frames"))
        await client.wait_until(lambda: len({packet.timestamp for packet in client.packets}) > before + 40)
        times = [one["time"] for one in await asyncio.to_thread(go2.call, "GET", "/frames")][-30:]
        assert times[-1] - times[0] < 29 / 25 * 0.8, "29 pictures took as long as at the normal rate"
        await asyncio.to_thread(go2.fault, "media.stop")
        state = await until_state(go2, lambda state: state["peer"]["video"]["withheld"] > 0)
        later = await until_state(go2, lambda state: state["peer"]["video"]["withheld"] > 10)
        assert later["peer"]["video"]["packets"] == state["peer"]["video"]["packets"]


class Sine(AudioStreamTrack):
    """A tone of 1 kHz."""

    def __init__(self) -> None:
        super().__init__()
        self._at = 0

    async def recv(self) -> av.AudioFrame:
        samples = (8000 * np.sin(2 * math.pi * 1000 * (np.arange(960) + self._at) / 48_000)).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._at, fractions.Fraction(1, 48_000)
        self._at += 960
        await asyncio.sleep(0.02)
        return frame


@pytest.mark.asyncio
async def test_sound_goes_both_ways(robot):
    go2 = robot(video="none", tone_hz=600.0)
    async with RawClient(go2, track=Sine()) as client:
        await client.validated()
        state = await until_state(go2, lambda state: state["peer"]["sound_in"]["frequency"] and state["peer"]["sound_in"]["packets"] > 60)
        heard = state["peer"]["sound_in"]
        assert abs(heard["frequency"] - 1000) < 15 and 0.1 < heard["rms"] < 0.3 and heard["broken"] == 0
        assert state["peer"]["audio"]["packets"] == 0
        client.send("aud", data="on")
        track, samples = client.pc.getTransceivers()[0].receiver.track, []
        while len(samples) < 40:
            frame = await track.recv()
            samples.append(frame.to_ndarray().reshape(-1, 2)[:, 0])
        tone = np.concatenate(samples[10:]).astype(float)
        assert abs(np.argmax(np.abs(np.fft.rfft(tone))) * 48_000 / tone.size - 600) < 15


@pytest.mark.asyncio
async def test_ice_without_reply_ends_after_its_time(robot):
    go2 = robot(["ice.silent"], video="none", connect_seconds=0.5)
    async with RawClient(go2):
        assert (await until_event(go2, "ended"))["reason"] == "not connected in time"
        assert [event["phase"] for event in go2.events("phase")] == ["ice"]


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", ["ice.wrong_credentials", "ice.unreachable"])
async def test_ice_with_wrong_facts_never_connects(robot, fault):
    go2 = robot([fault], video="none", connect_seconds=0.5)
    async with RawClient(go2) as client:
        await until_event(go2, "ended")
        assert client.pc.connectionState != "connected" and "dtls" not in [event["phase"] for event in go2.events("phase")]


@pytest.mark.asyncio
async def test_dtls_that_never_begins(robot):
    go2 = robot(["dtls.silent=1"], video="none", connect_seconds=0.5)
    async with RawClient(go2) as client:
        await client.wait_until(lambda: client.pc.iceConnectionState == "completed")
        await until_event(go2, "ended")
        assert client.pc.connectionState == "connecting" and [event["phase"] for event in go2.events("phase")] == ["ice", "dtls"]
    async with RawClient(go2) as client:
        await client.validated()


@pytest.mark.asyncio
async def test_dtls_with_another_certificate_than_announced(robot):
    go2 = robot(["dtls.wrong_fingerprint"], video="none")
    async with RawClient(go2) as client:
        await client.wait_until(lambda: client.pc.connectionState == "failed")


@pytest.mark.asyncio
async def test_silent_association(robot):
    go2 = robot(["sctp.silent"], video="none")
    async with RawClient(go2) as client:
        state = await until_state(go2, lambda state: state["peer"] and state["peer"]["inits_heard"] > 0)
        assert client.pc.connectionState == "connected" and client.pc.sctp.state == "connecting" and not state["peer"]["channel"]
        await asyncio.to_thread(go2.clear_faults)
        await client.validated()


@pytest.mark.asyncio
async def test_aborted_association(robot):
    go2 = robot(["sctp.abort"], video="none")
    async with RawClient(go2) as client:
        await client.wait_until(lambda: client.pc.sctp.state == "closed")
        assert not client.messages


@pytest.mark.asyncio
async def test_faults_of_the_validation(robot):
    go2 = robot(["validation.no_challenge=1"], video="none", probe_seconds=0.0)
    async with RawClient(go2) as client:
        await until_event(go2, "phase", phase="channel")
        client.send("heartbeat")
        assert (await client.message(lambda one: True))["type"] == "err"
    await until_event(go2, "ended")
    await asyncio.to_thread(go2.fault, "validation.needed")
    async with RawClient(go2) as client:
        await client.message(lambda one: one["type"] == "err")
        await asyncio.to_thread(go2.clear_faults)
        await asyncio.to_thread(go2.fault, "validation.never_ok", 1)
        for _ in range(2):
            client._received(json.dumps(client.messages[0]))
        await client.validated()
        assert sum(event["type"] == "validation" for event in go2.events("message")) == 3


@pytest.mark.asyncio
async def test_messages_lost_and_late_still_come_in_order(robot):
    go2 = robot(video="none", probe_seconds=0.0)
    async with RawClient(go2) as client:
        await client.validated()
        await asyncio.to_thread(go2.set, loss=0.1, delay_ms=20)
        for number in range(1, 40):
            client.request(number, 1034)
        await client.response(39)
        numbers = [one["data"]["header"]["identity"]["id"] for one in client.messages if one["type"] == "res"]
        assert numbers == list(range(1, 40))


@pytest.mark.asyncio
async def test_a_network_that_falls_silent_loses_the_client(robot):
    go2 = robot(video="none", silence_seconds=0.5)
    async with RawClient(go2) as client:
        await client.validated()
        await asyncio.to_thread(go2.fault, "network.silent", 1)
        assert (await until_event(go2, "ended"))["reason"] == "silent for too long"
        assert client.pc.connectionState == "connected", "the client was told"
    async with RawClient(go2) as client:
        await client.validated()


@pytest.mark.asyncio
@pytest.mark.parametrize(("action", "told"), [("disconnect", True), ("abort", True), ("vanish", False)])
async def test_ends_of_a_connection(robot, action, told):
    go2 = robot(video="none")
    async with RawClient(go2) as client:
        await client.validated()
        await asyncio.to_thread(go2.act, action)
        if told:
            await client.wait_until(lambda: client.pc.sctp.state == "closed")
        else:
            await until_event(go2, "ended")
            assert client.pc.sctp.state == "connected"


@pytest.mark.asyncio
async def test_a_client_without_heartbeats_is_left_when_the_robot_wants_them(robot):
    go2 = robot(video="none", heartbeat_timeout=0.5)
    async with RawClient(go2) as client:
        await client.validated()
        await client.wait_until(lambda: client.pc.sctp.state == "closed")
        assert (await until_event(go2, "ended"))["reason"] == "no heartbeat"


@pytest.mark.asyncio
async def test_reboot_takes_the_ports_away_and_comes_back_elsewhere(robot):
    go2 = robot(video="none")
    async with RawClient(go2) as client:
        await client.validated()
        client.request(1, 1004)
        await client.response(1)
        await asyncio.to_thread(go2.act, "reboot", seconds=0.3, address="127.0.0.9")
        await until_event(go2, "ended", reason="reboot")
    await asyncio.to_thread(go2.wait_for, "up", lambda event: event["address"] == "127.0.0.9")
    assert go2.state()["body"]["posture"] == "idle"
    go2.ready["address"] = "127.0.0.9"
    async with RawClient(go2) as client:
        await client.validated()
        assert " 127.0.0.9 " in client.answer
