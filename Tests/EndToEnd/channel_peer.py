"""A peer with data channels of ours (`StreamerBench data-channels`), and a UDP proxy that loses packets."""
from __future__ import annotations

import asyncio
import json
import os
import random
import re
import socket
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = Path(os.environ.get("STREAMER_BENCH", ROOT / ".build/release/StreamerBench"))


class ChannelPeer:
    """One process of ours. Its lines go to `events`, in the order of their coming."""

    def __init__(self, *arguments: str):
        self.arguments = arguments
        self.events: list[dict] = []
        self.arrived = asyncio.Condition()

    async def __aenter__(self) -> ChannelPeer:
        self.process = await asyncio.create_subprocess_exec(
            BENCH, "data-channels", *self.arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 24)
        self.reader = asyncio.create_task(self.read())
        return self

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            self.process.stdin.close()
        await asyncio.wait_for(self.process.wait(), 10)
        await self.reader

    async def read(self):
        while line := await self.process.stdout.readline():
            async with self.arrived:
                self.events.append(json.loads(line))
                self.arrived.notify_all()

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")

    async def event(self, name: str, timeout: float = 20, count: int = 1, **values) -> dict:
        """Waits for the `count`th event of that name whose members have those values."""
        def found() -> list[dict]:
            return [event for event in self.events
                    if event["event"] == name and all(event.get(key) == value for key, value in values.items())]
        try:
            async with asyncio.timeout(timeout), self.arrived:
                await self.arrived.wait_for(lambda: len(found()) >= count)
        except TimeoutError:
            raise AssertionError(f"no {name} {values} within {timeout} s: {self.events}") from None
        return found()[count - 1]

    async def answer(self, offer: str) -> str:
        self.tell(offer=offer)
        return (await self.event("answer"))["sdp"]


class LossyPath(asyncio.DatagramProtocol):
    """Carries datagrams between one client and one server on loopback, and loses a share of them both ways."""

    def __init__(self, server: tuple[str, int], loss: float = 0):
        self.server, self.loss = server, loss
        self.client: tuple[str, int] | None = None
        self.random = random.Random(4)
        self.carried = self.lost = 0

    async def open(self) -> int:
        """The port that the client is to use."""
        self.transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0))
        # aiortc sends its whole window, a thousand small datagrams, before this is called once: no more is to be lost than is asked for.
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        return self.transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, address):
        # STUN is not lost: this is about SCTP, not about finding a path.
        if data[0] > 3 and self.random.random() < self.loss:
            self.lost += 1
            return
        self.carried += 1
        if address == self.server:
            if self.client:
                self.transport.sendto(data, self.client)
        else:
            self.client = address
            self.transport.sendto(data, self.server)

    def close(self):
        self.transport.close()


CANDIDATE = re.compile(r"^a=candidate:.*$", re.M)


def without_candidates(sdp: str) -> str:
    """So that the other side waits for checks instead of making its own past the proxy."""
    return re.sub(r"a=(candidate:.*|end-of-candidates)\r?\n", "", sdp)


def address_of(sdp: str) -> tuple[str, int]:
    """The address of the first candidate."""
    words = CANDIDATE.search(sdp)[0].split()
    return words[4], int(words[5])


def through(sdp: str, port: int) -> str:
    """The description with its candidates behind that port of loopback."""
    return CANDIDATE.sub(lambda line: re.sub(r"(udp \d+) \S+ \d+", rf"\1 127.0.0.1 {port}", line[0], flags=re.I), sdp)
