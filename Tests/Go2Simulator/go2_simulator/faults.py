"""Faults on demand: one name for each way in which a phase of a connection can go wrong."""
from __future__ import annotations

FAULTS: dict[str, str] = {
    "http.refuse": "the signaling ports are closed",
    "http.notify_hang": "con_notify is never answered",
    "http.notify_empty": "con_notify is closed with 0 bytes",
    "http.notify_garbage": "con_notify is answered with bytes that are no base64 of JSON",
    "http.notify_429": "con_notify is answered with 429 Too Many Requests",
    "http.notify_500": "con_notify is answered with 500 Internal Server Error",
    "http.notify_other_key": "data1 is encrypted with a key nobody has",
    "http.offer_hang": "the offer is never answered",
    "http.offer_empty": "the offer is closed with 0 bytes",
    "http.offer_garbage": "the offer is answered with bytes that are no answer",
    "http.offer_429": "the offer is answered with 429 Too Many Requests",
    "http.offer_reject": "the offer is answered with reject, as while the phone app holds the robot",
    "http.offer_other_key": "the answer is encrypted with another key than the offer's",
    "http.offer_no_sdp": "the answer has an empty description",
    "ice.no_candidates": "the answer lists no candidate",
    "ice.unreachable": "the answer lists only an address that nothing answers on, and the robot reaches no address of the client",
    "ice.silent": "the robot answers no connectivity check and sends none",
    "ice.wrong_credentials": "the answer's password is not the one that the robot uses",
    "dtls.silent": "the robot never begins the DTLS handshake",
    "dtls.wrong_fingerprint": "the answer's fingerprint is not that of the robot's certificate",
    "sctp.silent": "no SCTP packet is sent or answered",
    "sctp.abort": "each INIT is answered with ABORT",
    "validation.no_challenge": "no challenge is sent",
    "validation.never_ok": "right answers to the challenge stay without a reply",
    "validation.needed": "every answer to the challenge is met with 'Validation Needed.'",
    "media.none": "no video although it was switched on",
    "media.garbage": "RTP payloads of random bytes",
    "media.no_idr": "key frames and parameter sets are left out",
    "media.burst": "ten times the pictures a second, so ten times the data",
    "media.stop": "video stops and does not come back",
    "media.no_sound": "no sound although it was switched on",
    "topics.silent": "subscribed topics are not published",
    "topics.garbage": "published messages are cut short, so that they are no JSON",
    "requests.silent": "requests are executed but not answered",
    "requests.refuse": "requests are answered with code 3205 and not executed",
    "requests.other_id": "answers carry another id than the request",
    "heartbeat.silent": "heartbeats are not echoed",
    "network.silent": "no packet goes out and none comes in, while the connection stays as it is",
}

# Faults that are a state rather than an event: a number counts connections.
LASTING = {"ice.silent", "ice.unreachable", "dtls.silent", "sctp.silent", "media.none", "media.garbage", "media.no_idr", "media.burst", "media.stop",
           "media.no_sound", "topics.silent", "network.silent"}


class Faults:
    """The faults that hold now. A fault holds until it is cleared, or for the next N times that it is met (the next N connections, if lasting)."""

    def __init__(self) -> None:
        self._values: dict[str, bool | int] = {}

    def set(self, name: str, value: bool | int) -> None:
        """Sets a fault: True holds until cleared, a number that many times, False or 0 clears it."""
        if name not in FAULTS:
            raise ValueError(f"there is no fault {name}")
        if not isinstance(value, int) or value < 0:
            raise ValueError(f"{name} cannot be {value!r}")
        if value:
            self._values[name] = value
        else:
            self._values.pop(name, None)

    def clear(self) -> None:
        """Clears all."""
        self._values.clear()

    def holds(self, name: str) -> bool:
        """Whether the fault holds; a counted one is not used up by asking."""
        assert name in FAULTS, name
        return name in self._values

    def take(self, name: str) -> bool:
        """Whether the fault holds, using up one time of a counted one."""
        if not self.holds(name):
            return False
        value = self._values[name]
        if value is not True:
            self.set(name, value - 1)
        return True

    def connection_ended(self) -> None:
        """Uses up one time of each counted fault that lasts."""
        for name in LASTING & self._values.keys():
            self.take(name)

    def active(self) -> dict[str, bool | int]:
        """What holds now."""
        return dict(self._values)
