"""What a simulated robot can be told, at the start (an option of the command line) and later (`POST /settings` of the control port)."""
from __future__ import annotations

import argparse
from dataclasses import dataclass, field, fields
from typing import Any

from .faults import FAULTS, Faults

DEVICE_KEY = "00112233445566778899aabbccddeeff"


def _setting(default: Any, text: str, choices: tuple | None = None) -> Any:
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass
class Settings:
    """One value per option; the help texts are the documentation."""

    address: str = _setting("127.0.0.1", "address of the robot: signaling listens there and its ICE candidate has it (0.0.0.0: candidates on every interface)")
    port: int = _setting(9991, "TCP port of con_notify (0: a free one)")
    plain_port: int = _setting(8081, "TCP port of the old /offer (0: a free one)")
    control_port: int = _setting(0, "TCP port of the control port on 127.0.0.1 (0: a free one)")
    data2: int = _setting(2, "generation of con_notify: 1 plain, 2 encrypted with the static key, 3 encrypted with the robot's own key", (1, 2, 3))
    plain: bool = _setting(False, "old firmware: only /offer on the plain port, no con_notify")
    data2_text: bool = _setting(False, 'con_notify says "data2" as a string, as some firmware does')
    static_key: bool = _setting(False, "say data2=3 although the static key is used, as one robot was seen to do")
    aes_key: str = _setting(DEVICE_KEY, "the robot's own key for data2=3, 32 hex characters")
    serial: str = _setting("B42D2000P5SIM001", "serial number, as told by multicast discovery")
    multicast: bool = _setting(False, "answer discovery on 231.1.1.1:10131 (replies go to port 10134 of whoever asks)")
    multicast_targeted: bool = _setting(False, "answer discovery only when the query names the serial number, as newer firmware does")
    http_lf: bool = _setting(False, "HTTP heads end their lines with LF only")
    busy: bool = _setting(False, "the phone app holds the robot: every offer is answered with reject")
    too_soon_seconds: float = _setting(0.0, "con_notify and offers within so many seconds after a connection ended get HTTP 429 (a robot: about 10)")
    silence_seconds: float = _setting(45.0, "a peer that sends nothing for so long is given up and the slot is free again (a robot: 30 to 45)")
    connect_seconds: float = _setting(10.0, "a peer that has not connected after so long is given up")
    keepalive_seconds: float = _setting(15.0, "interval of the STUN Binding Indications")
    dcep_ack: bool = _setting(False, "acknowledge DATA_CHANNEL_OPEN, as newer SDKs do")
    decoy_candidate: bool = _setting(False, "list a 169.254.x.x candidate first")
    loss: float = _setting(0.0, "share of the robot's UDP packets, both ways, that are lost (0 to 1), after the handshake")
    delay_ms: float = _setting(0.0, "time by which every packet of the robot is delayed")
    heartbeat_timeout: float = _setting(0.0, "seconds without heartbeat after which the robot closes the connection (0: never)")
    probe_seconds: float = _setting(5.0, "interval of rtt probes (0: none)")
    errors_seconds: float = _setting(10.0, "interval at which the list of faults is repeated (0: only after validation)")
    network_status: str = _setting("NetworkStatus.ON_WIFI_CONNECTED", "answer to public_network_status")
    rate_scale: float = _setting(1.0, "factor on the rates of all topics (10: ten times the data)")
    command_set: str = _setting("mcf", "sport commands that are known; others get code 3203", ("classic", "mcf", "both"))
    warm_up_seconds: float = _setting(0.0, "after connecting, sport commands are refused (code -1, error_code 1013) for so long (a robot: 10)")
    move_watchdog_ms: float = _setting(1000.0, "the robot stops by itself when no Move came for so long (0: never)")
    battery: float = _setting(55.0, "state of charge in percent; at 10 or less motion is refused with code 3205")
    answer_delay_ms: float = _setting(0.0, "time before a request is answered")
    chunk_size: int = _setting(0, "answers whose data is longer than so many characters come in chunks (0: never)")
    video_width: int = _setting(1280, "width of the camera's picture")
    video_height: int = _setting(720, "height of the camera's picture")
    video_fps: int = _setting(25, "pictures a second")
    video_seconds: int = _setting(8, "length of the pre-encoded loop; a multiple of the 2 s between key frames")
    video_bit_rate: int = _setting(2_000_000, "bits a second the camera is encoded with")
    video: str = _setting("pattern", "what the camera shows; none: start without encoding anything (no video at all)", ("pattern", "none"))
    honor_pli: bool = _setting(False, "start a new loop (key frame) when a picture loss indication comes; a robot is not known to")
    packet_size: int = _setting(1200, "largest RTP payload")
    tone_hz: float = _setting(440.0, "tone of the robot's microphone")
    lidar_layout: str = _setting("b", "layout of binary LiDAR messages", ("a", "b", "both"))
    lidar_scene: str = _setting("room", "what the LiDAR sees: a room, or one wall of exactly 1,024 voxels", ("room", "wall"))
    parent_watch: bool = _setting(True, "stop when the process that started the simulator is gone")


def parse_arguments(arguments: list[str] | None = None) -> tuple[Settings, Faults]:
    """The settings and the faults of a command line."""
    parser = argparse.ArgumentParser(prog="go2_simulator", description="A simulated Unitree Go2.")
    for one in fields(Settings):
        flag = "--" + one.name.replace("_", "-")
        if isinstance(one.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=one.default, help=one.metadata["help"])
        else:
            parser.add_argument(flag, type=type(one.default), default=one.default, choices=one.metadata["choices"],
                                help=f"{one.metadata['help']} (default {one.default})".replace("%", "%%"))
    parser.add_argument("--fault", action="append", default=[], metavar="NAME[=N]",
                        help="a fault that holds from the start, or its next N times: " + ", ".join(FAULTS))
    values = vars(parser.parse_args(arguments))
    faults = Faults()
    for fault in values.pop("fault"):
        name, _, count = fault.partition("=")
        try:
            faults.set(name, int(count) if count else True)
        except ValueError as problem:
            parser.error(str(problem))
    return Settings(**values), faults


def change(settings: Settings, changes: dict[str, Any]) -> None:
    """Sets values by name; raises ValueError for a name or a value that is none."""
    known = {one.name: one for one in fields(Settings)}
    for name, value in changes.items():
        if name not in known:
            raise ValueError(f"there is no setting {name}")
        kind, choices = type(known[name].default), known[name].metadata["choices"]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (choices and value not in choices):
            raise ValueError(f"{name} cannot be {value!r}")
    for name, value in changes.items():
        setattr(settings, name, type(known[name].default)(value))
