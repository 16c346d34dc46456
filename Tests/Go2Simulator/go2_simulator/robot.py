"""The simulated robot: one body, one slot for a client, and the servers around them."""
from __future__ import annotations

import asyncio
import time
from typing import Any

from . import http
from .body import Body, Motion
from .discovery import Discovery
from .events import Events
from .faults import Faults
from .peer import Peer
from .recordings import Picture, encode_tone, encode_video
from .sdp import Offer
from .services import Services
from .settings import Settings
from .signaling import Signaling

DEAD_ZONE = 0.05


class Robot:
    """Starts, serves one client at a time, reboots."""

    def __init__(self, settings: Settings, faults: Faults) -> None:
        self.settings, self.faults, self.events = settings, faults, Events()
        self.body = Body(settings, self.events)
        self.services = Services(self.body, settings, self.events)
        self.errors: list[list[int]] = []
        self.files: dict[str, bytes] = {"map.pcd": b"# .PCD v0.7 - Point Cloud Data file format\n" * 2000}
        self.pictures: list[Picture] = []
        self.tone: list[bytes] = []
        self.peer: Peer | None = None
        self.up = False
        self.ports: dict[str, int] = {}
        self.connections = self.probes = 0
        self._signaling = Signaling(self)
        self._servers: list[asyncio.Server] = []
        self._discovery: Discovery | None = None
        self._ended_at: float | None = None
        self._rebooting: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Encodes what will be sent."""
        settings = self.settings
        loop = asyncio.get_running_loop()
        if settings.video == "pattern":
            self.pictures = await loop.run_in_executor(None, encode_video, settings.video_width, settings.video_height, settings.video_fps,
                                                       settings.video_seconds, settings.video_bit_rate)
        self.tone = await loop.run_in_executor(None, encode_tone, settings.tone_hz)

    async def start(self) -> None:
        """Opens the ports."""
        settings = self.settings
        if not self.faults.holds("http.refuse"):
            def lf() -> bool:
                return settings.http_lf
            if settings.plain:
                wanted = settings.plain_port or self.ports.get("plain", 0)
                self._servers.append(await http.serve(settings.address, wanted, self._signaling.handle_plain, lf, self._probed))
            else:
                wanted = settings.port or self.ports.get("notify", 0)
                self._servers.append(await http.serve(settings.address, wanted, self._signaling.handle_notify, lf, self._probed))
            self.ports["plain" if settings.plain else "notify"] = self._servers[-1].sockets[0].getsockname()[1]
        if settings.multicast:
            self._discovery = await Discovery.start(settings, self.events)
        self.up = True
        self.events.add("up", address=settings.address, ports=self.ports)

    async def stop(self, reason: str = "stopped", graceful: bool = True) -> None:
        """Closes the ports and ends the connection."""
        self.up = False
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self._discovery:
            self._discovery.close()
            self._discovery = None
        if self.peer:
            await self.peer.close(reason, graceful)

    async def restart_ports(self) -> None:
        """After a change of what the ports do."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self.up:
            if self._discovery:
                self._discovery.close()
            await self.start()

    def reboot(self, seconds: float, address: str | None) -> None:
        """Without a word everything is gone; after so many seconds the robot is back, possibly at another address, with new keys."""
        self._rebooting = asyncio.create_task(self._reboot(seconds, address))

    async def _reboot(self, seconds: float, address: str | None) -> None:
        self.events.add("reboot", seconds=seconds, address=address)
        await self.stop("reboot", graceful=False)
        await asyncio.sleep(seconds)
        if address:
            self.settings.address = address
        self._ended_at = None
        self._signaling.keys = type(self._signaling.keys)()
        self.body.__init__(self.settings, self.events)  # type: ignore[misc]
        self.services.__init__(self.body, self.settings, self.events)  # type: ignore[misc]
        await self.start()

    @property
    def free(self) -> bool:
        """Whether an offer is accepted."""
        return self.peer is None and not self.settings.busy

    def too_soon(self) -> bool:
        """Whether the last connection ended too short a time ago."""
        return self._ended_at is not None and time.monotonic() - self._ended_at < self.settings.too_soon_seconds

    async def accept(self, offer: Offer) -> str:
        """Takes the slot and answers."""
        self.peer = Peer(self, offer)
        try:
            return await self.peer.answer()
        except OSError:
            self.peer = None
            raise

    def phase(self, name: str) -> None:
        """A phase of the connection has begun (`validated`: is complete)."""
        self.events.add("phase", phase=name)

    def validated(self) -> None:
        """A client may now speak to the robot."""
        self.connections += 1
        self.body.warm_until = time.monotonic() + self.settings.warm_up_seconds

    def ended(self, peer: Peer, reason: str) -> None:
        """The slot is free again."""
        if self.peer is peer:
            self.peer = None
            self._ended_at = time.monotonic()
            self.faults.connection_ended()
        self.events.add("ended", reason=reason)

    def _probed(self) -> None:
        self.probes += 1
        self.events.add("port_probe")

    def controller(self, data: dict[str, Any]) -> None:
        """The wireless controller: +ly forward, +lx right, +rx turns right."""
        try:
            lx, ly, rx = (float(data.get(name, 0)) for name in ("lx", "ly", "rx"))
        except (TypeError, ValueError):
            return
        if max(abs(lx), abs(ly), abs(rx)) < DEAD_ZONE:
            if not self.body.motion.is_zero:
                self.body.stop()
        else:
            self.body.move(Motion(ly * 1.5, -lx * 0.8, -rx * 2.0))

    def report(self) -> dict[str, Any]:
        """For the control port."""
        peer = self.peer
        return {"up": self.up, "address": self.settings.address, "ports": self.ports, "free": self.free, "connections": self.connections,
                "port_probes": self.probes, "faults": self.faults.active(), "errors": self.errors, "body": self.body.report(),
                "services": self.services.report(), "peer": peer.report() if peer else None,
                "files": {name: len(content) for name, content in self.files.items()}}
