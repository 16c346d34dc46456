"""SCTP as the robot does it: DATA_CHANNEL_OPEN is not acknowledged unless told otherwise, and the association can stay silent or abort."""
from __future__ import annotations

import struct
from collections.abc import Callable

from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcsctptransport import (
    DATA_CHANNEL_ACK,
    DATA_CHANNEL_OPEN,
    WEBRTC_DCEP,
    AbortChunk,
    InitChunk,
    RTCSctpTransport,
    parse_packet,
    serialize_packet,
)

from .faults import Faults

ROBOT_STREAMS = 300


class RobotSctp(RTCSctpTransport):
    """The association. `opened` hears of each channel that the peer opens, `ended` of the association's end."""

    def __init__(self, dtls: RTCDtlsTransport, acknowledge: Callable[[], bool], faults: Faults, opened: Callable[[RTCDataChannel], None],
                 ended: Callable[[], None]) -> None:
        super().__init__(dtls, 5000)
        self._acknowledge, self._faults, self._opened, self._ended = acknowledge, faults, opened, ended
        self._inbound_streams_max = self._outbound_streams_count = ROBOT_STREAMS
        self.inits_heard = 0

    async def _handle_data(self, data: bytes) -> None:
        init = _init_of(data)
        self.inits_heard += init is not None
        if self._faults.holds("sctp.silent") or self._faults.holds("network.silent"):
            return
        if init is not None and self._faults.take("sctp.abort"):
            source, destination, tag = init
            await self.transport._send_data(serialize_packet(destination, source, tag, AbortChunk()))
            return
        try:
            await super()._handle_data(data)
        except AssertionError:
            return  # a packet that aiortc does not expect; the robot drops it

    async def _init(self) -> None:
        if not self._faults.holds("sctp.silent") and not self._faults.holds("sctp.abort"):
            await super()._init()

    async def _data_channel_receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        if pp_id != WEBRTC_DCEP or len(data) < 12 or data[0] != DATA_CHANNEL_OPEN:
            await super()._data_channel_receive(stream_id, pp_id, data)
            return
        if stream_id in self._data_channels:
            return
        _, kind, _, reliability, label_length, protocol_length = struct.unpack_from("!BBHLHH", data)
        label, protocol = data[12 : 12 + label_length], data[12 + label_length : 12 + label_length + protocol_length]
        channel = RTCDataChannel(self, RTCDataChannelParameters(
            label=label.decode("utf8", "replace"), protocol=protocol.decode("utf8", "replace"), id=stream_id, ordered=kind < 0x80,
            maxRetransmits=reliability if kind & 3 == 1 else None, maxPacketLifeTime=reliability if kind & 3 == 2 else None), False)
        channel._setReadyState("open")
        self._data_channels[stream_id] = channel
        if self._acknowledge():
            self._data_channel_queue.append((channel, WEBRTC_DCEP, bytes([DATA_CHANNEL_ACK])))
            await self._data_channel_flush()
        self._opened(channel)

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        super()._set_state(state)
        if state == self.State.CLOSED:
            self._ended()

    async def abort(self) -> None:
        """ABORT at once, as a robot whose process dies in an orderly way."""
        await self._abort()


def _init_of(data: bytes) -> tuple[int, int, int] | None:
    """Source port, destination port and initiate tag of a packet that holds INIT."""
    try:
        source, destination, _, chunks = parse_packet(data)
    except ValueError:
        return None
    return next(((source, destination, chunk.initiate_tag) for chunk in chunks if isinstance(chunk, InitChunk)), None)
