"""Engines as processes against a ROUTER: what the protocol asks of them, and what they survive."""
from __future__ import annotations

import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import zmq
from zmq.auth.thread import ThreadAuthenticator

from conftest import PATIENCE, RATE, Server, beep_sound


def frames_of(messages):
    return [header for header, _ in messages if header["type"] == "frame"]


def test_hello_tells_what_the_command_line_says(server, launch):
    launch("--fps", "30", "--size", "128x96", "--pixel-format", "nv12", "--patches", "--idle-count", "7", "--burst", "4", "--avatar", "anna",
           "--avatar", "ben")
    hello = server.welcome()
    assert hello["version"] == 1 and hello["token"] == "secret" and hello["audio"] == {"rate": 16000}
    assert hello["batch_size"] == 4 and hello["can_prepare"] is False and hello["provides_audio"] is False
    assert [avatar["id"] for avatar in hello["avatars"]] == ["anna", "ben"]
    assert hello["avatars"][0] == {"id": "anna", "width": 128, "height": 96, "fps": 30, "pixel_format": "nv12", "patches": True, "idle_count": 7}
    server.send("idle_request", avatar="anna", indices=[0, 6])
    for index in (0, 6):
        header, payload = server.expect("idle_picture")
        assert (header["avatar"], header["index"], len(payload)) == ("anna", index, 128 * 96 * 3 // 2)


@pytest.mark.parametrize("fps", [18, 25, 30])
@pytest.mark.parametrize("shape", [[], ["--patches"], ["--burst", "8"], ["--pixel-format", "i420"]])
def test_flashes_are_bound_to_the_samples_of_the_beeps(server, launch, fps, shape):
    launch("--fps", str(fps), "--size", "64x48", *shape)
    server.welcome()
    server.attach(credit=500)
    beeps = [(8000, 1600), (20_000, 1600), (40_000, 3200)]
    server.say(beep_sound(3, beeps), step=3111)
    messages = server.until("utterance_done")
    frames = [(header, payload) for header, payload in messages if header["type"] == "frame"]
    firsts = [header["first_sample"] for header, _ in frames]
    assert firsts == [int(n * RATE / fps + 0.5) for n in range(3 * fps)]
    # BGR: the first byte is grey; I420: luma.
    white = [header["first_sample"] for header, payload in frames if payload[0] > 200]
    dark = [header["first_sample"] for header, payload in frames if payload[0] < 60]
    assert len(white) + len(dark) == len(frames)
    period = RATE / fps
    for first, count in beeps:
        shown = [sample for sample in white if first - period < sample < first + count]
        assert abs(shown[0] - first) <= period / 2 + 32 and abs(shown[-1] + period - first - count) <= period / 2 + 32
    assert len(white) <= sum(-(-count // period) + 1 for _, count in beeps)


def test_flashes_come_at_fixed_samples_on_demand(server, launch):
    launch("--flash-every", "1", "--size", "16x16")
    server.welcome()
    server.attach(credit=500)
    server.say(beep_sound(3, []))
    white = [header["first_sample"] for header, payload in server.until("utterance_done") if payload and payload[0] > 200]
    assert white == [0, 640, 16_000, 16_640, 32_000, 32_640]


def test_frames_come_only_under_credit(server, launch):
    launch("--burst", "20", "--size", "16x16")
    server.welcome()
    server.attach(credit=3)
    server.say(beep_sound(2, []))
    got = [server.expect("frame")[0]["first_sample"] for _ in range(3)]
    assert got == [0, 640, 1280]
    assert frames_of(server.drain()) == []
    server.credit(2)
    assert [server.expect("frame")[0]["first_sample"] for _ in range(2)] == [1920, 2560]
    assert frames_of(server.drain()) == []
    server.credit(100)
    assert len(frames_of(server.until("utterance_done"))) == 45


def test_clear_drops_what_waits_and_the_next_epoch_starts_afresh(server, launch):
    launch("--size", "16x16")
    server.welcome()
    server.attach(credit=2)
    server.say(beep_sound(2, []), end=False)
    server.expect("frame"), server.expect("frame")
    server.send("clear", session="s1", epoch=1)
    header, _ = server.expect("cleared")
    assert header == {"type": "cleared", "session": "s1", "epoch": 1}
    server.credit(100)
    server.say(beep_sound(0.2, []), utterance="u2", epoch=1)
    frames = frames_of(server.until("utterance_done"))
    assert [(frame["utterance"], frame["epoch"], frame["first_sample"]) for frame in frames] == [("u2", 1, n * 640) for n in range(5)]


def test_a_busy_engine_answers_pings_and_clear_while_it_works(server, launch):
    # One picture takes 20 s: any answer within PATIENCE but the frame comes from the other thread.
    launch("--slow", "0.002", "--size", "16x16")
    server.welcome()
    server.attach(credit=100)
    server.say(beep_sound(1, []))
    started = time.monotonic()
    for number in range(5):
        server.send("ping", id=number)
        assert server.expect("pong")[0]["id"] == number
    server.send("clear", session="s1", epoch=1)
    server.expect("cleared")
    assert time.monotonic() - started < 15


def test_an_engine_that_hangs_stops_answering_pings_and_still_ends_on_sigterm(server, launch):
    engine = launch("--hang-after", "0.1", "--hang-timeout", "0.5", "--size", "16x16")
    server.welcome()
    server.attach(credit=100)
    server.say(beep_sound(1, []))
    end = time.monotonic() + PATIENCE
    with pytest.raises(TimeoutError):
        while time.monotonic() < end:
            server.send("ping", id=1)
            server.expect("pong", timeout=2)
    assert "hangs" in launch.log() and "_misbehave" in launch.log()
    engine.terminate()
    assert engine.wait(PATIENCE) == 0


def test_die_after_dies(server, launch):
    engine = launch("--die-after", "0.1")
    server.welcome()
    server.attach()
    server.say(beep_sound(1, []))
    assert engine.wait(PATIENCE) == 3


def test_rubbish_is_sent_on_demand_and_the_engine_goes_on(server, launch):
    launch("--rubbish", "11", "--size", "16x16")
    server.welcome()
    server.attach()
    messages = []
    while len(messages) < 11:
        assert server.socket.poll(PATIENCE * 1000)
        parts = server.socket.recv_multipart()[1:]
        if not parts[0].startswith((b'{"type":"statistics","inference_fps":0', b'{"type":"pong","id":4')):
            messages.append(parts)
    assert messages[0] == [b""] and messages[10] == [b""]
    server.credit(100)
    server.say(beep_sound(0.1, []))
    assert len(frames_of(server.until("utterance_done"))) == 3


def test_rubbish_from_the_server_is_refused_and_the_engine_goes_on(server, launch):
    launch("--size", "16x16")
    server.welcome()
    server.attach(credit=100)
    rubbish = [[b""], [b"{}"], [b"\xff" * 100], [b"[" * 16_000], [b'{"type":"speech"}'], [b'{"type":"nonsense"}'],
               [b'{"type":"speech","session":"s1","epoch":0,"utterance":"u","first_sample":0,"idle_position":0}', b"odd"],
               [b'{"type":"credit","session":"s1","frames":-5}'], [b'{"type":"credit","session":"s1","frames":1e400}'],
               [b'{"type":"idle_request","avatar":"flashbeep","indices":[999999]}'], [b'{"type":"clear","session":{}}'],
               [b'{"type":"attach","session":"x","avatar":"../../etc"}'], [b"x", b"y", b"z"], [b'{"type":"prepare","avatar":"a"}']]
    for parts in rubbish:
        server.send_parts(parts)
    server.say(beep_sound(0.2, []))
    messages = server.until("utterance_done")
    assert len(frames_of(messages)) == 5
    refusals = [header for header, _ in messages if header["type"] == "refused"]
    assert 1 <= len(refusals) <= 20
    assert {refusal["code"] for refusal in refusals} <= {"malformed", "unsupported", "wrong_size", "no_such_avatar"}


def test_speech_may_begin_in_the_middle(server, launch):
    launch("--size", "16x16")
    server.welcome()
    server.attach(epoch=7, credit=100)
    server.say(beep_sound(0.2, []), first=32_000, epoch=7)
    assert [frame["first_sample"] for frame in frames_of(server.until("utterance_done"))] == [32_000 + 640 * n for n in range(5)]


def test_an_engine_finds_a_server_that_was_restarted(server, launch, context, tmp_path):
    launch("--size", "16x16")
    server.welcome()
    server.attach(credit=1)
    server.say(beep_sound(2, []))
    server.expect("frame")
    server.close()
    second = Server(server.endpoint, context).bind()
    try:
        second.welcome()
        second.attach("s9", credit=100)
        second.say(beep_sound(0.2, []), "s9")
        frames = frames_of(second.until("utterance_done"))
        assert {frame["session"] for frame in frames} == {"s9"} and len(frames) == 5
    finally:
        second.close()


def test_an_engine_that_hears_nothing_connects_anew(server, launch):
    launch("--silence-timeout", "0.5")
    server.welcome()
    first = server.engine
    server.welcome()
    assert server.engine != first


def test_an_unknown_peer_says_hello_again(server, launch):
    launch()
    server.welcome()
    server.send("refused", what="statistics", code="unknown_peer", reason="say hello")
    server.welcome()


def test_a_refusal_for_now_is_tried_again_and_one_for_good_ends_the_engine(server, launch):
    engine = launch()
    server.expect("hello")
    server.send("refused", what="hello", code="name_taken", reason="another", retry_after_ms=50)
    server.expect("hello")
    server.send("refused", what="hello", code="token", reason="wrong token")
    assert engine.wait(PATIENCE) == 1
    assert "wrong token" in launch.log()


def test_the_end_of_standard_input_ends_the_engine(server, launch):
    engine = launch()
    server.welcome()
    server.drain()
    engine.stdin.close()
    assert engine.wait(PATIENCE) == 0
    server.expect("bye")


def test_an_engine_without_server_ends_with_its_standard_input(server, launch):
    server.close()
    engine = launch()
    engine.stdin.close()
    assert engine.wait(PATIENCE) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_engine_with_a_goodbye(server, launch, number):
    engine = launch()
    server.welcome()
    server.drain()
    engine.send_signal(number)
    server.expect("bye")
    assert engine.wait(PATIENCE) == 0


def test_shutdown_ends_even_an_engine_that_hangs_within_two_seconds(server, launch):
    engine = launch("--hang-after", "0.1")
    server.welcome()
    server.attach()
    server.say(beep_sound(1, []), end=False)
    server.drain()
    server.send("shutdown")
    server.expect("bye")
    assert engine.wait(PATIENCE) == 0


def test_statistics_come_by_themselves(server, launch):
    launch("--size", "16x16")
    server.welcome()
    server.attach(credit=5)
    server.say(beep_sound(1, []))
    queues = []
    while 20 not in queues:
        header, _ = server.receive()
        if header["type"] == "statistics":
            assert header["inference_fps"] >= 0
            queues.append(header["queue"])


def test_several_sessions_share_nothing(server, launch):
    launch("--size", "16x16")
    server.welcome()
    for session in ("s1", "s2", "s3"):
        server.attach(session, credit=100)
        server.say(beep_sound(0.4, []), session, end=False)
    server.send("detach", session="s2")
    server.send("clear", session="s3", epoch=1)
    server.send("end", session="s1", epoch=0, utterance="u1", samples=6400)
    frames = frames_of(server.until("utterance_done"))
    assert [frame["first_sample"] for frame in frames if frame["session"] == "s1"] == [640 * n for n in range(10)]
    assert frames_of(server.drain()) == []


@pytest.fixture
def curve(context):
    """A server with CURVE and an allow-list; returns it with its public key and an allowed secret key."""
    keeper = ThreadAuthenticator(context)
    keeper.start()
    public, secret = zmq.curve_keypair()
    allowed_public, allowed_secret = zmq.curve_keypair()

    class AllowList:
        def callback(self, domain, key):
            return key == allowed_public

    keeper.configure_curve_callback(domain="avatar-engine", credentials_provider=AllowList())
    server = Server("tcp://127.0.0.1:*", context)
    server.socket.curve_server = True
    server.socket.curve_secretkey = secret
    server.socket.zap_domain = b"avatar-engine"
    server.bind()
    server.endpoint = server.socket.getsockopt_string(zmq.LAST_ENDPOINT)
    yield server, public.decode(), allowed_secret
    server.close()
    keeper.stop()


def test_curve_lets_in_who_is_on_the_list(curve, launch, tmp_path):
    server, public, secret = curve
    (tmp_path / "engine.key").write_bytes(secret + b"\n")
    launch(AVATAR_ENGINE_ENDPOINT=server.endpoint, AVATAR_ENGINE_SERVER_KEY=public, AVATAR_ENGINE_SECRET_KEY_FILE=str(tmp_path / "engine.key"))
    server.welcome()


def test_curve_keeps_out_who_is_not(curve, launch, tmp_path):
    server, public, _ = curve
    key = tmp_path / "other.key"
    made = subprocess.run([sys.executable, "-m", "avatar_engine.keys", str(key)], capture_output=True, check=True)
    assert len(made.stdout.strip()) == 40 and key.stat().st_mode & 0o777 == 0o600
    engine = launch("--endpoint", server.endpoint, "--server-key", public, "--secret-key-file", str(key))
    end = time.monotonic() + PATIENCE
    while "refuses the connection" not in launch.log() and time.monotonic() < end:
        assert not server.socket.poll(100)
    assert "refuses the connection" in launch.log()
    engine.terminate()
    assert engine.wait(PATIENCE) == 0


def test_wrong_use_is_said_in_one_line():
    for arguments, reason in (([], "--endpoint"), (["--endpoint", "tcp://127.0.0.1:1"], "CURVE"), (["--size", "17x17"], "even"),
                              (["--burst", "0"], "burst"), (["--size", "big"], "big")):
        done = subprocess.run([sys.executable, "-m", "avatar_engine.flashbeep", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and reason in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("module", ["avatar_engine.flashbeep", "avatar_engine.player", "avatar_engine.check", "avatar_engine.keys"])
def test_every_program_explains_itself(module):
    done = subprocess.run([sys.executable, "-W", "error", "-m", module, "--help"], capture_output=True, text=True, check=True)
    assert "usage:" in done.stdout and done.stderr == ""


def test_check_tries_an_engine_without_a_server():
    done = subprocess.run([sys.executable, "-m", "avatar_engine.check", "avatar_engine.flashbeep:FlashBeep"], capture_output=True, text=True, check=True)
    assert re.search(r"50 of 50 pictures", done.stdout) and "all is well" in done.stdout


def test_check_finds_an_engine_that_draws_nothing(tmp_path):
    (tmp_path / "lazy.py").write_text("from avatar_engine import *\nclass Lazy(Engine):\n    name = 'lazy'\n"
                                      "    def open(self): return [AvatarDescription('a', 16, 16)]\n"
                                      "    def idle_picture(self, avatar, index): return blank(self.open()[0])\n"
                                      "    def speech(self, *_): return None\n    def end(self, *_): return None\n")
    done = subprocess.run([sys.executable, "-m", "avatar_engine.check", "lazy:Lazy"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "0 pictures instead of 50" in done.stderr


def test_late_pictures_of_a_slow_engine_are_skipped(server, launch):
    launch("--slow", "0.5", "--size", "16x16")
    server.welcome()
    server.attach(credit=500)
    server.say(beep_sound(4, []), end=False)
    server.expect("frame")
    server.send("playing", session="s1", epoch=0, utterance="u1", sample=32_000)
    server.send("end", session="s1", epoch=0, utterance="u1", samples=64_000)
    firsts = [frame["first_sample"] for frame in frames_of(server.until("utterance_done"))]
    assert np.all(np.diff(firsts) > 0)
    assert max(np.diff(firsts)) > 16_000 and len(firsts) < 70
