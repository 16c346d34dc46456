"""Multicast discovery: serial numbers to addresses."""
from __future__ import annotations

import asyncio
import json
import socket
import struct

from .events import Events
from .settings import Settings

GROUP, QUERY_PORT, REPLY_PORT = "231.1.1.1", 10131, 10134
QUERY_NAME = "unitree_dapengche"


class Discovery(asyncio.DatagramProtocol):
    """Answers queries to REPLY_PORT of whoever asks, whatever port the query came from."""

    def __init__(self, settings: Settings, events: Events) -> None:
        self._settings, self._events = settings, events
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def start(cls, settings: Settings, events: Events) -> Discovery:
        """Joins the group on every interface that has an IPv4 address."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", QUERY_PORT))
        for address in {"0.0.0.0", settings.address}:
            try:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(address)))
            except OSError as problem:
                events.add("discovery", problem=f"{address}: {problem}")
        sock.setblocking(False)
        _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(lambda: cls(settings, events), sock=sock)
        return protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """A query, or something else, which is ignored."""
        try:
            query = json.loads(data)
            name, serial = query["name"], query.get("sn")
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        if name != QUERY_NAME or (serial is None and self._settings.multicast_targeted) or serial not in (None, self._settings.serial):
            return
        self._events.add("discovery", query=query, sender=addr[0])
        if self._transport:
            reply = json.dumps({"sn": self._settings.serial, "ip": self._address_toward(addr[0])})
            self._transport.sendto(reply.encode(), (addr[0], REPLY_PORT))

    def _address_toward(self, peer: str) -> str:
        if self._settings.address != "0.0.0.0":
            return self._settings.address
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((peer, REPLY_PORT))
            return probe.getsockname()[0]

    def close(self) -> None:
        """Leaves the group."""
        if self._transport:
            self._transport.close()
