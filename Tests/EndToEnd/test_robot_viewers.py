"""Many viewers of one robot: the robot sees one client, each viewer gets the codec that costs less, data reaches those who may have it."""
import asyncio
import contextlib
import json

import aioice.ice
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import candidate_from_sdp
from websockets.asyncio.client import connect

from go2 import LOW_STATE, Go2, server_for, wait_connected
from server import wait_until
from talker import Microphone, run, tone

CHROMIUM, AIORTC = 5, 5
# aioice offers every address but loopback's, and the servers under test listen there alone.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


class RobotViewer:
    """A viewer on aiortc with a data channel, on a robot's WebSocket."""

    def __init__(self, server, codec: str | None = None, token: str | None = None, name: str = "go2", microphone=None):
        self.url = f"{server.ws}/ws/robot_{name}" + (f"?token={token}" if token else "")
        self.codec = codec
        self.microphone = microphone
        self.frames = 0
        self.sounds: list[np.ndarray] = []
        self.messages: list[dict] = []
        self._news = asyncio.Event()

    async def __aenter__(self):
        self.socket = await connect(self.url, max_size=1 << 24)
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        transceiver = self.peer.addTransceiver("video", direction="recvonly")
        if self.codec:
            codecs = RTCRtpSender.getCapabilities("video").codecs
            transceiver.setCodecPreferences([one for one in codecs if one.mimeType == f"video/{self.codec}"])
        if self.microphone:
            self.peer.addTransceiver(self.microphone, direction="sendrecv")
        else:
            self.peer.addTransceiver("audio", direction="recvonly")
        self.channel = self.peer.createDataChannel("robot")
        self.opened = asyncio.Event()
        self.channel.on("open", self.opened.set)

        @self.channel.on("message")
        def on_message(text):
            self.messages.append(json.loads(text))
            self._news.set()

        @self.peer.on("track")
        def on_track(track):
            asyncio.ensure_future(self.watch(track) if track.kind == "video" else self.listen_to(track))

        await self.peer.setLocalDescription(await self.peer.createOffer())
        await self.say(type="webrtc_offer", sdp=self.peer.localDescription.sdp, user_id=f"viewer-{id(self)}")
        self.listening = asyncio.ensure_future(self.listen())
        return self

    async def listen(self):
        async for text in self.socket:
            message = json.loads(text)
            if message["type"] == "webrtc_answer":
                self.answer = message["sdp"]
                await self.peer.setRemoteDescription(RTCSessionDescription(message["sdp"], "answer"))
            elif message["type"] == "webrtc_ice_candidate":
                candidate = candidate_from_sdp(message["candidate"]["candidate"].split(":", 1)[1])
                candidate.sdpMid = message["candidate"]["sdpMid"]
                candidate.sdpMLineIndex = message["candidate"]["sdpMLineIndex"]
                await self.peer.addIceCandidate(candidate)

    async def watch(self, track):
        with contextlib.suppress(MediaStreamError):  # The track's end.
            while True:
                self.see(await track.recv())
                self._news.set()

    def see(self, frame):
        self.frames += 1

    async def listen_to(self, track):
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                self.sounds.append(frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0])
                self._news.set()

    def heard_hertz(self) -> float:
        """The strongest frequency of the last second; 0 for silence."""
        sound = np.concatenate(self.sounds[-50:]).astype(float)
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        return float(np.argmax(spectrum) * 48_000 / len(sound)) if np.abs(sound).max() > 300 else 0.0

    async def until(self, condition, timeout: float, what: str):
        """Looks again with every picture, sound and message of this viewer."""
        async def watch():
            while not condition():
                self._news.clear()
                await self._news.wait()
        try:
            await asyncio.wait_for(watch(), timeout)
        except TimeoutError as error:
            raise AssertionError(f"{what} did not come true within {timeout} s") from error

    async def say(self, **message):
        await self.socket.send(json.dumps(message))

    async def __aexit__(self, *_):
        self.listening.cancel()
        await self.peer.close()
        await self.socket.close()


def test_ten_viewers_watch_one_robot_and_the_robot_sees_one_client(browser):
    settings = {"connectivity": "direct"}
    # Ten decoders of large or many pictures are more than two busy cores have: packets are lost in the clients' sockets, and so is what opens a
    # data channel.
    with Go2(video_width=320, video_height=180, video_fps=10, video_bit_rate=100_000) as robot, server_for(robot, settings=settings) as server:
        wait_connected(server)
        pages = [browser.new_page() for _ in range(CHROMIUM)]
        for page in pages:
            page.goto(f"{server.http}/robot/#robot=go2")

        async def crowd():
            viewers = [RobotViewer(server, codec) for codec in ["VP8", "VP8", "H264", "H264", None]]
            try:
                for viewer in viewers:
                    await viewer.__aenter__()
                for viewer in viewers:
                    await viewer.until(lambda: viewer.frames > 10, 40, f"pictures for {viewer.codec}")
                assert "VP8/90000" in viewers[0].answer and "H264" not in viewers[0].answer
                assert "H264/90000" in viewers[2].answer
                for viewer in viewers:
                    await asyncio.wait_for(viewer.opened.wait(), 10)
                    viewer.channel.send(json.dumps({"type": "robot_subscribe", "topics": [LOW_STATE]}))
                for viewer in viewers:
                    await viewer.until(lambda: any(message["type"] == "robot_topic" for message in viewer.messages), 10, "a topic")
                await asyncio.to_thread(look)
            finally:
                for viewer in viewers:
                    await viewer.__aexit__()

        def look():
            state = robot.state()
            assert state["connections"] == 1, "the robot saw more than one client"
            wait_until(lambda: server.metric("avatar_viewers") >= CHROMIUM + AIORTC, 20, "ten viewers")

        for page in pages:
            page.wait_for_selector("#phase-media.done", timeout=40_000)
        run(crowd())
        for page in pages:
            page.evaluate("new Promise(resolve => document.getElementById('video').requestVideoFrameCallback(resolve))")
            page.close()
        offers = robot.events("offer")
        assert len(offers) == 1, "the robot was offered more than once"


def test_the_robot_is_heard_and_spoken_to():
    with Go2(tone_hz=600.0) as robot, server_for(robot, settings={"connectivity": "direct"}, sound=True, talk=True) as server:
        wait_connected(server)
        assert not robot.state()["peer"]["audio"]["on"], "its microphone is off while nobody listens"

        async def talk():
            microphone = Microphone()
            async with RobotViewer(server, microphone=microphone) as viewer:
                await viewer.until(lambda: len(viewer.sounds) > 50 and abs(viewer.heard_hertz() - 600) < 10, 40, "the robot's tone")
                microphone.say(tone(4, hertz=440))
                await asyncio.to_thread(robot.wait_until, lambda state: state["peer"]["sound_in"]["frequency"] is not None
                                        and abs(state["peer"]["sound_in"]["frequency"] - 440) < 10)
        run(talk())
        assert robot.state()["peer"]["sound_in"]["broken"] == 0
        wait_until(lambda: not robot.state()["peer"]["audio"]["on"], 15, "its microphone is off again")


def test_a_viewer_who_may_only_watch_is_not_heard_by_the_robot():
    with Go2() as robot, server_for(robot, settings={"connectivity": "direct"}, sound=True, talk=True, drive_without_token=False) as server:
        wait_connected(server)

        async def talk():
            microphone = Microphone()
            async with RobotViewer(server, microphone=microphone) as viewer:
                await viewer.until(lambda: len(viewer.sounds) > 50, 40, "the robot's sound")
                await microphone.say(tone(1)).wait()
        run(talk())
        assert robot.state()["peer"]["sound_in"]["packets"] == 0
