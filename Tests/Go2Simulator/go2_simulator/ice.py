"""ICE as the robot does it: one socket an address, controlled, kept alive by Binding Indications instead of consent checks."""
from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

import aioice
from aioice import stun

from .faults import Faults
from .settings import Settings


class RobotIce(aioice.Connection):
    """The ICE agent; also the `transport` that aiortc's DTLS expects (`_recv`, `_send`, `role`), where loss and delay are put in."""

    role = "controlled"

    def __init__(self, settings: Settings, faults: Faults) -> None:
        super().__init__(ice_controlling=False, local_password="".join(random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=24)))
        self._settings, self._faults = settings, faults
        self.last_heard = time.monotonic()
        self.connected = False
        self.checks_heard = 0

    async def gather(self, addresses: list[str]) -> None:
        """Binds one socket on each address; without addresses on every interface."""
        if not addresses:
            await self.gather_candidates()
            return
        self._local_candidates_start = True
        self._local_candidates += await self.get_component_candidates(component=1, addresses=addresses)
        self._local_candidates_end = True

    def request_received(self, message: stun.Message, addr: tuple[str, int], protocol: Any) -> None:
        """A check of the peer."""
        if any(self._faults.holds(fault) for fault in ("ice.silent", "ice.unreachable", "network.silent")):
            return
        self.checks_heard += 1
        self.last_heard = time.monotonic()
        super().request_received(message, addr, protocol)

    def data_received(self, data: bytes, component: int) -> None:
        """A datagram that is no STUN; lost or late as the settings say, once connected."""
        if self._faults.holds("network.silent"):
            return
        self.last_heard = time.monotonic()
        self._impaired(lambda: super(RobotIce, self).data_received(data, component))

    async def _recv(self) -> bytes:
        return await self.recv()

    async def _send(self, data: bytes) -> None:
        if self._faults.holds("network.silent"):
            return
        pairs = list(self._nominated.values())
        if not pairs:
            raise ConnectionError("not connected")
        self._impaired(lambda: pairs[0].protocol.transport.sendto(data, pairs[0].remote_addr))

    def _impaired(self, deliver: Callable[[], None]) -> None:
        if not self.connected:
            deliver()
        elif random.random() >= self._settings.loss:
            if self._settings.delay_ms > 0:
                asyncio.get_running_loop().call_later(self._settings.delay_ms / 1000, deliver)
            else:
                deliver()

    async def query_consent(self) -> None:
        """Instead of asking for consent: Binding Indications."""
        while True:
            await asyncio.sleep(self._settings.keepalive_seconds)
            if self._faults.holds("network.silent"):
                continue
            for pair in self._nominated.values():
                indication = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.INDICATION)
                pair.protocol.send_stun(indication, pair.remote_addr)


def local_candidates(ice: RobotIce, settings: Settings, faults: Faults) -> list[tuple[str, int]]:
    """The addresses that the answer lists."""
    if faults.take("ice.no_candidates"):
        return []
    if faults.holds("ice.unreachable"):
        return [("127.255.255.254", 9)]
    own = [(candidate.host, candidate.port) for candidate in ice.local_candidates]
    return ([("169.254.33.1", own[0][1])] if settings.decoy_candidate and own else []) + own
