"""Throughput and small messages over loopback, ours next to aiortc's in one run: measure_data_channels.py [--seconds 5].

Each pair is two processes: ours to ours, aiortc to aiortc, and each to the other. Large messages are 64 KiB, small ones 100 bytes.
"""
from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from channel_peer import ChannelPeer


class AiortcPeer:
    """aiortc with the lines of our own peer, as far as a measurement needs them."""

    def __init__(self):
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channels = {}

        @self.peer.on("datachannel")
        def opened(channel):
            self.watch(channel)

    def watch(self, channel):
        self.channels[channel.label] = channel
        count = {"messages": 0, "bytes": 0}

        @channel.on("message")
        def message(data):
            if isinstance(data, bytes):
                count["messages"] += 1
                count["bytes"] += len(data)
            elif data == "report":
                channel.send(json.dumps(count))
            else:
                print(json.dumps({"event": "text", "label": channel.label, "text": data}), flush=True)

        if channel.readyState == "open":
            print(json.dumps({"event": "opened", "label": channel.label}), flush=True)
        else:
            channel.on("open", lambda: print(json.dumps({"event": "opened", "label": channel.label}), flush=True))

    async def perform(self, command: dict):
        if "offer" in command:
            await self.peer.setRemoteDescription(RTCSessionDescription(command["offer"], "offer"))
            await self.peer.setLocalDescription(await self.peer.createAnswer())
            print(json.dumps({"event": "answer", "sdp": self.peer.localDescription.sdp}), flush=True)
        elif "answer" in command:
            await self.peer.setRemoteDescription(RTCSessionDescription(command["answer"], "answer"))
        elif "open" in command:
            self.watch(self.peer.createDataChannel(command["open"]))
        elif "send" in command:
            channel = self.channels[command["send"]]
            message = bytes(command["size"])
            for _ in range(command["count"]):
                while channel.bufferedAmount > 1 << 20:
                    await asyncio.sleep(0.0005)
                channel.send(message)
            channel.send("report")

    async def run(self, offers: bool):
        if offers:
            self.watch(self.peer.createDataChannel("first"))
            await self.peer.setLocalDescription(await self.peer.createOffer())
            print(json.dumps({"event": "offer", "sdp": self.peer.localDescription.sdp}), flush=True)
        reader = asyncio.StreamReader(limit=1 << 24)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        tasks = set()
        while line := await reader.readline():
            tasks.add(asyncio.ensure_future(self.perform(json.loads(line))))
        await self.peer.close()


class OtherPeer(ChannelPeer):
    """An aiortc process."""

    async def __aenter__(self) -> OtherPeer:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "--aiortc", *self.arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, limit=1 << 24)
        self.reader = asyncio.create_task(self.read())
        return self


async def measure(sender: type[ChannelPeer], receiver: type[ChannelPeer], size: int, seconds: float) -> tuple[float, float]:
    """Bytes and messages a second, from the first sending until the receiver has told its count."""
    async with receiver() as to, sender("--offer") as source:
        to.tell(offer=(await source.event("offer"))["sdp"])
        source.tell(answer=(await to.event("answer"))["sdp"])
        if sender is OtherPeer:
            await source.event("opened", label="first")
        count, turn = max(4, int(2e6 / size)), 0
        # Longer runs until one lasts long enough to be worth its figure.
        while True:
            turn += 1
            label = f"sink {turn}"
            source.tell(open=label)
            await source.event("opened", label=label)
            began = time.monotonic()
            source.tell(send=label, count=count, size=size)
            report = json.loads((await source.event("text", timeout=120, label=label))["text"])
            took = time.monotonic() - began
            assert report["messages"] == count, report
            if took >= seconds / 2:
                return count * size / took, count / took
            count = int(count * max(2, min(10, seconds / took)))


async def main(seconds: float):
    names = {ChannelPeer: "ours", OtherPeer: "aiortc"}
    for size, what in [(65_536, "64 KiB messages"), (100, "100-byte messages")]:
        figures = {}
        for sender, receiver in [(ChannelPeer, ChannelPeer), (OtherPeer, OtherPeer), (ChannelPeer, OtherPeer), (OtherPeer, ChannelPeer)]:
            rate, messages = await measure(sender, receiver, size, seconds)
            figures[sender, receiver] = messages
            print(f"{what}, {names[sender]:>6} to {names[receiver]:<6}: {rate / 1e6:8.2f} MB/s {messages:10.0f} messages/s", flush=True)
        ratio = figures[ChannelPeer, ChannelPeer] / figures[OtherPeer, OtherPeer]
        print(f"{what}, ours to ours next to aiortc to aiortc: {ratio:.1f} times", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--aiortc", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--offer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    asyncio.run(AiortcPeer().run(options.offer) if options.aiortc else main(options.seconds))
