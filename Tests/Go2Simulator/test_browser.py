"""Chromium as the robot's client, as the robot's own web interface is one: another ICE, DTLS, SCTP and H.264 than aiortc's."""
from __future__ import annotations

import os

from go2_simulator.session import validation_answer
from playwright.sync_api import sync_playwright
from raw_client import exchange

OFFER = """async () => {
  const pc = window.pc = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
  window.messages = [];
  pc.addTransceiver('video', {direction: 'recvonly'});
  pc.addTransceiver('audio', {direction: 'sendrecv'});
  const channel = window.channel = pc.createDataChannel('data');
  channel.binaryType = 'arraybuffer';
  channel.onmessage = event => messages.push(typeof event.data == 'string' ? JSON.parse(event.data) : {bytes: event.data.byteLength});
  pc.ontrack = event => { if (event.track.kind == 'video') {
    const video = window.video = document.createElement('video');
    video.muted = true; video.srcObject = new MediaStream([event.track]); video.play();
  } };
  await pc.setLocalDescription(await pc.createOffer());
  await new Promise(done => { if (pc.iceGatheringState == 'complete') done(); else pc.onicegatheringstatechange = () => pc.iceGatheringState == 'complete' && done(); });
  return pc.localDescription.sdp;
}"""


def test_chromium_connects_sees_and_hears_topics(robot):
    go2 = robot(lidar_layout="both")
    arguments = ["--allow-loopback-in-peer-connection", "--autoplay-policy=no-user-gesture-required"] + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        page = browser.new_page()
        answer = exchange(go2, page.evaluate(OFFER))
        page.evaluate("sdp => pc.setRemoteDescription({type: 'answer', sdp})", answer)
        go2.wait_for("phase", lambda event: event["phase"] == "channel")
        challenge = page.wait_for_function("messages.find(one => one.type == 'validation')").json_value()["data"]
        send = "message => channel.send(JSON.stringify(message))"
        page.evaluate(send, {"type": "validation", "topic": "", "data": validation_answer(challenge)})
        page.wait_for_function("messages.find(one => one.data == 'Validation Ok.')")
        page.evaluate(send, {"type": "vid", "topic": "", "data": "on"})
        page.wait_for_function("window.video && video.videoWidth == 1280 && video.getVideoPlaybackQuality().totalVideoFrames > 5")
        page.evaluate(send, {"type": "msg", "topic": "rt/utlidar/switch", "data": "ON"})
        page.evaluate(send, {"type": "rtc_inner_req", "topic": "", "data": {"req_type": "disable_traffic_saving", "instruction": "on"}})
        page.evaluate(send, {"type": "subscribe", "topic": "rt/utlidar/voxel_map_compressed"})
        page.wait_for_function("messages.find(one => one.bytes > 100)")
        page.evaluate("pc.close()")
        go2.wait_for("ended")
        browser.close()
