"""The engine protocol's messages: JSON header, payload, limits. Truth: docs/protocols/engine.md.

Nothing here does I/O. `decode` accepts what the protocol allows and raises `ProtocolError` for everything else.
"""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

VERSION = 1
#: Samples a second of the speech that engines receive; every `first_sample` counts at this rate.
SAMPLE_RATE = 16_000

MAXIMUM_HEADER_BYTES = 16_384
MAXIMUM_PAYLOAD_BYTES = 16 * 1024 * 1024
#: One `speech` carries at most a second.
MAXIMUM_SPEECH_BYTES = 32_000
#: Three hours.
MAXIMUM_SAMPLE = 172_800_000
MAXIMUM_EPOCH = 2**31 - 1
MAXIMUM_CREDIT = 1000
MAXIMUM_INDICES = 16
MAXIMUM_IDLE_PICTURES = 3000
MAXIMUM_TEXT_BYTES = 512
MAXIMUM_PATH_BYTES = 4096

#: The types that a server sends, and whether they carry a payload.
SERVER_TYPES: Mapping[str, bool] = {
    "welcome": False, "attach": False, "detach": False, "speech": True, "end": False, "clear": False, "credit": False,
    "playing": False, "idle_request": False, "prepare": False, "ping": False, "refused": False, "shutdown": False,
}


class ProtocolError(Exception):
    """A message that the protocol does not allow; `code` as in the protocol's table of faults."""

    def __init__(self, code: str, reason: str, what: str = "message") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.what = what


class Message:
    """One message from the server: its header, read member by member with limits, and its payload."""

    def __init__(self, kind: str, members: Mapping[str, Any], payload: bytes = b"") -> None:
        self.type = kind
        self.members = members
        self.payload = payload

    def integer(self, name: str, least: int, most: int) -> int:
        value = self.members.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self._malformed(name, f"an integer {least}..{most}")
        return value

    def number(self, name: str, least: float, most: float) -> float:
        value = self.members.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise self._malformed(name, f"a number {least}..{most}")
        return float(value)

    def identifier(self, name: str) -> str:
        """1..64 characters of printable ASCII without space."""
        value = self.members.get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= 64 or any(not "!" <= c <= "~" for c in value):
            raise self._malformed(name, "1..64 characters of printable ASCII without space")
        return value

    def text(self, name: str, most: int = MAXIMUM_TEXT_BYTES) -> str:
        """Text, cut to `most` bytes; empty where the member is absent."""
        value = self.members.get(name, "")
        if not isinstance(value, str):
            raise self._malformed(name, "text")
        return cut(value, most)

    def path(self, name: str) -> str:
        value = self.members.get(name)
        if (not isinstance(value, str) or not value.startswith("/") or "\0" in value
                or len(value.encode("utf-8", "replace")) > MAXIMUM_PATH_BYTES):
            raise self._malformed(name, "an absolute path")
        return value

    def boolean(self, name: str) -> bool:
        value = self.members.get(name, False)
        if not isinstance(value, bool):
            raise self._malformed(name, "true or false")
        return value

    def integers(self, name: str, count: int, most: int) -> list[int]:
        """1..`count` integers 0..`most`."""
        value = self.members.get(name)
        if not isinstance(value, list) or not 1 <= len(value) <= count:
            raise self._malformed(name, f"1..{count} integers")
        for item in value:
            if isinstance(item, bool) or not isinstance(item, int) or not 0 <= item <= most:
                raise self._malformed(name, f"integers 0..{most}")
        return value

    def _malformed(self, name: str, expected: str) -> ProtocolError:
        return ProtocolError("malformed", f"{self.type}: {name} is not {expected}", what=self.type)


def decode(parts: Sequence[bytes]) -> Message:
    """Reads a message that the server sent. Raises `ProtocolError` for any bytes that are none."""
    if not 1 <= len(parts) <= 2:
        raise ProtocolError("malformed", f"{len(parts)} parts")
    header = parts[0]
    if not 2 <= len(header) <= MAXIMUM_HEADER_BYTES:
        raise ProtocolError("malformed", f"a header of {len(header)} bytes")
    try:
        members = json.loads(header.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError("malformed", f"the header is no JSON: {cut(str(error), 80)}") from None
    if not isinstance(members, dict):
        raise ProtocolError("malformed", "the header is no JSON object")
    kind = members.get("type")
    if not isinstance(kind, str):
        raise ProtocolError("malformed", "the header has no type")
    if kind not in SERVER_TYPES:
        raise ProtocolError("unsupported", f"type {cut(kind, 40)!r}", what=cut(kind, 40))
    if SERVER_TYPES[kind] != (len(parts) == 2):
        raise ProtocolError("malformed", f"{kind} of {len(parts)} parts", what=kind)
    payload = parts[1] if len(parts) == 2 else b""
    if len(payload) > MAXIMUM_PAYLOAD_BYTES:
        raise ProtocolError("wrong_size", f"{kind}: {len(payload)} bytes", what=kind)
    return Message(kind, members, payload)


def encode(kind: str, members: Mapping[str, Any], payload: bytes | None = None) -> list[bytes]:
    """The parts of a message to the server. Members that are None are left out."""
    header = {"type": kind, **{name: value for name, value in members.items() if value is not None}}
    text = json.dumps(header, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    first = text.encode("utf-8", "replace")
    return [first] if payload is None else [first, payload]


def cut(text: str, most: int = MAXIMUM_TEXT_BYTES) -> str:
    """The text in at most `most` bytes of UTF-8, on one line."""
    line = " ".join(text.split())
    return line.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
