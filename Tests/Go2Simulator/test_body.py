"""The robot's body and services under a clock moved by hand."""
from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path

import pytest
from go2_simulator.body import Body
from go2_simulator.events import Events
from go2_simulator.faults import FAULTS
from go2_simulator.lidar import Lidar, compress, points_of, scene
from go2_simulator.pictures import flashes, luma, read_counter
from go2_simulator.recordings import payloads
from go2_simulator.services import Services
from go2_simulator.settings import Settings, parse_arguments


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def services(clock, settings) -> Services:
    events = Events()
    return Services(Body(settings, events, clock), settings, events)


def sport(services: Services, api_id: int, **parameter: object) -> int:
    return services.execute("rt/api/sport/request", api_id, json.dumps(parameter) if parameter else "")[0]


def test_standing_up_takes_a_second(services, clock):
    body = services.body
    assert (body.height, body.error_code) == (0.313, 100)
    assert sport(services, 1004) == 0
    clock.now += 0.5
    body.advance()
    assert body.height == pytest.approx(0.3195) and body.error_code == 1002
    clock.now += 5
    body.advance()
    assert body.height == 0.326


def test_motion_goes_on_until_the_watchdog_ends_it(services, clock):
    body = services.body
    sport(services, 1004)
    assert sport(services, 1008, x=0.5, y=0, z=0) == 0
    clock.now += 0.8
    assert sport(services, 1008, x=0.5, y=0, z=0) == 0
    clock.now += 10
    body.advance()
    assert body.motion.is_zero and body.position[0] == pytest.approx(0.5 * 1.8) and body.watchdog_times == [pytest.approx(101.8)]
    assert body.stop_times == []


def test_stop_ends_motion_at_once_and_is_recorded(services, clock):
    sport(services, 1004)
    sport(services, 1008, x=0.0, y=0.4, z=0)
    clock.now += 0.5
    assert sport(services, 1003) == 0
    clock.now += 3
    report = services.body.report()
    assert report["position"] == [0.0, 0.2] and report["stop_times"] == [100.5] and report["motion"] == [0, 0, 0]


def test_turning_moves_along_the_new_heading(services, clock):
    sport(services, 1004)
    sport(services, 1008, x=0, y=0, z=math.pi)
    clock.now += 0.5
    sport(services, 1008, x=1, y=0, z=0)
    clock.now += 0.5
    services.body.advance()
    assert services.body.position == pytest.approx([0, 0.5], abs=1e-9)


def test_a_lying_robot_does_not_move(services):
    sport(services, 1005)
    assert sport(services, 1008, x=0.5, y=0, z=0) == -1


@pytest.mark.parametrize(("command_set", "flip", "other_flip"), [("classic", 1042, 2041), ("mcf", 2041, 1042)])
def test_commands_of_the_other_set_are_not_implemented(services, settings, command_set, flip, other_flip):
    settings.command_set = command_set
    assert (sport(services, flip), sport(services, other_flip), sport(services, 9999)) == (0, 3203, 3203)


def test_bad_parameters_are_refused(services):
    sport(services, 1004)
    assert {sport(services, 1008, x=1), sport(services, 1008, x="fast", y=0, z=0), services.execute("rt/api/sport/request", 1008, "[1]")[0],
            services.execute("rt/api/sport/request", 1008, "{")[0]} == {3204}


def test_toggles_stay_until_switched_off(services):
    sport(services, 2045, data=True)
    sport(services, 1003)
    assert services.body.toggles == {"2045": True}
    sport(services, 2045, data=False)
    assert services.body.toggles == {"2045": False}


def test_a_low_battery_refuses_motion_but_not_lying_down(services, settings):
    settings.battery = 5.0
    assert (sport(services, 1008, x=1, y=0, z=0), sport(services, 1004), sport(services, 1003), sport(services, 1005)) == (3205, 3205, 0, 0)


def test_a_robot_that_warms_up_refuses_sport(services, clock):
    services.body.warm_until = clock.now + 10
    assert (sport(services, 1004), services.body.error_code, sport(services, 1001)) == (-1, 1013, 0)
    clock.now += 10
    assert sport(services, 1004) == 0


def test_obstacle_avoidance_moves_without_an_answer(services):
    sport(services, 1004)
    topic = "rt/api/obstacles_avoid/request"
    assert services.execute(topic, 1001, '{"enable": true}') == (0, "")
    assert json.loads(services.execute(topic, 1002, "")[1]) == {"enable": True}
    assert services.execute(topic, 1003, '{"x": 0.3, "y": 0, "yaw": 0, "mode": 0}') is None
    assert services.body.motion.x == 0.3


def test_services_keep_what_they_are_told(services):
    assert services.execute("rt/api/vui/request", 1003, '{"volume": 40}') == (0, "")
    assert json.loads(services.execute("rt/api/vui/request", 1004, "")[1]) == {"volume": 10}
    assert services.execute("rt/api/motion_switcher/request", 1002, '{"name": "ai"}') == (0, "")
    assert json.loads(services.execute("rt/api/motion_switcher/request", 1001, "")[1])["name"] == "ai"
    assert services.execute("rt/api/nothing/request", 1, "") is None


def test_the_counter_is_read_back_at_any_size():
    for counter in (0, 1, 0x5A5A, 0xFFFF):
        picture = luma(counter, 1280, 720, 25)
        assert read_counter(picture) == read_counter(picture[::2, ::2]) == counter
    assert flashes(luma(25, 1280, 720, 25)) and not flashes(luma(26, 1280, 720, 25))
    assert read_counter(luma(1, 1280, 720, 25)[:, ::-1]) is None


def test_units_are_cut_into_fragments_that_join_again():
    unit = bytes([0x65]) + bytes(range(256)) * 12
    pieces = payloads(unit, 1200)
    assert [piece[1] >> 6 for piece in pieces] == [2, 0, 1] and max(map(len, pieces)) <= 1200
    assert bytes([pieces[0][0] & 0xE0 | pieces[0][1] & 0x1F]) + b"".join(piece[2:] for piece in pieces) == unit
    assert payloads(b"\x68abc", 1200) == [b"\x68abc"]


def test_lidar_frames_fit_the_decoders_of_clients():
    lidar = Lidar()
    for layout, start in (("a", None), ("b", b"\x02\x00\x00\x00")):
        frame = lidar.frame("room", layout, 1.7e9, [0.0, 0.0])
        assert len(frame) < 61_440 and (start is None or frame.startswith(start))
        offset = 12 if layout == "b" else 4
        size = int.from_bytes(frame[4:8], "little") if layout == "b" else int.from_bytes(frame[:2], "little")
        head = json.loads(frame[offset : offset + size])
        assert head["data"]["src_size"] == 77_824 and b'"stamp":1.700000e+09' in frame and b'"resolution":0.050000' in frame
    assert len(points_of(scene("wall", 0), (0, 0, 0))) == 1024 and len(compress(scene("wall", 0))) < 1000


def test_the_command_line_takes_settings_and_faults():
    settings, faults = parse_arguments(["--data2", "3", "--busy", "--no-parent-watch", "--loss=0.5", "--fault", "http.offer_429=2", "--fault=sctp.silent"])
    assert (settings.data2, settings.busy, settings.parent_watch, settings.loss) == (3, True, False, 0.5)
    assert faults.active() == {"http.offer_429": 2, "sctp.silent": True}
    with pytest.raises(SystemExit):
        parse_arguments(["--fault", "nothing.like_it"])


def test_the_readme_lists_every_option_and_every_fault():
    text = (Path(__file__).resolve().parent / "README.md").read_text()
    flags = ["--" + one.name.replace("_", "-") for one in fields(Settings)]
    assert [name for name in [*flags, *FAULTS] if f"`{name}`" not in text] == []
