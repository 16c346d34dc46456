"""Socket.IO over a blocking WebSocket, as little as a call needs: python-socketio's own client would be most of what is measured."""
from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

TIMEOUT = 30


class SocketIOClient:
    """Connected when made. One call at a time."""

    def __init__(self, url: str, auth: dict[str, Any] | None = None) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname, address.port or 80), TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._protocol = ClientProtocol(parse_uri(f"ws://{address.netloc}/socket.io/?EIO=4&transport=websocket"), max_size=32 * 1024 * 1024)
        self._number = 0
        self._waiting: list[str] = []
        self._protocol.send_request(self._protocol.connect())
        self._flush()
        self._until("0")
        self._send("40" + (json.dumps(auth) if auth else ""))
        self._until("40")

    def call(self, event: str, argument: str) -> str:
        """Sends an event whose argument is JSON already; the acknowledgement as it came."""
        self._number += 1
        self._send(f'42{self._number}["{event}",{argument}]')
        return self._until(f"43{self._number}[")

    def close(self) -> None:
        """Without a goodbye."""
        self._socket.close()

    def _until(self, beginning: str) -> str:
        while True:
            while not self._waiting:
                self._receive()
            text = self._waiting.pop(0)
            if text.startswith(beginning):
                return text
            if text == "2":
                self._send("3")
            elif text.startswith(("44", "1")):
                raise ConnectionError(text)

    def _receive(self) -> None:
        data = self._socket.recv(65_536)
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        if self._protocol.handshake_exc is not None:
            raise self._protocol.handshake_exc
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._waiting.append(bytes(event.data).decode())
        if not data:
            raise ConnectionError("the server closed the connection")
        self._flush()

    def _send(self, text: str) -> None:
        self._protocol.send_text(text.encode())
        self._flush()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._socket.sendall(data)
