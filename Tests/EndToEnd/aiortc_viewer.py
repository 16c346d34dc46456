"""A viewer on aiortc: aiortc_viewer.py websocket|whep|skew HTTP-URL; prints what it received as JSON. Runs on aiortc 1.9.0 and later.

`skew` watches flashes and beeps for 12 s and says when each was due by the sender reports, in seconds of the sender's wall clock.
"""
import asyncio
import json
import sys

import aiohttp
import aioice.ice
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtcpSrPacket
from aiortc.sdp import candidate_from_sdp

# aioice offers every address but loopback's, and the servers under test listen there alone.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


class SkewWatch:
    """When a flash or a beep begins, on the sender's wall clock: content's RTP time, mapped by the sender reports."""

    def __init__(self, pc):
        self.edges = {"video": [], "audio": []}
        self.reports: dict[str, tuple[float, int]] = {}
        self.quiet = {"video": False, "audio": False}
        # aiortc counts a stream's time from its first packet.
        self.origins = {receiver.track.kind: receiver._RTCRtpReceiver__timestamp_mapper for receiver in pc.getReceivers()}
        for receiver in pc.getReceivers():
            self.listen(receiver)

    def listen(self, receiver):
        handle, kind = receiver._handle_rtcp_packet, receiver.track.kind

        async def handle_and_note(packet):
            if isinstance(packet, RtcpSrPacket):
                info = packet.sender_info
                self.reports[kind] = (info.ntp_timestamp / 2**32, info.rtp_timestamp)
            await handle(packet)
        receiver._handle_rtcp_packet = handle_and_note

    def see(self, kind, frame):
        if kind == "video":
            is_loud, offset = frame.to_ndarray(format="gray")[256, 256] > 128, 0
        else:
            samples = abs(frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0].astype(int))
            above = (samples > 3000).nonzero()[0]
            is_loud, offset = len(above) > 0, int(above[0]) if len(above) else 0
        if is_loud and self.quiet[kind] and kind in self.reports:
            ntp, rtp = self.reports[kind]
            ticks = (frame.pts + self.origins[kind]._origin + offset - rtp + 2**31) % 2**32 - 2**31
            self.edges[kind].append(ntp + ticks / (90000 if kind == "video" else 48000))
        self.quiet[kind] = not is_loud


async def main(door: str, http: str) -> dict:
    async with aiohttp.ClientSession() as client:
        config = await (await client.get(http + "/api/webrtc/config")).json()
        relay_only = config["iceTransportPolicy"] == "relay"
        servers = [RTCIceServer(urls=entry["urls"], username=entry.get("username"), credential=entry.get("credential"))
                   for entry in config["iceServers"] if any("turn:" in url for url in entry["urls"])]
        pc = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        report = {"video_frames": 0, "audio_frames": 0, "size": None, "remote_type": None}
        enough = asyncio.Event()
        watch = None

        @pc.on("track")
        def on_track(track):
            async def consume():
                while True:
                    frame = await track.recv()
                    report[track.kind + "_frames"] += 1
                    if watch:
                        watch.see(track.kind, frame)
                    if track.kind == "video":
                        report["size"] = [frame.width, frame.height]
                    if report["video_frames"] >= 10 and report["audio_frames"] >= 10:
                        enough.set()
            asyncio.ensure_future(consume())

        pc.addTransceiver("video", direction="recvonly")
        pc.addTransceiver("audio", direction="recvonly")
        await pc.setLocalDescription(await pc.createOffer())
        offer = pc.localDescription.sdp
        if relay_only:
            # aiortc has no policy: only its relay candidates are told.
            offer = "".join(line + "\r\n" for line in offer.splitlines()
                            if not (line.startswith("a=candidate:") and " typ relay" not in line))
        candidates = []
        if door == "whep":
            answer = await client.post(http + "/whep/avatar", data=offer, headers={"Content-Type": "application/sdp"})
            assert answer.status == 201, (answer.status, await answer.text())
            assert answer.headers["Location"]
            await pc.setRemoteDescription(RTCSessionDescription(await answer.text(), "answer"))
            candidates = [line for line in (await answer.text()).splitlines() if line.startswith("a=candidate:")]
        else:
            session = await (await client.post(http + "/v1/sessions", json={"tutor_id": 1, "student_id": 1, "kb_id": None})).json()
            socket = await client.ws_connect(f"{session['engine_url']}?token={session['engine_token']}")
            await socket.send_json({"type": "webrtc_offer", "sdp": offer, "user_id": 1, "avatar_id": "avatar_tutor_1", "tutor_id": 1})

            async def listen():
                async for message in socket:
                    body = json.loads(message.data)
                    if body["type"] == "webrtc_answer":
                        await pc.setRemoteDescription(RTCSessionDescription(body["sdp"], "answer"))
                    elif body["type"] == "webrtc_ice_candidate":
                        candidates.append(body["candidate"]["candidate"])
                        candidate = candidate_from_sdp(body["candidate"]["candidate"].split(":", 1)[1])
                        candidate.sdpMid = body["candidate"]["sdpMid"]
                        candidate.sdpMLineIndex = body["candidate"]["sdpMLineIndex"]
                        await pc.addIceCandidate(candidate)
            asyncio.ensure_future(listen())
        await asyncio.wait_for(enough.wait(), 40)
        if door == "skew":
            watch = SkewWatch(pc)
            await asyncio.sleep(12)  # The length of what is watched, not a wait for something.
            report["edges"] = watch.edges
        report["remote_type"] = candidates[0].split(" typ ")[1].split()[0]
        await pc.close()
        return report


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
