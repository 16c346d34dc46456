"""The player with videos made on the spot: idle is blue, talking is red with a counter in its brightness."""
from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from avatar_engine.video import VideoError, decode, probe
from conftest import beep_sound

PLAYER = "avatar_engine.player"


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    made = {}
    for name, color, size in (("idle", "blue", "128x96"), ("talking", "red", "256x192"), ("tall", "green", "98x130")):
        made[name] = str(folder / f"{name}.mp4")
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"color={color}:size={size}:rate=25:duration=1", "-pix_fmt", "yuv420p",
                        made[name]], check=True)
    made["broken"] = str(folder / "broken.mp4")
    (folder / "broken.mp4").write_bytes(b"this is no video" * 100)
    made["playlist"] = str(folder / "list.m3u8")
    (folder / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\n{made['idle']}\n#EXT-X-ENDLIST\n")
    return made


def colour(payload, width, height):
    """The dominant channel of every pixel, if there is one: 0 blue, 1 green, 2 red."""
    picture = np.frombuffer(payload, np.uint8).reshape(height, width, 3)
    channels = np.unique(picture.argmax(axis=2))
    assert len(channels) == 1 and picture.max() > 100
    return int(channels[0])


def test_the_mouth_talks_where_there_is_sound_and_rests_where_there_is_none(server, launch, videos):
    launch("--idle", videos["idle"], "--talking", videos["talking"], "--mouth", "32,48,64,32", module=PLAYER)
    hello = server.welcome()
    assert hello["can_prepare"] is True
    assert hello["avatars"] == [{"id": "player", "width": 128, "height": 96, "fps": 25, "pixel_format": "bgr24", "patches": True, "idle_count": 25}]
    server.send("idle_request", avatar="player", indices=[3])
    assert colour(server.expect("idle_picture")[1], 128, 96) == 0
    server.attach(avatar="player", credit=100)
    server.say(beep_sound(1, [(6400, 6400)]), position=20)
    frames = [message for message in server.until("utterance_done") if message[0]["type"] == "frame"]
    assert [header["kind"] for header, _ in frames] == ["idle"] * 10 + ["patch"] * 10 + ["idle"] * 5
    assert [header["idle_index"] for header, _ in frames] == [20, 21, 22, 23, 24, *range(23, 3, -1)]
    for header, payload in frames[10:20]:
        assert (header["x"], header["y"], header["width"], header["height"]) == (32, 48, 64, 32)
        assert colour(payload, 64, 32) == 2
    assert all(payload == b"" for _, payload in frames[:10])


def test_whole_pictures_carry_the_mouth_over_the_idle_picture(server, launch, videos):
    launch("--idle", videos["idle"], "--talking", videos["talking"], "--mouth", "32,48,64,32", "--full", module=PLAYER)
    server.welcome()
    server.attach(avatar="player", credit=100)
    server.say(beep_sound(0.1, [(0, 1600)]))
    picture = np.frombuffer(server.expect("frame")[1], np.uint8).reshape(96, 128, 3).argmax(axis=2)
    assert np.all(picture[48:80, 32:96] == 2) and np.all(picture[:48] == 0)


def test_an_uploaded_video_becomes_an_avatar(server, launch, videos):
    launch(module=PLAYER)
    assert server.welcome()["avatars"] == []
    server.send("prepare", avatar="anna", video_path=videos["tall"], apply_blur=False)
    messages = server.until("prepared")
    assert messages[-1][0]["avatar"] == {"id": "anna", "width": 98, "height": 130, "fps": 25, "pixel_format": "bgr24", "patches": True, "idle_count": 25}
    shares = [header["progress"] for header, _ in messages if header["type"] == "prepare_progress"]
    assert shares == sorted(shares) and shares[-1] == 1
    server.send("idle_request", avatar="anna", indices=[0])
    assert colour(server.expect("idle_picture")[1], 98, 130) == 1
    server.attach(avatar="anna", credit=100)
    server.say(beep_sound(0.1, [(0, 1600)]))
    assert server.expect("frame")[0]["kind"] == "patch"


@pytest.mark.parametrize("name", ["broken", "playlist", "missing"])
def test_what_is_no_video_is_refused_with_the_reason(server, launch, videos, name):
    launch(module=PLAYER)
    server.welcome()
    server.send("prepare", avatar="anna", video_path=videos.get(name, "/nowhere/missing.mp4"), apply_blur=False)
    header, _ = server.expect("refused")
    assert (header["what"], header["code"], header["avatar"]) == ("prepare", "failed", "anna")
    assert header["reason"]
    server.drain()


def test_a_playlist_cannot_reach_other_files(videos):
    with pytest.raises(VideoError):
        probe(videos["playlist"])


def test_decoding_keeps_its_limits_and_leaves_no_process(videos):
    assert len(decode(videos["idle"], 64, 64, 25, 5)) == 5
    with pytest.raises(RuntimeError, match="enough"):
        decode(videos["idle"], 64, 64, 25, 20, lambda share: (_ for _ in ()).throw(RuntimeError("enough")))


def test_the_programs_own_check_and_its_refusals(videos):
    done = subprocess.run([sys.executable, "-m", PLAYER, "--idle", videos["idle"], "--check"], capture_output=True, text=True, check=True)
    assert "50 of 50 pictures" in done.stdout
    done = subprocess.run([sys.executable, "-m", PLAYER, "--idle", videos["broken"], "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Invalid data" in done.stderr and "Traceback" not in done.stderr
    done = subprocess.run([sys.executable, "-m", PLAYER, "--idle", "/nowhere.mp4"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "no file" in done.stderr
