"""The offer as the robot reads it (the last credentials and the last fingerprint win) and the answer as it writes it."""
from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass
class OfferedMedia:
    """One m-line of the offer."""

    kind: str
    mid: str
    formats: list[str]
    direction: str = "sendrecv"
    codecs: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)

    def payload_type(self, codec: str, *wanted: str) -> int | None:
        """The payload type of a codec whose parameters hold all that is wanted; the robot offers no more than one."""
        for format_ in self.formats:
            if self.codecs.get(format_, "").lower().startswith(codec) and all(one in self.parameters.get(format_, "") for one in wanted):
                return int(format_)
        return None


@dataclass
class Offer:
    """What the robot keeps of an offer."""

    media: list[OfferedMedia]
    ufrag: str
    password: str
    fingerprint: str
    candidates: list[str]
    maximum_message: int
    sctp_port: int

    def first(self, kind: str) -> OfferedMedia | None:
        """The first m-line of a kind."""
        return next((media for media in self.media if media.kind == kind), None)


def parse_offer(sdp: str) -> Offer:
    """Reads an offer as the KVS SDK does: one transport for everything, and whatever comes last wins. Raises ValueError for no SDP."""
    offer = Offer([], "", "", "", [], 65_536, 5000)
    for line in sdp.replace("\r\n", "\n").split("\n"):
        kind, _, value = line.partition("=")
        if kind == "m":
            parts = value.split()
            if len(parts) < 4:
                raise ValueError("an m-line is cut short")
            offer.media.append(OfferedMedia(parts[0], str(len(offer.media)), parts[3:]))
        elif kind == "a":
            _attribute(offer, *value.partition(":")[::2])
    if not offer.media or not offer.ufrag or not offer.password or not offer.fingerprint:
        raise ValueError("the offer lacks media, credentials or a fingerprint")
    return offer


def _attribute(offer: Offer, name: str, value: str) -> None:
    media = offer.media[-1] if offer.media else None
    if name == "ice-ufrag":
        offer.ufrag = value
    elif name == "ice-pwd":
        offer.password = value
    elif name == "fingerprint":
        offer.fingerprint = value
    elif name == "candidate":
        if value not in offer.candidates:
            offer.candidates.append(value)
    elif name == "max-message-size":
        offer.maximum_message = int(value)
    elif name == "sctp-port":
        offer.sctp_port = int(value)
    elif media is None:
        return
    elif name == "mid":
        media.mid = value
    elif name in ("sendrecv", "sendonly", "recvonly", "inactive"):
        media.direction = name
    elif name == "rtpmap":
        format_, _, codec = value.partition(" ")
        media.codecs[format_] = codec
    elif name == "fmtp":
        format_, _, parameters = value.partition(" ")
        media.parameters[format_] = parameters


@dataclass
class AnswerFacts:
    """What an answer is made of."""

    ufrag: str
    password: str
    fingerprint: str
    candidates: list[tuple[str, int]]
    video_ssrc: int
    audio_ssrc: int
    video_payload_type: int | None
    audio_payload_type: int | None


def write_answer(offer: Offer, facts: AnswerFacts) -> str:
    """The answer in the KVS SDK's shape: LF, 127.0.0.1 in every c-line, candidates repeated per m-line, mids renumbered, application last."""
    ordered = [media for media in offer.media if media.kind != "application"] + [media for media in offer.media if media.kind == "application"]
    group = " ".join(str(index) for index in range(len(ordered)))
    lines = ["v=0", f"o=- {random.getrandbits(31)} 2 IN IP4 127.0.0.1", "s=-", "t=0 0", f"a=group:BUNDLE {group}", "a=msid-semantic: WMS myKvsVideoStream"]
    for index, media in enumerate(ordered):
        if media.kind == "application":
            lines += ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 127.0.0.1", *_candidates(facts), "a=rtcp:9 IN IP4 0.0.0.0",
                      *_transport(facts, index), "a=sctp-port:5000"]
        else:
            lines += _media(media, facts, index)
    return "\n".join(lines) + "\n"


def _media(media: OfferedMedia, facts: AnswerFacts, index: int) -> list[str]:
    video = media.kind == "video"
    payload_type = facts.video_payload_type if video else facts.audio_payload_type
    if payload_type is None:
        return [f"m={media.kind} 0 UDP/TLS/RTP/SAVPF {media.formats[0]}", "c=IN IP4 127.0.0.1", *_transport(facts, index), "a=inactive"]
    ssrc, track = (facts.video_ssrc, "unitreeVideoTrack") if video else (facts.audio_ssrc, "unitreeAudioTrack")
    lines = [f"m={media.kind} 9 UDP/TLS/RTP/SAVPF {payload_type}", "c=IN IP4 127.0.0.1", *_candidates(facts), f"a=msid:unitreeMediaStream {track}",
             f"a=ssrc:{ssrc} cname:unitreeCname", f"a=ssrc:{ssrc} msid:unitreeMediaStream {track}", f"a=ssrc:{ssrc} mslabel:unitreeMediaStream",
             f"a=ssrc:{ssrc} label:{track}", "a=rtcp:9 IN IP4 0.0.0.0", *_transport(facts, index),
             f"a={_direction(media)}", "a=rtcp-mux", "a=rtcp-rsize"]
    if video:
        return lines + [f"a=rtpmap:{payload_type} H264/90000",
                        f"a=fmtp:{payload_type} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
                        f"a=rtcp-fb:{payload_type} nack", f"a=rtcp-fb:{payload_type} goog-remb"]
    return lines + [f"a=rtpmap:{payload_type} opus/48000/2", f"a=fmtp:{payload_type} minptime=10;useinbandfec=1"]


def _direction(media: OfferedMedia) -> str:
    if media.kind == "video":
        return "inactive" if media.direction in ("sendonly", "inactive") else "sendonly"
    return {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly"}.get(media.direction, "inactive")


def _candidates(facts: AnswerFacts) -> list[str]:
    return [f"a=candidate:{index} 1 udp 2130706431 {address} {port} typ host raddr 0.0.0.0 rport 0 generation 0 network-cost 999"
            for index, (address, port) in enumerate(facts.candidates)]


def _transport(facts: AnswerFacts, index: int) -> list[str]:
    return [f"a=ice-ufrag:{facts.ufrag}", f"a=ice-pwd:{facts.password}", "a=ice-options:trickle", f"a=fingerprint:{facts.fingerprint}",
            "a=setup:active", f"a=mid:{index}"]
