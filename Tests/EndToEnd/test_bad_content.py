"""Texts, recordings and uploads that are not what they should be: a clear refusal, and the session goes on."""
from __future__ import annotations

import base64
import json
import random
import subprocess

import numpy as np
import pytest

from openai_server import OpenAIServer
from server import Server, request
from signaling import Watcher, of_type
from talker import tone, wav
from test_protocol import form

SMALL = {"avatar": {"width": 128, "height": 128, "frames_per_second": 10}}
RANDOM = random.Random(4711)
MEGABYTE = "All work and no play. " * (1_000_000 // 22)


@pytest.fixture(scope="module")
def services():
    with OpenAIServer(answer="Yes.") as services:
        yield services


@pytest.fixture(scope="module")
def server(services):
    settings = services.settings
    with Server(answering=settings["answering"], hearing=settings["hearing"], **SMALL) as server:
        yield server
        assert server.process.poll() is None, server.log()[-2000:]


@pytest.fixture
def viewer(server):
    """A viewer whose session has to go on whatever the test did."""
    with Watcher(server) as viewer:
        yield viewer
        viewer.say(type="interrupt")
        viewer.hear_nothing_but(*{message["type"] for message in viewer.seen}, "activity", "speech_finished", "turn", "speech_started",
                                "webrtc_state", "text_stream", "text_complete", "processing_status", "webrtc_ice_candidate")
        viewer.question("Are you still there?")
        viewer.hear_until(lambda message: message["type"] == "speech_finished" and not message["interrupted"])
    assert server.health()["status"] == "healthy"


# Texts


def test_a_text_of_a_megabyte_is_refused_whichever_way_it_comes(viewer):
    for message in ({"type": "text_webrtc", "content": MEGABYTE, "avatar_id": "a", "user_id": 1}, {"type": "text", "content": MEGABYTE},
                    {"type": "text_webrtc", "content": MEGABYTE, "avatar_id": "a", "user_id": 1, "verbatim": True}):
        assert "content is longer than" in viewer.ask(message)["content"]
    for body in ({"text": MEGABYTE}, {"ssml": f"<speak>{MEGABYTE}</speak>"}):
        status, answer = viewer.post("speak", body)
        assert status in (413, 422) and "longer than" in answer["detail"]


def test_a_text_just_within_the_limit_is_asked(viewer, services):
    text = "o" * 7990 + " öh?"
    viewer.question(text)
    viewer.hear("text_complete")
    assert services.questions[-1][-1]["content"] == text


HOSTILE = ["Hello\x00\x07\x1b[31m there\x7f\x9b", "\u202eolleH\u200b\u2066 there\ufeff", "\ud7ff\ue000\U000fffff Hello", "H\u0301" * 40 + "\u0301" * 3000,
           "<script>alert(1)</script>Hello", "<speak><break time='9999s'/>Hello</speak>", "&lt;b&gt; &amp; &#0; Hello",
           "{{7*7}} ${jndi:ldap://x} %s%n `id` $(id) '; DROP TABLE x;-- Hello", "Hello " + "👩‍👩‍👧‍👦🏳️‍🌈" * 50,
           "http://" + "a" * 3000 + " Hello", "." * 3000 + " Hello", "1" * 400 + " Hello", "\n" * 3000 + "Hello", "Здравствуйте, 你好, नमस्ते, مرحبا"]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_strange_text_is_asked_and_said(viewer, services, number):
    text = HOSTILE[number]
    viewer.question(text)
    heard = viewer.spoken_turn()
    assert of_type(heard, "error") == []
    assert of_type(heard, "text_complete")[0]["content"] == "Yes."
    asked = services.questions[-1][-1]["content"]
    assert not any(character in asked for character in "\x00\x07\x1b\x7f\x9b"), asked
    # As a text to be said: it may hold nothing to say, which is told.
    viewer.question(text, verbatim=True)
    first = viewer.hear_until(lambda message: message["type"] in ("speech_started", "error"))[-1]
    assert first["type"] == "speech_started" or "nothing to say" in first["content"] or "no sound of this text" in first["content"], first
    assert "\x1b" not in viewer.server.log()


@pytest.mark.parametrize("text", ["👍👍👍", "***", "\x00\x01", "<>", "…"])
def test_a_text_without_words_is_refused_where_it_is_to_be_said(viewer, text):
    viewer.question(text, verbatim=True)
    content = viewer.hear("error")["content"]
    assert "nothing to say" in content or "empty" in content, content
    status, answer = viewer.post("speak", {"text": text})
    assert status == 422 and answer["detail"]


@pytest.mark.parametrize("ssml", [
    "no element", "<speak>", "<speak>a</spoken>", "<speak><p>a</speak></p>", "<!DOCTYPE speak [<!ENTITY a 'b'>]><speak>&a;</speak>", "<speak>&a;</speak>",
    "<speak/>", "<speak></speak>", "<speak>\x01</speak>", "<p>a</p><p>b</p>", "<speak a=>x</speak>", "<speak" * 10_000, "<p>" * 2000 + "a" + "</p>" * 2000,
    "<speak>" + "a " * 40_000 + "</speak>", "<speak><!-- never closed</speak>", "<speak>&#xFFFFFFFFFFFF;</speak>"])
def test_markup_that_is_wrong_is_refused_with_its_reason(viewer, ssml):
    status, answer = viewer.post("speak", {"ssml": ssml})
    assert status == 422 and "ssml" in answer["detail"], (status, answer)


def test_markup_is_said_without_its_marks(viewer):
    status, _ = viewer.post("speak", {"ssml": "<speak version='1.0'><p>Hello <sub alias='world'>W</sub>.</p><break time='10ms'/><audio src='x'/></speak>"})
    assert status == 202
    content = viewer.hear("text_complete")["content"]
    assert "Hello" in content and "world" in content and "<" not in content and "W." not in content


# Recordings


def encoded(options: list[str], seconds: float = 2) -> bytes:
    return subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"sine=440:d={seconds}", *options, "-"],
                          check=True, capture_output=True).stdout


def picture() -> bytes:
    return subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x64:d=0.1", "-frames:v", "1", "-f", "image2", "-c:v", "png", "-"],
                          check=True, capture_output=True).stdout


NO_SOUND = {
    "rubbish": RANDOM.randbytes(20_000), "text": b"Hello, I am no sound. " * 100, "html": b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "concat": b"ffconcat version 1.0\nfile /etc/passwd\n", "one byte": b"R",
    "WAV header": wav(np.zeros(0, np.int16))[:44], "half a WAV header": wav(tone(1))[:20], "zeros": bytes(20_000), "picture": None,
    "Ogg header": b"OggS" + bytes(1000), "MP4 header": b"\x00\x00\x00\x20ftypisom" + bytes(1000), "ID3": b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(1000),
    "too long": None,
}


@pytest.mark.parametrize("name", NO_SOUND)
def test_a_recording_that_is_none_is_refused(viewer, name):
    content = NO_SOUND[name]
    if name == "picture":
        content = picture()
    if name == "too long":
        content = encoded(["-ar", "8000", "-c:a", "libopus", "-b:a", "8k", "-f", "ogg"], 130)
    data = base64.b64encode(content).decode()
    viewer.say(type="audio", data=data, avatar_id="avatar_tutor_1")
    refusal = viewer.hear("error")["content"]
    print(refusal)
    assert "recording" in refusal or "sound" in refusal
    assert "root:" not in refusal and len(refusal) < 400
    status, answer = viewer.post("speak", {"audio": data})
    assert status == 422 and answer["detail"]


@pytest.mark.parametrize("data", ["!!!!", "AAAA====AAAA", "data:audio/wav;base64", "data:audio/wav;base64,", "\u0000", "UklGRg"])
def test_a_recording_that_is_no_base64_is_refused(viewer, data):
    viewer.say(type="audio", data=data)
    assert viewer.hear("error")["content"]


def test_a_recording_that_is_too_large_is_refused(viewer):
    data = base64.b64encode(bytes((10 << 20) + 10_000)).decode()
    viewer.say(type="audio", data=data)
    assert "longer than" in viewer.hear("error")["content"]
    status, answer = viewer.post("speak", {"audio": data})
    assert status in (413, 422)


def test_a_message_that_is_larger_than_any_recording_ends_its_connection_alone(server):
    with Watcher(server) as viewer, Watcher(server) as other:
        viewer.say(type="audio", data="A" * (15 << 20))
        assert viewer.closed()[0] == 1009
        other.question("Are you still there?")
        assert not of_type(other.spoken_turn(), "error")


@pytest.mark.parametrize("options", [["-f", "ogg", "-c:a", "libopus"], ["-f", "webm", "-c:a", "libopus"], ["-f", "mp3"], ["-f", "wav"], ["-f", "flac"]],
                         ids=lambda options: options[1])
def test_a_recording_that_breaks_off_is_heard_as_far_as_it_goes(viewer, services, options):
    whole = encoded(options)
    services.transcript = None
    for part in (whole, whole[:len(whole) * 2 // 3]):
        viewer.say(type="audio", data=base64.b64encode(part).decode())
        message = viewer.hear_until(lambda message: message["type"] in ("transcription", "error"))[-1]
        print(message)
        assert message["type"] == "transcription" and "seconds" in message["content"]
        viewer.spoken_turn()


def test_a_recording_of_a_hundred_seconds_is_heard_whole(viewer, services):
    services.transcript = None
    viewer.say(type="audio", data=base64.b64encode(wav(tone(100)[::3], 16_000)).decode())
    assert viewer.hear("transcription")["content"] == "heard 100.0 seconds"


# Uploads


def videos(tmp_path) -> dict[str, bytes]:
    def made(name, *options):
        path = tmp_path / name
        subprocess.run(["ffmpeg", "-v", "error", "-y", *options, str(path)], check=True)
        return path.read_bytes()
    good = made("good.mp4", "-f", "lavfi", "-i", "testsrc=s=64x64:d=1", "-pix_fmt", "yuv420p")
    return {
        "rubbish": RANDOM.randbytes(50_000), "text": b"I am no video. " * 500, "html": b"<!DOCTYPE html><html></html>", "zeros": bytes(50_000),
        "sound": made("sound.mp4", "-f", "lavfi", "-i", "sine=440:d=1"), "cut off": good[:len(good) // 2],
        "playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "concat": b"ffconcat version 1.0\nfile /etc/passwd\n", "one byte": b"x",
    }


@pytest.mark.parametrize("name", ["rubbish", "text", "html", "zeros", "sound", "cut off", "playlist", "concat", "one byte"])
def test_an_upload_that_is_no_video_is_refused_with_its_reason(server, tmp_path, name):
    content = videos(tmp_path)[name]
    before = set((server.folder / "avatars").iterdir())
    body, headers = form({"avatar_id": "novideo"}, content)
    status, _, answer = request("POST", server.http + "/v1/avatars/upload", body, headers)
    print(answer)
    assert status == 422 and answer["detail"].startswith("video_file is no video: ") and len(answer["detail"]) > 30
    assert str(server.folder) not in answer["detail"] and "root:" not in answer["detail"]
    assert request("GET", server.http + "/v1/avatars/novideo")[0] == 404
    assert set((server.folder / "avatars").iterdir()) == before, "the upload was left behind"
    path = server.folder / "novideo.mp4"
    path.write_bytes(content)
    status, _, answer = request("POST", server.http + "/v1/avatars", json.dumps({"avatar_id": "novideo", "video_path": str(path)}))
    assert status == 422 and answer["detail"].startswith("video_path is no video: ")
    assert path.exists()


def test_an_upload_that_is_refused_leaves_the_avatar_before_as_it_was(server, tmp_path):
    good = tmp_path / "good.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=s=64x64:d=1", "-pix_fmt", "yuv420p", str(good)], check=True)
    body, headers = form({"avatar_id": "kept"}, good.read_bytes())
    assert request("POST", server.http + "/v1/avatars/upload", body, headers)[0] == 201
    body, headers = form({"avatar_id": "kept"}, b"rubbish" * 1000)
    assert request("POST", server.http + "/v1/avatars/upload", body, headers)[0] == 422
    status, _, shown = request("GET", server.http + "/v1/avatars/kept")
    assert status == 200 and shown["status"] == "ready"
    assert open(shown["avatar_path"], "rb").read() == good.read_bytes()
    assert request("DELETE", server.http + "/v1/avatars/kept")[0] == 204
