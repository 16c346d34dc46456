"""One DEALER to the server, with a ZeroMQ context of its own: so it can be flushed and closed while the others are in use,
and a flood of pushes has no thread in common with results."""
from __future__ import annotations

import zmq


class Link:
    """Used by one thread at a time."""

    def __init__(self, endpoint: str, routing_id: str, queue: int = 0, waits: bool = True) -> None:
        """`queue`: how many messages may wait in ZeroMQ on the way out; 0: no limit."""
        self._context = zmq.Context(1)
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.ROUTING_ID, routing_id.encode())
        self.socket.setsockopt(zmq.SNDHWM, queue)
        self.socket.setsockopt(zmq.RCVHWM, 0)
        # Sending waits until the server has greeted: `is_open`. The control thread must never wait.
        self.socket.setsockopt(zmq.IMMEDIATE, waits)
        self.socket.connect(endpoint)

    def is_open(self, patience: float) -> bool:
        """Waits until the server has greeted."""
        return bool(self.socket.poll(int(patience * 1000), zmq.POLLOUT))

    def close(self, patience: float) -> None:
        """Sends what waits, for so long at most."""
        self.socket.close(int(patience * 1000))
        self._context.term()
