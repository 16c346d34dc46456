"""The adapter from the server's side: library, a real ROUTER and the networks on tiny random weights, loaded as the real ones are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from avatar_engine import Refusal
from avatar_engine.musetalk.__main__ import main
from avatar_engine.musetalk.avatar import PreparedAvatar
from avatar_engine.musetalk.engine import MuseTalkEngine, Settings
from avatar_engine.musetalk.random_weights import write_avatar, write_weights
from avatar_engine.musetalk.speech import Hearing
from musetalk_server import PATIENCE, Received, RunningEngine, Server, voice

PICTURES = 6
CYCLE = [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("musetalk")
    write_weights(folder / "weights")
    write_avatar(folder / "anna", count=PICTURES)
    write_avatar(folder / "bert", count=1, width=200, height=180, face=(40, 40, 120, 130), seed=2)
    return folder


def settings(files: Path, *avatars: str, **changes: object) -> Settings:
    folders = tuple(files / avatar for avatar in avatars or ("anna",))
    return Settings(files / "weights", folders, device="cpu", warm_up=False, **changes)


@pytest.fixture
def running(files: Path) -> Iterator[RunningEngine]:
    with RunningEngine(MuseTalkEngine(settings(files, "anna", "bert"))) as engine:
        yield engine


class Gate:
    """Holds up the network's batches until it is opened, and remembers their sizes."""

    def __init__(self, engine: MuseTalkEngine) -> None:
        self.engine = engine
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.sizes: list[int] = []
        self._draw = engine._draw

    def __enter__(self) -> Gate:
        self.engine._draw = self._held
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.set()

    def _held(self, entries: list) -> None:
        self.sizes.append(len(entries))
        self.entered.set()
        assert self.opened.wait(PATIENCE)
        self._draw(entries)


def quick(engine: MuseTalkEngine) -> None:
    """Batches are planned as for a device that takes a microsecond, however slow this one is."""
    engine.planner.times.seconds = {1: 1e-6}
    engine.planner.times.observe = lambda *_: None


@contextmanager
def told_at_once(running: RunningEngine) -> Iterator[Server]:
    """What is sent inside reaches the engine's author in one piece: what Whisper knew at the first picture is the same in every run."""
    engine, server, entered, opened = running.engine, running.server, threading.Event(), threading.Event()
    idle_picture = engine.idle_picture

    def held(avatar: str, index: int) -> np.ndarray:
        entered.set()
        assert opened.wait(PATIENCE)
        return idle_picture(avatar, index)

    engine.idle_picture = held
    server.send("idle_request", avatar="anna", indices=[0])
    # Idle pictures and speech take turns: sound that came before the engine was held up might be drawn first.
    assert entered.wait(PATIENCE)
    yield server
    server.send("ping", id=99)
    server.receive("pong")
    opened.set()
    server.receive("idle_picture")
    engine.idle_picture = idle_picture


def same(one: Received, other: Received) -> bool:
    """Whether two frames show the same; a batch of another size may round a channel differently."""
    places = [{key: frame.header.get(key) for key in ("kind", "first_sample", "idle_index", "x", "y", "width", "height")} for frame in (one, other)]
    return places[0] == places[1] and int(np.abs(one.picture().astype(int) - other.picture()).max()) <= 1


def test_it_introduces_itself_and_its_avatars(running: RunningEngine) -> None:
    hello = running.server.welcome().header
    assert hello["version"] == 1
    assert hello["engine"] == "musetalk 1.5"
    assert hello["lookahead_ms"] == 160
    assert hello["batch_size"] == 16
    assert hello["can_prepare"] is False
    assert hello["provides_audio"] is False
    described = {"fps": 25, "pixel_format": "bgr24", "patches": True}
    assert hello["avatars"] == [
        {"id": "anna", "width": 320, "height": 240, "idle_count": PICTURES, **described},
        {"id": "bert", "width": 200, "height": 180, "idle_count": 1, **described},
    ]


def test_idle_pictures_are_those_on_disk(running: RunningEngine, files: Path) -> None:
    server = running.server
    server.welcome()
    server.send("idle_request", avatar="anna", indices=[5, 0])
    avatar = PreparedAvatar.load(files / "anna")
    for index in (5, 0):
        answer = server.receive("idle_picture")
        assert answer.header["index"] == index
        assert answer.payload == avatar.idle_picture(index).tobytes()


def test_an_utterance_becomes_a_patch_for_every_40_ms(running: RunningEngine) -> None:
    server = running.server
    server.welcome()
    server.attach("s1", "anna")
    server.speak("s1", "u1", voice(0.99), idle_position=8)
    frames = server.frames("s1", "u1")
    assert [frame.header["first_sample"] for frame in frames] == [640 * number for number in range(25)]
    assert {frame.header["kind"] for frame in frames} == {"patch"}
    assert [frame.header["idle_index"] for frame in frames] == [CYCLE[(8 + number) % 10] for number in range(25)]
    for frame in frames:
        header = frame.header
        assert all(header[side] % 2 == 0 for side in ("x", "y", "width", "height"))
        assert header["x"] + header["width"] <= 320
        assert header["y"] + header["height"] <= 240
        assert len(frame.payload) == header["width"] * header["height"] * 3
    # The mouth is smaller than the picture by far, and it moves.
    assert len(frames[0].payload) < 320 * 240 * 3 / 5
    assert not same(frames[3], frames[13])
    server.send("detach", session="s1")
    statistics = server.receive("statistics").header
    assert statistics["inference_fps"] >= 0


def test_sound_that_comes_late_changes_no_picture_but_by_what_whisper_hears_later(running: RunningEngine) -> None:
    server = running.server
    server.welcome()
    server.attach("s1", "anna")
    sound = voice(0.8)
    with told_at_once(running):
        server.speak("s1", "whole", sound)
    whole = server.frames("s1", "whole")
    server.speak("s1", "parts", sound[:9600], ends=False)
    early = [server.receive("frame") for _ in range(11)]
    # 0.6 s are known, 160 ms of look-ahead are not yet drawn.
    assert [frame.header["first_sample"] for frame in early] == [640 * number for number in range(11)]
    server.speak("s1", "parts", sound, first=9600)
    rest = server.frames("s1", "parts")
    assert [frame.header["first_sample"] for frame in rest] == [640 * number for number in range(11, 20)]
    assert all(same(one, other) for one, other in zip(whole[11:], rest, strict=True))


def test_whole_pictures_are_the_patches_over_their_idle_pictures(files: Path) -> None:
    said = {}
    for kind in ("patch", "full"):
        with RunningEngine(MuseTalkEngine(settings(files, whole_pictures=kind == "full"))) as running:
            assert running.server.welcome().header["avatars"][0]["patches"] is (kind == "patch")
            running.server.attach("s1", "anna")
            with told_at_once(running):
                running.server.speak("s1", "u1", voice(0.4), idle_position=4)
            said[kind] = running.server.frames("s1", "u1")
            assert {frame.header["kind"] for frame in said[kind]} == {kind}
    avatar = PreparedAvatar.load(files / "anna")
    for patch, full in zip(said["patch"], said["full"], strict=True):
        header = patch.header
        picture = avatar.idle_picture(header["idle_index"]).copy()
        picture[header["y"] : header["y"] + header["height"], header["x"] : header["x"] + header["width"]] = patch.picture()
        shown = np.frombuffer(full.payload, np.uint8).reshape(240, 320, 3)
        assert np.abs(picture.astype(int) - shown).max() <= 1


def test_silence_is_idle_pictures_and_costs_no_network(running: RunningEngine) -> None:
    server = running.server
    server.welcome()
    server.attach("s1", "anna")
    server.speak("s1", "u1", np.zeros(16_000, np.int16), idle_position=3)
    frames = server.frames("s1", "u1")
    assert [frame.header["kind"] for frame in frames] == ["idle"] * 25
    assert [frame.header["idle_index"] for frame in frames] == [CYCLE[(3 + number) % 10] for number in range(25)]
    assert running.engine.statistics.faces == 0


def test_a_pause_within_speech_is_idle_and_in_order(running: RunningEngine) -> None:
    server = running.server
    server.welcome()
    server.attach("s1", "anna")
    sound = voice(1.6)
    sound[6400:19_200] = 0
    server.speak("s1", "u1", sound)
    frames = server.frames("s1", "u1")
    kinds = [frame.header["kind"] for frame in frames]
    assert [frame.header["first_sample"] for frame in frames] == [640 * number for number in range(40)]
    # The pause is pictures 10 to 29; 160 ms on each side belong to the speech.
    assert kinds == ["patch"] * 14 + ["idle"] * 12 + ["patch"] * 14


def test_clear_during_a_batch_is_answered_at_once_and_nothing_old_follows(running: RunningEngine) -> None:
    server = running.server
    server.welcome()
    with Gate(running.engine) as gate:
        server.attach("s1", "anna")
        server.speak("s1", "old", voice(1))
        assert gate.entered.wait(PATIENCE)
        server.send("clear", session="s1", epoch=1)
        assert server.receive("cleared").header == {"type": "cleared", "session": "s1", "epoch": 1}
        server.send("ping", id=7)
        assert server.receive("pong").header["id"] == 7
        # All of that while the batch is held up.
        assert not gate.opened.is_set()
    server.speak("s1", "new", voice(0.4, 2), epoch=1)
    first = server.receive("frame", "utterance_done")
    assert (first.header["utterance"], first.header["epoch"]) == ("new", 1)
    frames = [first, *server.frames("s1", "new")]
    assert [frame.header["first_sample"] for frame in frames] == [640 * number for number in range(10)]
    # One batch of the old epoch was in work; no other one was begun.
    assert sum(gate.sizes[1:]) == 10
    assert not running.engine._tracks


def test_two_sessions_share_batches_and_nothing_crosses_over(running: RunningEngine) -> None:
    server = running.server
    server.welcome()
    sounds = {("s1", "anna"): voice(0.4, 1), ("s2", "bert"): voice(0.4, 2)}
    alone = {}
    for (session, avatar), sound in sounds.items():
        server.attach(session, avatar)
        with told_at_once(running):
            server.speak(session, "alone", sound)
        alone[session] = server.frames(session, "alone")
    quick(running.engine)
    shared: list[set[str]] = []
    draw = running.engine._draw

    def watched(entries: list) -> None:
        shared.append({entry.track.session.id for entry in entries})
        draw(entries)

    running.engine._draw = watched
    with told_at_once(running):
        for (session, _avatar), sound in sounds.items():
            server.speak(session, "together", sound)
    for session in ("s1", "s2"):
        frames = server.frames(session, "together")
        assert len(frames) == 10
        assert all(same(one, other) for one, other in zip(alone[session], frames, strict=True))
    assert {"s1", "s2"} in shared


def test_pictures_that_would_come_too_late_are_left_out(running: RunningEngine) -> None:
    server = running.server
    server.welcome()
    with Gate(running.engine) as gate:
        server.attach("s1", "anna")
        server.speak("s1", "u1", voice(3))
        assert gate.entered.wait(PATIENCE)
        server.send("playing", session="s1", epoch=0, utterance="u1", sample=9600)
        # The answer says that what went before is read.
        server.send("ping", id=1)
        server.receive("pong")
    frames = server.frames("s1", "u1")
    shown = [frame.header["first_sample"] for frame in frames]
    assert shown == sorted(set(shown))
    # Those of the batch that was being made when it became late may come; those between it and what is heard are left out.
    assert not [sample for sample in shown if 2 * 640 <= sample < 9600 - 640]
    assert running.engine.statistics.left_out >= 12
    # A second after its last word the server is not heard to go on: the end is always shown.
    assert shown[-1] == 74 * 640
    assert running.engine.statistics.left_out + len(shown) <= 75


def test_full_memory_of_the_gpu_halves_the_batch(running: RunningEngine) -> None:
    server = running.server
    server.welcome()
    networks = running.engine._faces
    assert networks is not None
    faces, tried = networks.faces, []

    def crowded(latents: torch.Tensor, features: torch.Tensor) -> np.ndarray:
        tried.append(len(latents))
        if len(latents) > 1:
            raise torch.cuda.OutOfMemoryError("full")
        return faces(latents, features)

    networks.faces = crowded
    server.attach("s1", "anna")
    quick(running.engine)
    with told_at_once(running):
        server.speak("s1", "u1", voice(0.4))
    assert [frame.header["first_sample"] for frame in server.frames("s1", "u1")] == [640 * number for number in range(10)]
    assert running.engine.planner.largest == 1
    assert max(tried) > 1
    assert tried[-7:] == [1] * 7


def test_a_network_that_fails_refuses_the_speech_and_serves_the_next(running: RunningEngine) -> None:
    server = running.server
    server.welcome()
    networks = running.engine._faces
    assert networks is not None
    faces = networks.faces

    def broken(_latents: torch.Tensor, _features: torch.Tensor) -> np.ndarray:
        raise RuntimeError("a kernel failed")

    networks.faces = broken
    server.attach("s1", "anna")
    server.speak("s1", "u1", voice(0.2))
    for _ in ("speech", "end"):
        refused = server.receive("refused").header
        assert (refused["what"], refused["session"]) == ("speech", "s1")
        assert "a kernel failed" in refused["reason"]
    server.receive("utterance_done")
    networks.faces = faces
    server.speak("s1", "u2", voice(0.2))
    assert len(server.frames("s1", "u2")) == 5


def test_pictures_wait_for_credit(running: RunningEngine) -> None:
    server = running.server
    server.welcome()
    server.attach("s1", "anna", credit=0)
    server.speak("s1", "u1", voice(0.4))
    server.send("ping", id=1)
    server.receive("pong")
    server.send("credit", session="s1", frames=3)
    assert [server.receive("frame").header["first_sample"] for _ in range(3)] == [0, 640, 1280]
    server.send("ping", id=2)
    assert server.receive("pong", "frame").type == "pong"
    server.send("credit", session="s1", frames=7)
    assert len(server.frames("s1", "u1")) == 7


def test_preparing_is_refused_with_what_to_do(running: RunningEngine) -> None:
    server = running.server
    server.welcome()
    server.send("prepare", avatar="new", video_path="/tmp/video.mp4", apply_blur=False)
    assert server.receive("refused").header["what"] == "prepare"


@pytest.mark.parametrize("damaged", ["weights/sd-vae/config.json", "anna/coords.pkl"])
def test_a_wrong_file_ends_it_before_it_is_heard_of(damaged: str, files: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = files / damaged
    content = place.read_bytes()
    place.write_bytes(b"rubbish")
    try:
        with RunningEngine(MuseTalkEngine(settings(files))) as running:
            running._thread.join(PATIENCE)
            assert running.status == 1
        assert place.name in caplog.text
    finally:
        place.write_bytes(content)


def test_a_folder_whose_name_is_no_avatar_id_is_refused_by_name(files: Path, tmp_path: Path) -> None:
    shutil.copytree(files / "anna", tmp_path / "Carl & Co")
    with pytest.raises(Refusal, match="Carl & Co"):
        MuseTalkEngine(Settings(files / "weights", (tmp_path / "Carl & Co",), device="cpu", warm_up=False)).open()


def test_a_gpu_that_is_not_there_is_said(files: Path, caplog: pytest.LogCaptureFixture) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with RunningEngine(MuseTalkEngine(Settings(files / "weights", (files / "anna",), device="cuda"))) as running:
        running._thread.join(PATIENCE)
        assert running.status == 1
    assert "finds no GPU" in caplog.text


def test_as_a_child_it_speaks_and_ends_with_its_parent(files: Path) -> None:
    server = Server()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "AVATAR_ENGINE_ENDPOINT": server.endpoint,
        "AVATAR_ENGINE_NAME": "face",
        "AVATAR_ENGINE_TOKEN": "secret",
    }
    command = [sys.executable, "-m", "avatar_engine.musetalk", "--weights", files / "weights", "--avatar", files / "anna", "--threads", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as child:
        try:
            hello = server.welcome().header
            assert hello["token"] == "secret"
            server.attach("s1", "anna")
            server.speak("s1", "u1", voice(0.2))
            assert len(server.frames("s1", "u1")) == 5
            assert child.stdin is not None
            child.stdin.close()
            assert child.wait(PATIENCE) == 0
        finally:
            child.kill()
            server.close()


def test_the_benchmark_says_what_one_device_carries(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--weights", str(files / "weights"), "--avatar", str(files / "anna"), "--benchmark", "--seconds", "0.1", "--batch", "2", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert list(measured["pictures_per_second"]) == ["1", "2"]
    assert all(rate > 0 for rate in measured["pictures_per_second"].values())
    assert measured["blend_ms"] > 0
    assert measured["avatars"] >= 0


def test_hearing_may_begin_at_the_picture_itself(files: Path) -> None:
    assert MuseTalkEngine(settings(files, hearing=Hearing(0, 80))).lookahead_ms == 240
