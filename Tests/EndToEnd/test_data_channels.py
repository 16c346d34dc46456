"""Data channels against Chromium and aiortc: sizes, order, partial reliability under loss, close and reopen."""
from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from playwright.async_api import async_playwright

import talker
from channel_peer import ChannelPeer, LossyPath, address_of, through, without_candidates

SIZES = [1, 2, 100, 1000, 1143, 1144, 1145, 16_384, 65_535, 65_536, 100_000, 262_144]
MESSAGES = 10_000


class AiortcClient:
    """aiortc as offerer."""

    def __init__(self):
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channels, self.received, self.closed = {}, {}, {}
        self.arrived = asyncio.Event()

        @self.peer.on("datachannel")
        def opened(channel):
            self.watch(channel)

    def watch(self, channel):
        self.channels[channel.label] = channel
        self.received[channel.label] = []

        @channel.on("message")
        def message(data):
            self.received[channel.label].append(data)
            self.arrived.set()

        @channel.on("close")
        def close():
            self.closed[channel.label] = self.closed.get(channel.label, 0) + 1
            self.arrived.set()

    async def until(self, condition, timeout=60):
        async with asyncio.timeout(timeout):
            while not condition():
                self.arrived.clear()
                await self.arrived.wait()

    async def offer(self) -> str:
        self.watch(self.peer.createDataChannel("first"))
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return self.peer.localDescription.sdp

    async def accept(self, answer: str):
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def open(self, label: str, **options):
        self.watch(self.peer.createDataChannel(label, **options))
        channel = self.channels[label]
        if channel.readyState != "open":
            opened = asyncio.Event()
            channel.on("open", opened.set)
            async with asyncio.timeout(20):
                await opened.wait()

    async def send_numbers(self, label: str, count: int):
        channel = self.channels[label]
        for number in range(count):
            # aiortc's window counts four bytes a packet: unrestrained it floods every socket's buffer.
            while channel.bufferedAmount > 400:
                await asyncio.sleep(0.001)
            channel.send(number.to_bytes(4, "big"))

    async def echo(self, label: str, sizes: list[int]) -> list[int]:
        """Sends a message of each size and compares what comes back; the sizes that came back whole."""
        sent = [bytes(index & 0xFF for index in range(size)) for size in sizes]
        for message in sent:
            self.channels[label].send(message)
        await self.until(lambda: len(self.received[label]) >= len(sizes))
        return [len(back) for there, back in zip(sent, self.received[label]) if there == back]

    async def text(self, label: str, message: str) -> str:
        before = len(self.received[label])
        self.channels[label].send(message)
        await self.until(lambda: len(self.received[label]) > before)
        return self.received[label][-1]

    async def numbers(self, label: str, count: int) -> list[int]:
        await self.until(lambda: len(self.received[label]) >= count and len(self.numbers_so_far(label)) >= count)
        return self.numbers_so_far(label)

    def numbers_so_far(self, label: str) -> list[int]:
        return [int.from_bytes(data[:4], "big") for data in self.received[label] if isinstance(data, bytes)]

    async def last(self, label: str):
        """Until a text came."""
        await self.until(lambda: any(isinstance(data, str) for data in self.received[label]))

    async def close_channel(self, label: str):
        self.channels[label].close()
        await self.until(lambda: self.closed.get(label, 0) > 0)
        self.closed[label] = 0

    async def until_closed(self, label: str):
        await self.until(lambda: self.closed.get(label, 0) > 0)
        self.closed[label] = 0

    async def end(self):
        await self.peer.close()


SCRIPT = """
window.peer = new RTCPeerConnection();
window.channels = {}; window.received = {}; window.closings = {};
window.watch = channel => {
  channel.binaryType = "arraybuffer";
  channels[channel.label] = channel; received[channel.label] = [];
  channel.onmessage = event => received[channel.label].push(event.data);
  channel.onclose = () => { closings[channel.label] = (closings[channel.label] ?? 0) + 1; };
};
peer.ondatachannel = event => watch(event.channel);
window.until = async condition => {
  const end = performance.now() + 60000;
  while (!condition()) {
    if (performance.now() > end) throw new Error("did not come true: " + condition);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
};
window.numbersOf = label => received[label].filter(data => typeof data != "string").map(data => new DataView(data).getUint32(0));
"""


class ChromiumClient:
    """Chromium as offerer."""

    async def start(self):
        arguments = ["--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")
        self.playwright = await async_playwright().start()
        self.browser = await self.playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        self.page = await self.browser.new_page()
        await self.page.add_script_tag(content=SCRIPT)

    def run(self, script: str, *values):
        return self.page.evaluate(script, list(values))

    async def offer(self) -> str:
        return await self.run("""async () => {
            watch(peer.createDataChannel("first"));
            await peer.setLocalDescription(await peer.createOffer());
            await until(() => peer.iceGatheringState == "complete");
            return peer.localDescription.sdp; }""")

    async def accept(self, answer: str):
        await self.run("([sdp]) => peer.setRemoteDescription({type: 'answer', sdp})", answer)

    async def open(self, label: str, **options):
        await self.run("""async ([label, options]) => {
            watch(peer.createDataChannel(label, options));
            await until(() => channels[label].readyState == "open"); }""", label, options)

    async def send_numbers(self, label: str, count: int):
        await self.run("""async ([label, count]) => {
            for (let number = 0; number < count; number++) {
              const data = new DataView(new ArrayBuffer(4));
              data.setUint32(0, number);
              await until(() => channels[label].bufferedAmount < 1 << 20);
              channels[label].send(data);
            } }""", label, count)

    async def echo(self, label: str, sizes: list[int]) -> list[int]:
        return await self.run("""async ([label, sizes]) => {
            const sent = sizes.map(size => new Uint8Array(size).map((_, index) => index & 0xFF));
            for (const message of sent) channels[label].send(message);
            await until(() => received[label].length >= sizes.length);
            return received[label].map(back => new Uint8Array(back))
              .filter((back, n) => back.length == sent[n].length && back.every((byte, place) => byte == sent[n][place]))
              .map(back => back.length); }""", label, sizes)

    async def text(self, label: str, message: str) -> str:
        return await self.run("""async ([label, message]) => {
            const before = received[label].length;
            channels[label].send(message);
            await until(() => received[label].length > before);
            return received[label].at(-1); }""", label, message)

    async def numbers(self, label: str, count: int) -> list[int]:
        return await self.run(
            "async ([label, count]) => { await until(() => numbersOf(label).length >= count); return numbersOf(label); }",
            label, count)

    async def last(self, label: str):
        await self.run("([label]) => until(() => received[label].some(data => typeof data == 'string'))", label)

    async def close_channel(self, label: str):
        await self.run("([label]) => channels[label].close()", label)
        await self.until_closed(label)

    async def until_closed(self, label: str):
        await self.run("async ([label]) => { await until(() => closings[label] > 0); closings[label] = 0; }", label)

    async def end(self):
        await self.browser.close()
        await self.playwright.stop()


@asynccontextmanager
async def connected(kind: str, loss: float = 0):
    """A client, a peer of ours, and the path between them."""
    client = AiortcClient() if kind == "aiortc" else ChromiumClient()
    if kind == "chromium":
        await client.start()
    async with ChannelPeer() as ours:
        answer = await ours.answer(without_candidates(await client.offer()))
        path = LossyPath(address_of(answer), loss=0)
        await client.accept(through(answer, await path.open()))
        await ours.event("opened", label="first")
        path.loss = loss
        yield client, ours, path
        path.loss = 0
        await client.end()
        path.close()


def run(scenario):
    talker.run(asyncio.wait_for(scenario, 180))


@pytest.mark.parametrize("kind", ["chromium", "aiortc"])
def test_messages_of_every_size_come_back_whole(kind):
    """1 byte to what the client takes, both ways; texts, empty messages."""
    async def scenario():
        async with connected(kind) as (client, ours, _):
            await client.open("echo")
            assert await client.echo("echo", SIZES) == SIZES
            await client.open("echo-text")
            for text in ["hello", "grüße 🐕", "x" * 60_000]:
                assert await client.text("echo-text", text) == text
            ours.tell(statistics=True)
            assert (await ours.event("statistics"))["refused"] == 0
    run(scenario())


@pytest.mark.parametrize("kind", ["chromium", "aiortc"])
def test_ten_thousand_messages_come_in_order_both_ways(kind):
    async def scenario():
        async with connected(kind) as (client, ours, _):
            await client.open("sink")
            await client.send_numbers("sink", MESSAGES)
            report = json.loads(await client.text("sink", "report"))
            assert report == {"messages": MESSAGES, "bytes": 4 * MESSAGES, "in_order": MESSAGES}
            ours.tell(send="sink", count=MESSAGES, size=4)
            assert await client.numbers("sink", MESSAGES) == list(range(MESSAGES))
    run(scenario())


@pytest.mark.parametrize("kind", ["chromium", "aiortc"])
def test_order_survives_the_loss_of_a_tenth(kind):
    async def scenario():
        async with connected(kind, loss=0.1) as (client, ours, path):
            await client.open("sink")
            await client.send_numbers("sink", 2000)
            report = json.loads(await client.text("sink", "report"))
            assert report == {"messages": 2000, "bytes": 8000, "in_order": 2000}
            ours.tell(send="sink", count=2000, size=1000)
            assert await client.numbers("sink", 2000) == list(range(2000))
            assert path.lost > 100
    run(scenario())


@pytest.mark.parametrize("kind", ["chromium", "aiortc"])
def test_unordered_messages_without_retransmissions_are_given_up(kind):
    """A tenth is lost, the rest arrives once, and a reliable channel beside it misses nothing."""
    async def scenario():
        async with connected(kind, loss=0.1) as (client, ours, path):
            await client.open("sink-moves", ordered=False, maxRetransmits=0)
            opened = await ours.event("opened", label="sink-moves")
            assert opened["ordered"] is False and opened["reliability"] == "retransmissions(0)"
            await client.open("sink")
            await client.send_numbers("sink-moves", 2000)
            await client.send_numbers("sink", 500)
            assert json.loads(await client.text("sink", "report"))["in_order"] == 500
            path.loss = 0
            there = json.loads(await client.text("sink-moves", "report"))["messages"]
            # How many it gives up is the client's affair: aiortc abandons all that is on its way where a packet was lost.
            assert 0 < there < 2000, there
            path.loss = 0.1
            # Large enough for a packet each: the loss of a packet is the loss of a message.
            ours.tell(send="sink-moves", count=2000, size=1000)
            ours.tell(send="sink", count=500, size=1000)
            assert await client.numbers("sink", 500) == list(range(500))
            path.loss = 0
            ours.tell(statistics=True)
            assert (await ours.event("statistics"))["abandoned"] > 0
            # What is not lost comes; nothing comes twice.
            back = await client.numbers("sink-moves", 1000)
            assert len(set(back)) == len(back) < 2000
    run(scenario())


@pytest.mark.parametrize("kind", ["chromium", "aiortc"])
def test_channels_close_and_open_again_from_either_side(kind):
    async def scenario():
        async with connected(kind) as (client, ours, _):
            for turn in range(1, 11):
                await client.open("echo-again")
                assert await client.text("echo-again", f"turn {turn}") == f"turn {turn}"
                if turn % 2:
                    await client.close_channel("echo-again")
                else:
                    ours.tell(close="echo-again")
                    await client.until_closed("echo-again")
                await ours.event("closed", label="echo-again", count=turn)
            for turn in range(1, 11):
                ours.tell(open=f"ours {turn}")
                await ours.event("opened", label=f"ours {turn}", incoming=False)
                ours.tell(close=f"ours {turn}")
                await ours.event("closed", label=f"ours {turn}")
            # The first channel has lived through all of it.
            ours.tell(statistics=True)
            assert (await ours.event("statistics"))["channels"] == 1
    run(scenario())


@pytest.mark.parametrize("kind", ["chromium", "aiortc"])
def test_a_client_that_leaves_is_noticed(kind):
    """By its abort, its close_notify, or both."""
    async def scenario():
        async with connected(kind) as (client, ours, _):
            if kind == "aiortc":
                await client.peer.close()
            else:
                await client.run("() => peer.close()")
            await ours.event("closed", label="first")
            await ours.event("sctp_ended")
    run(scenario())
