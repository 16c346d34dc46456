"""The conversation's messages as the front end knows them (signaling.md): order, fields, timestamps; and who has the floor."""
from __future__ import annotations

import base64
import datetime

import numpy as np
import pytest

from openai_server import OpenAIServer
from server import Server, request
from signaling import Client, Watcher, client_of, of_type, session_of
from talker import RATE, Talker, run, spoken, tone, wav

SMALL = {"avatar": {"width": 128, "height": 128, "frames_per_second": 10}}
ANSWER = "The sky is blue. It is blue because of the air."
FIELDS = {
    "text_stream": {"type", "token", "role", "timestamp"}, "text_complete": {"type", "content", "role", "timestamp"},
    "processing_status": {"type", "status", "message", "timestamp"}, "transcription": {"type", "content", "role", "timestamp"},
    "speech_started": {"type", "utterance_id", "playback_position_ms", "interrupted", "timestamp"},
    "speech_finished": {"type", "utterance_id", "playback_position_ms", "interrupted", "timestamp"},
    "activity": {"type", "state", "timestamp"}, "error": {"type", "content", "timestamp"}, "pong": {"type", "timestamp"},
    "turn": {"type", "turn_id", "kind", "heard_ms", "transcript_ms", "first_token_ms", "first_sound_ms", "server_share_ms", "timestamp"},
    "webrtc_state": {"type", "state", "timestamp"}, "webrtc_ice_candidate": {"type", "candidate"},
}


@pytest.fixture(scope="module")
def services():
    with OpenAIServer(answer=ANSWER) as services:
        yield services


@pytest.fixture(scope="module")
def server(services):
    settings = services.settings
    with Server(answering=settings["answering"], hearing=settings["hearing"], **SMALL) as server:
        yield server
        assert server.process.poll() is None, server.log()[-2000:]


def assert_formed(messages: list[dict]):
    """Exactly the fields of the protocol, times that do not run backwards, roles by who said it."""
    times = []
    for message in messages:
        assert set(message) == FIELDS[message["type"]], message
        if "timestamp" in message:
            times.append(datetime.datetime.fromisoformat(message["timestamp"]))
            assert times[-1].tzinfo is not None
        if "role" in message:
            assert message["role"] == ("user" if message["type"] == "transcription" else "assistant")
    assert times == sorted(times)
    now = datetime.datetime.now(datetime.timezone.utc)
    assert all(abs((now - time).total_seconds()) < 60 for time in times)


def places(messages: list[dict], kind: str) -> list[int]:
    return [index for index, message in enumerate(messages) if message["type"] == kind]


def assert_answered(messages: list[dict], answer: str, is_aloud: bool = True):
    """Every token before the whole text, the whole text once; the sound is announced before it is heard."""
    tokens, complete = places(messages, "text_stream"), places(messages, "text_complete")
    assert len(complete) == 1 and tokens and max(tokens) < complete[0]
    assert "".join(message["token"] for message in of_type(messages, "text_stream")) == answer
    assert messages[complete[0]]["content"] == answer
    status, started, finished = (places(messages, kind) for kind in ("processing_status", "speech_started", "speech_finished"))
    if not is_aloud:
        assert status == started == finished == []
        return
    assert len(status) == len(started) == len(finished) == 1 and tokens[0] < status[0] < started[0] < finished[0]
    assert messages[status[0]]["status"] == "generating_audio_video" and messages[status[0]]["message"]
    begin, end = messages[started[0]], messages[finished[0]]
    assert begin["utterance_id"] == end["utterance_id"] and begin["playback_position_ms"] == 0
    assert end["playback_position_ms"] > 500 and end["interrupted"] is False


def test_the_front_end_s_own_conversation(server):
    """POST, WebSocket, init, offer, text_webrtc, answer in text and speech, idle, DELETE."""
    with Watcher(server) as viewer:
        viewer.say(type="init", avatar_id="avatar_tutor_1")
        viewer.hear_nothing_but("webrtc_state", "webrtc_ice_candidate", "activity")
        mark = len(viewer.seen)
        viewer.question("Why is the sky blue?", session_id=viewer.session["session_id"], engine_session_id=None, kb_id=None)
        viewer.spoken_turn()
        viewer.hear_until(lambda message: message.get("state") == "idle")
        heard = viewer.seen[mark:]
        assert_formed(heard)
        assert_answered(heard, ANSWER)
        states = [message["state"] for message in of_type(heard, "activity")]
        assert states == ["thinking", "speaking", "idle"]
        turn, = of_type(heard, "turn")
        assert turn["kind"] == "typed" and 0 <= turn["first_token_ms"] <= turn["first_sound_ms"]
        assert 0 <= turn["server_share_ms"] <= turn["first_sound_ms"]
        assert request("DELETE", f"{server.http}/v1/sessions/{viewer.session['session_id']}")[0] == 204
        assert viewer.closed()[0] == 1000


def test_a_text_without_a_viewer_is_answered_in_text_alone(server, services):
    with client_of(session_of(server)) as client:
        client.say(type="text", content="Why is the sky blue?", avatar_id="avatar_tutor_1", user_id=1, tutor_id=1)
        client.hear("turn")
        client.hear_nothing_but("activity")
        assert_formed(client.seen)
        assert_answered(client.seen, ANSWER, is_aloud=False)
    assert services.questions[-1][-1] == {"role": "user", "content": "Why is the sky blue?"}


def test_a_text_with_a_viewer_is_answered_aloud(server):
    with Watcher(server) as viewer:
        viewer.say(type="text", content="Why is the sky blue?")
        heard = viewer.spoken_turn()
        assert_formed(heard)
        assert_answered(heard, ANSWER)


@pytest.mark.parametrize("is_watched", [True, False])
def test_an_audio_message_is_transcribed_and_answered(server, services, is_watched):
    services.transcript = "Why is the sky blue?"
    with Watcher(server) if is_watched else client_of(session_of(server)) as client:
        client.say(type="audio", data=base64.b64encode(wav(tone(1.2))).decode(), avatar_id="avatar_tutor_1")
        client.hear("speech_finished" if is_watched else "turn")
        transcription, = of_type(client.seen, "transcription")
        assert transcription["content"] == "Why is the sky blue?"
        heard = client.seen[places(client.seen, "transcription")[0]:]
        assert_formed(heard)
        assert_answered(heard, ANSWER, is_aloud=is_watched)
        turn, = of_type(client.seen, "turn")
        assert turn["kind"] == "recording" and turn["transcript_ms"] >= turn["heard_ms"]
    assert services.recordings


def test_a_verbatim_text_is_said_as_it_is_and_asked_nobody(server, services):
    count = len(services.questions)
    with Watcher(server) as viewer:
        viewer.question("Only these words.", verbatim=True)
        heard = viewer.spoken_turn()
        assert_formed(heard)
        assert [message["content"] for message in of_type(heard, "text_complete")] == ["Only these words."]
        assert of_type(heard, "text_stream") == []
        assert places(heard, "text_complete")[0] < places(heard, "processing_status")[0] < places(heard, "speech_started")[0]
    assert len(services.questions) == count


def test_the_dialogue_belongs_to_one_session_and_remembers(server, services):
    with Watcher(server) as one, Watcher(server) as two:
        one.question("I am the first.")
        one.spoken_turn()
        two.question("I am the second.")
        two.spoken_turn()
        one.question("Who am I?")
        one.spoken_turn()
    asked = services.questions[-1]
    assert [message["content"] for message in asked if message["role"] == "user"] == ["I am the first.", "Who am I?"]
    assert [message["content"] for message in asked if message["role"] == "assistant"] == [ANSWER]


def test_a_new_question_cuts_off_the_answer_before(server):
    with Watcher(server) as viewer:
        viewer.question("Why is the sky blue?")
        viewer.hear("speech_started")
        mark = len(viewer.seen)
        viewer.question("And why is grass green?")
        viewer.hear_until(lambda message: message["type"] == "speech_finished" and not message["interrupted"])
        finished = of_type(viewer.seen[mark:], "speech_finished")
        assert [message["interrupted"] for message in finished] == [True, False]
        assert len({message["utterance_id"] for message in finished}) == 2


def test_a_user_without_a_session_converses_too(server):
    with Client(f"{server.ws}/ws/user_77") as client:
        client.say(type="text", content="Why is the sky blue?", user_id=77)
        assert client.hear("error")["content"] == "tutor_id is required in sessionless mode"
        client.say(type="text", content="Why is the sky blue?", user_id=77, tutor_id=1)
        client.hear("turn")
        assert_answered(client.seen, ANSWER, is_aloud=False)


@pytest.mark.parametrize("message, text", [
    ({"type": "text", "user_id": 1}, "content is required"), ({"type": "text", "content": ""}, "content is required"),
    ({"type": "audio"}, "Audio data is required"), ({"type": "audio", "data": ""}, "Audio data is required"),
    ({"type": "audio", "data": 5}, "Audio data is required")])
def test_what_is_missing_is_named(server, message, text):
    with client_of(session_of(server)) as client:
        answer = client.ask(message)
        assert answer["content"] == text
        assert_formed([answer])
        client.hear_nothing_but()


# The floor


def test_of_two_viewers_who_speak_at_once_the_first_is_heard(server, services, tmp_path):
    """Both have microphones in one session. Who speaks into the other's speech is not heard; who speaks after it is."""
    long = spoken("would you please tell everybody in this room what you think about the blue sky", tmp_path / "long.wav")
    short = spoken("no not now", tmp_path / "short.wav")
    assert len(long) > 2.5 * len(short)
    services.transcript = "What do you think?"

    async def talk():
        async with Talker(server, decodes_pictures=False) as one:
            async with Talker(server, decodes_pictures=False, session=one.session, student=2) as two:
                count = len(services.recordings)
                said = one.microphone.say(long)
                await two.hear("activity", state="listening")
                overlap = two.microphone.say(short)
                await overlap.wait()
                assert not said.is_set(), "the second was not short enough to speak into the first"
                for viewer in (one, two):
                    await viewer.hear("transcription", content="What do you think?")
                    finished = await viewer.hear("speech_finished")
                    assert finished["interrupted"] is False
                assert len(services.recordings) == count + 1, "the second had the floor as well"
                assert abs(seconds(services.recordings[-1]) - len(long) / RATE) < 1.2
                mark = len(two.messages)
                two.microphone.say(short)
                await two.hear("transcription", after=mark)
                await one.until(lambda: len(one.heard("transcription")) == 2)
                assert len(services.recordings) == count + 2
                assert seconds(services.recordings[-1]) < seconds(services.recordings[-2])
    run(talk())


def seconds(recording: bytes) -> float:
    """Of a WAV file at 16 kHz."""
    return len(np.frombuffer(recording[44:], "<i2")) / 16_000


def test_a_viewer_who_leaves_while_speaking_gives_the_floor_back(server, services, tmp_path):
    short, long = spoken("what is this", tmp_path / "short.wav"), spoken("one two three four five six seven eight", tmp_path / "long.wav")
    services.transcript = "What is this?"

    async def talk():
        async with Talker(server, decodes_pictures=False) as one:
            async with Talker(server, decodes_pictures=False, session=one.session, student=2) as two:
                two.microphone.say(np.concatenate([long] * 4))
                await one.hear("activity", state="listening")
            await one.hear("activity", state="idle")
            mark = len(one.messages)
            one.microphone.say(short)
            await one.hear("transcription", after=mark)
    run(talk())
