"""Engines that misbehave, are not there or claim what is another's: viewers stay and hear the voice, /health says why.

And engines as operators use them: videos played by `player`, uploads that an engine prepares, an engine over TCP.
"""
from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zmq

from server import Server, free_port, request, wait_until
from signaling import Watcher
from talk_figures import PYTHON, engine_settings, is_shown, sound
from talker import Talker, run, tone
from test_protocol import form

SMALL = {"avatar": {"width": 128, "height": 128, "frames_per_second": 25}}
BEEP = np.concatenate([np.zeros(9600, np.int16), tone(0.6, 1000, 20_000), np.zeros(9600, np.int16)])


def of_engine(server: Server, name: str, engine: str = "tested") -> float:
    return server.metric(f"avatar_engine_{name}", f'{{engine="{engine}"}}')


def degraded(server: Server, part: str) -> dict | None:
    return next((entry for entry in server.health()["degraded"] if entry["part"] == part), None)


def settings(*options: str, restarts: int = 20, **more) -> dict:
    made = engine_settings("--size", "128x128", *options, **more)
    made["engines"]["tested"]["maximum_restarts"] = restarts
    return made | SMALL


async def speak(viewer: Talker, samples=BEEP) -> dict:
    """Has the avatar play a sound, to its end."""
    mark = len(viewer.messages)
    status, answer = await viewer.post("speak", sound(samples))
    assert status == 202, answer
    return await viewer.hear("speech_finished", after=mark)


def assert_whole(finished: dict, samples=BEEP):
    assert finished["interrupted"] is False
    assert finished["playback_position_ms"] == len(samples) // 48


# Misbehaviour


def test_a_little_rubbish_from_an_engine_is_counted_and_the_engine_goes_on():
    with Server(**settings("--rubbish", "40")) as server:
        wait_until(lambda: is_shown(server), 20, "an engine that serves")

        async def watch():
            async with Talker(server) as viewer:
                await asyncio.to_thread(wait_until, lambda: of_engine(server, "faults_total") >= 30, 10, "counted faults")
                since = len(viewer.pictures)
                assert_whole(await speak(viewer))
                await viewer.until(lambda: viewer.flashes(since))
        run(watch())
        assert of_engine(server, "restarts_total") == 0 and server.health()["status"] == "healthy"


@pytest.mark.parametrize("options, counter", [
    (["--rubbish", "300"], "faults_total"), (["--die-after", "0.5"], "restarts_total"),
    (["--hang-after", "0.5", "--hang-timeout", "0.5"], "hangs_total")], ids=["rubbish", "death", "hang"])
def test_an_engine_that_fails_again_and_again_is_given_up_and_costs_no_viewer(options, counter):
    with Server(**settings(*options, restarts=2)) as server:
        async def watch():
            async with Talker(server) as viewer:
                def is_given_up():
                    entry = degraded(server, "engine tested")
                    return entry and "started again 2 times" in entry["reason"] and entry
                # Whenever the engine is there it is spoken to, which is what it dies of.
                while not await asyncio.to_thread(is_given_up):
                    assert_whole(await speak(viewer))
                    assert len(viewer.messages) < 2000, server.health()
                since, pictures = len(viewer.packets), len(viewer.pictures)
                assert_whole(await speak(viewer))
                assert len(viewer.loud_spans(since)) == 1, "the voice is not heard without the engine"
                await viewer.until(lambda: len(viewer.pictures) > pictures + 10)
                assert viewer.states[-1] == "connected" and not viewer.heard("error")
        run(watch())
        entry = degraded(server, "engine tested")
        print(entry)
        assert entry["remedy"] and of_engine(server, counter) >= 1
        assert of_engine(server, "restarts_total") == 2 and of_engine(server, "connected") == 0


def test_an_engine_whose_program_does_not_exist_is_degraded_and_the_server_serves():
    missing = "/no/such/engine"
    with Server(engines={"tested": {"command": [missing], "maximum_restarts": 1}},
                profiles={"avatar_tutor_1": {"engine": "tested", "engine_avatar": "anna"}}, **SMALL) as server:
        entry = wait_until(lambda: degraded(server, "engine tested"), 10, "a degraded engine")
        assert missing in entry["reason"] and entry["remedy"], entry

        async def watch():
            async with Talker(server) as viewer:
                since = len(viewer.packets)
                assert_whole(await speak(viewer))
                assert len(viewer.loud_spans(since)) == 1
        run(watch())
        # Other avatars have nothing to do with it.
        with Watcher(server, "avatar_tutor_2") as viewer:
            viewer.question("Hello")
            assert not any(message["type"] == "error" for message in viewer.spoken_turn())


def test_the_second_of_two_engines_that_claim_one_avatar_is_refused():
    command = [PYTHON, "-m", "avatar_engine.flashbeep", "--size", "128x128"]
    with Server(engines={"first": {"command": command}, "second": {"command": command, "maximum_restarts": 1}},
                profiles={"avatar_tutor_1": {"engine": "first", "engine_avatar": "flashbeep"},
                          "avatar_tutor_2": {"engine": "second", "engine_avatar": "flashbeep"}}, **SMALL) as server:
        def loser():
            found = [name for name in ("first", "second") if of_engine(server, "refused_hellos_total", name)]
            return found and found[0]
        loser = wait_until(loser, 20, "a refused engine")
        winner = "second" if loser == "first" else "first"
        entry = wait_until(lambda: (e := degraded(server, f"engine {loser}")) and "avatar flashbeep is engine" in e["reason"] and e,
                           10, "the reason in /health")
        assert f"engine {winner}'s" in entry["reason"] and entry["remedy"]
        assert degraded(server, f"engine {winner}") is None and of_engine(server, "connected", winner) == 1

        async def watch(tutor):
            async with Talker(server, avatar=f"avatar_tutor_{tutor}") as viewer:
                since = len(viewer.pictures)
                assert_whole(await speak(viewer))
                if tutor == (1 if winner == "first" else 2):
                    await viewer.until(lambda: viewer.flashes(since))
                else:
                    assert not viewer.flashes(since)
        run(watch(1))
        run(watch(2))


# Videos


def video(path: Path, *, mouth: str = "", seconds: float = 1.0) -> Path:
    """A dark picture of 128x128 whose lower middle is of that colour; a grey bar wanders over its top."""
    def colour(name, size):
        return ["-f", "lavfi", "-i", f"color=c={name}:s={size}:r=25:d={seconds}"]
    draw = f",drawbox=x=42:y=52:w=42:h=38:color={mouth}:t=fill" if mouth else ""
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", *colour("0x202020", "128x128"), *colour("gray", "16x16"), "-filter_complex",
         "overlay=x='mod(n*4,112)':y=0" + draw, "-pix_fmt", "yuv420p", str(path)], check=True)
    return path


# Inside the region that `player` takes for the mouth, and above it.
MOUTH, FOREHEAD = (0.4, 0.46, 0.6, 0.64), (0.3, 0.2, 0.7, 0.35)


async def mouth_and_forehead(server, avatar) -> tuple[list[float], list[float], list[float]]:
    """The brightness of the mouth in silence and in speech, and of the forehead in speech."""
    async with Talker(server, avatar=avatar, region=MOUTH) as viewer:
        async with Talker(server, avatar=avatar, region=FOREHEAD, session=viewer.session, student=2) as other:
            await viewer.until(lambda: len(viewer.pictures) > 10)
            silent = [picture.brightness for picture in viewer.pictures[2:]]
            mark, above, sent = len(viewer.pictures), len(other.pictures), len(viewer.packets)
            assert_whole(await speak(viewer, tone(1.5)), tone(1.5))
            ends = len(viewer.pictures) + 5
            await viewer.until(lambda: len(viewer.pictures) >= ends)
            (start, end), = viewer.loud_spans(sent)
            spoken = [picture.brightness for picture in viewer.pictures[mark:]
                      if start + 0.15 < viewer.reports.time("video", picture.timestamp) < end - 0.15]
            return silent, spoken, [picture.brightness for picture in other.pictures[above:]]


def test_player_shows_a_video_and_the_mouth_of_another_while_it_speaks(tmp_path):
    idle, talking = video(tmp_path / "idle.mp4"), video(tmp_path / "talking.mp4", mouth="white")
    options = ["--avatar", "anna", "--idle", str(idle), "--talking", str(talking)]
    with Server(**engine_settings(*options, module="player", avatar="anna"), **SMALL) as server:
        wait_until(lambda: is_shown(server), 20, "an engine that serves")
        silent, spoken, above = run(mouth_and_forehead(server, "avatar_tutor_1"))
        print(f"mouth in silence {min(silent):.0f}..{max(silent):.0f}, in speech {min(spoken):.0f}..{max(spoken):.0f} of {len(spoken)} pictures")
        assert max(silent) < 60, "the idle video is not shown"
        # Not every picture: a busy machine may be late with some.
        assert len(spoken) > 10 and sum(value > 150 for value in spoken) > 0.7 * len(spoken), "the mouth does not move"
        assert max(above) < 60, "more than the mouth was changed"


def test_a_video_is_uploaded_prepared_and_shown(tmp_path):
    content = video(tmp_path / "anna.mp4", mouth="white", seconds=3).read_bytes()
    with Server(**engine_settings(module="player"), **SMALL) as server:
        wait_until(lambda: is_shown(server), 20, "an engine that serves")
        body, headers = form({"avatar_id": "anna", "apply_blur": "false", "engine": "tested"}, content)
        status, _, made = request("POST", server.http + "/v1/avatars/upload", body, headers)
        assert status == 201 and made["status"] == "success" and made["preparation"] in ("preparing", "ready"), made
        seen = []

        def state():
            _, _, shown = request("GET", server.http + "/v1/avatars/anna")
            assert 0 <= shown["progress"] <= 1
            seen.append((shown["status"], shown["progress"]))
            return shown["status"] == "ready" and shown
        shown = wait_until(state, 30, "a prepared avatar")
        print(seen)
        assert shown["progress"] == 1 and {status for status, _ in seen} <= {"preparing", "ready"}
        assert [progress for _, progress in seen] == sorted(progress for _, progress in seen)
        silent, _, _ = run(mouth_and_forehead(server, "anna"))
        assert min(silent) > 150, "the uploaded video is not shown"
        assert request("DELETE", server.http + "/v1/avatars/anna")[0] == 204


def test_a_preparation_that_fails_says_why(tmp_path):
    """The video is one, but the engine cannot make avatars."""
    content = video(tmp_path / "anna.mp4").read_bytes()
    with Server(**settings()) as server:
        wait_until(lambda: is_shown(server), 20, "an engine that serves")
        body, headers = form({"avatar_id": "anna", "engine": "tested"}, content)
        assert request("POST", server.http + "/v1/avatars/upload", body, headers)[0] == 201
        shown = wait_until(lambda: (found := request("GET", server.http + "/v1/avatars/anna")[2])["status"] == "failed" and found,
                           10, "a failed preparation")
        assert "cannot prepare" in shown["reason"] and "avatar:anna" in str(server.health()["degraded"])
        body, headers = form({"avatar_id": "berta", "engine": "nobody"}, content)
        status, _, answer = request("POST", server.http + "/v1/avatars/upload", body, headers)
        assert status == 422 and "tested" in answer["detail"]
        # An engine's own avatar needs no video.
        status, _, answer = request("POST", server.http + "/v1/avatars", {
            "avatar_id": "clara", "engine": "tested", "engine_avatar": "flashbeep"})
        assert status == 201 and request("GET", server.http + "/v1/avatars/clara")[2]["status"] == "ready"
        status, _, answer = request("POST", server.http + "/v1/avatars", {
            "avatar_id": "dora", "engine": "tested", "engine_avatar": "nobody"})
        assert request("GET", server.http + "/v1/avatars/dora")[2]["status"] == "failed"
        assert request("DELETE", server.http + "/v1/avatars/anna")[0] == 204
        wait_until(lambda: server.health()["status"] == "healthy", 5, "health without the failed avatar")


# An engine on another machine


@contextlib.contextmanager
def engine_over_tcp(port: int, server_key: str, secret_file: Path):
    process = subprocess.Popen(
        [sys.executable, "-m", "avatar_engine.flashbeep", "--size", "128x128", "--endpoint", f"tcp://127.0.0.1:{port}",
         "--server-key", server_key, "--secret-key-file", str(secret_file), "--watch-stdin", "never"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def test_an_engine_connects_by_tcp_with_its_key_and_a_stranger_does_not(tmp_path):
    def key_file(name, secret):
        path = tmp_path / name
        path.touch(mode=0o600)
        path.write_bytes(secret)
        return path
    server_public, server_secret = zmq.curve_keypair()
    engine_public, engine_secret = zmq.curve_keypair()
    _, stranger_secret = zmq.curve_keypair()
    port = free_port()
    engine = {"endpoint": f"tcp://127.0.0.1:{port}", "server_secret_key_file": str(key_file("server", server_secret)),
              "client_public_keys": [engine_public.decode()]}
    with Server(engines={"tested": engine}, profiles={"avatar_tutor_1": {"engine": "tested", "engine_avatar": "flashbeep"}},
                **SMALL) as server:
        assert "connected" in degraded(server, "engine tested")["reason"]
        with engine_over_tcp(port, server_public.decode(), key_file("stranger", stranger_secret)):
            wait_until(lambda: of_engine(server, "refused_connections_total") >= 1, 20, "a refused stranger")
            assert of_engine(server, "connected") == 0
        with engine_over_tcp(port, server_public.decode(), key_file("engine", engine_secret)):
            wait_until(lambda: is_shown(server), 20, "an engine that serves")

            async def watch():
                async with Talker(server) as viewer:
                    since = len(viewer.pictures)
                    assert_whole(await speak(viewer))
                    await viewer.until(lambda: viewer.flashes(since))
            run(watch())
        wait_until(lambda: degraded(server, "engine tested"), 10, "a degraded engine after its end")
        assert server_secret.decode() not in server.log() + str(server.health())


def test_keys_that_cannot_be_used_are_named_and_the_server_serves(tmp_path):
    readable = tmp_path / "readable"
    readable.write_bytes(zmq.curve_keypair()[1])
    os.chmod(readable, 0o644)
    engine = {"endpoint": f"tcp://127.0.0.1:{free_port()}", "server_secret_key_file": str(readable),
              "client_public_keys": [zmq.curve_keypair()[0].decode()]}
    with Server(engines={"tested": engine}, **SMALL) as server:
        assert "chmod 600" in degraded(server, "engine tested")["remedy"]
        with Watcher(server) as viewer:
            viewer.question("Hello")
            viewer.spoken_turn()
