"""A small HTTP server that behaves as the robot's: one reply a connection, closed without saying so."""
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

BODY_LIMIT = 256 * 1024
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}


@dataclass
class Request:
    """One request; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """One reply."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"


class CloseWithoutReply(Exception):
    """The connection is closed with 0 bytes."""


class NeverReply(Exception):
    """The connection stays open without a byte."""


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The request of a connection; None when it was closed before one came, which clients that only probe the port do."""
    head: list[str] = []
    while True:
        line = await reader.readline()
        if not line:
            return None
        text = line.decode("latin-1").rstrip("\r\n")
        if not text:
            break
        head.append(text)
        if len(head) > 100:
            return None
    first = head[0].split(" ") if head else []
    if len(first) < 2:
        return None
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    length = int(headers.get("content-length", "0") or 0) if headers.get("content-length", "0").isdigit() else 0
    body = await reader.readexactly(length) if 0 < length <= BODY_LIMIT else b""
    return Request(first[0], first[1], headers, body)


async def serve(address: str, port: int, handle: Callable[[Request], Awaitable[Reply]], lf: Callable[[], bool] = lambda: False,
                on_probe: Callable[[], None] = lambda: None) -> asyncio.Server:
    """Serves until closed. `lf` says whether heads end their lines with LF only; `on_probe` hears of connections without a request."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await read_request(reader)
            if request is None:
                on_probe()
                return
            reply = await handle(request)
            lines = [f"HTTP/1.1 {reply.status} {REASONS[reply.status]}", "Server: Boost.Beast/1.0", f"Content-Type: {reply.content_type}",
                     f"Content-Length: {len(reply.body)}", "", ""]
            writer.write(("\n" if lf() else "\r\n").join(lines).encode() + reply.body)
            await writer.drain()
        except CloseWithoutReply:
            pass
        except NeverReply:
            await reader.read()
        except (OSError, ValueError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(connection, address, port, reuse_address=True, limit=BODY_LIMIT)
