"""Services that fail in every way there is: the viewer is told and hears an apology, and the session goes on."""
from __future__ import annotations

import base64
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from openai_server import FAULTS, OpenAIServer, tone, wav
from server import Server, request
from signaling import Watcher, of_type
from talker import Talker, run

PARTS = ("voice", "answering", "hearing")
KEY = "sk-test-4711-secret"
QUESTION = base64.b64encode(wav(tone(1.0))).decode()
# The built-in dialogue knows the answer to this.
HELLO = "Hello"
# A fault that is mended by asking again.
MENDED = "error500once"
# What would be heard for minutes: a sound that is refused at its limit, and an answer that is cut at its limit.
ENDLESS = {("voice", "huge"): "error", ("answering", "huge"): "text_complete"}
SMALL = {"avatar": {"width": 128, "height": 128, "frames_per_second": 10}}


class Services(OpenAIServer):
    """Whose faults can be mended: an endpoint that answered by a fault does its work from then on."""

    def __init__(self):
        super().__init__(transcript=HELLO, answer="All is well.", key=KEY)
        self.mended: set[tuple[str, str]] = set()

    async def _answer(self, request, model, media_type, pieces, huge=b""):
        part = {"speech": "voice", "transcriptions": "hearing", "completions": "answering"}[request.path.rsplit("/", 1)[1]]
        return await super()._answer(request, "test" if (part, model) in self.mended else model, media_type, pieces, huge)


@pytest.fixture(scope="module")
def stand():
    os.environ["AVATAR_TEST_KEY"] = KEY
    with Services() as services:
        def profile(part, fault):
            service = {"backend": "openai", "url": services.url, "model": fault, "api_key_env": "AVATAR_TEST_KEY", "timeout_seconds": 1}
            return {part: service}
        profiles = {f"{part}-{fault}": profile(part, fault) for part in PARTS for fault in FAULTS}
        with Server(profiles=profiles, answering={"apology": "Sorry."}, **SMALL) as server:
            yield server, services
            assert server.process.poll() is None, server.log()[-2000:]


def beside(**settings) -> Server:
    """A server on media ports of its own, since the module's holds the usual ones."""
    return Server(webrtc={"port_min": 10210, "port_max": 10215}, **settings)


def ask(viewer: Watcher, part: str):
    if part == "hearing":
        viewer.say(type="audio", data=QUESTION, avatar_id=viewer.avatar)
    else:
        viewer.question(HELLO)


def turn(viewer: Watcher, part: str, fault: str) -> list[dict]:
    """Asks, and hears all of it; what would go on for minutes is cut off."""
    ask(viewer, part)
    sign = ENDLESS.get((part, fault))
    if sign is None:
        return viewer.spoken_turn()
    heard = viewer.hear_until(lambda message: message["type"] == sign)
    if not of_type(heard, "speech_started"):
        heard += viewer.hear_until(lambda message: message["type"] == "speech_started")
    viewer.say(type="interrupt")
    return heard + viewer.spoken_turn()


@pytest.fixture(scope="module")
def outcomes(stand):
    """Of each part and fault: what a viewer heard of the failing turn and of the next, when the service was well again."""
    server, services = stand

    def experience(case):
        part, fault = case
        with Watcher(server, f"{part}-{fault}") as viewer:
            bad = turn(viewer, part, fault)
            told = [entry for entry in server.health()["degraded"] if entry["part"] == part and f"{fault} at " in entry["reason"]]
            services.mended.add(case)
            ask(viewer, part)
            return bad, viewer.spoken_turn(), told

    cases = [(part, fault) for part in PARTS for fault in FAULTS]
    with ThreadPoolExecutor(6) as pool:
        futures = {case: pool.submit(experience, case) for case in cases}
    return futures


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("part", PARTS)
def test_a_failing_service_is_told_and_apologised_for_and_the_session_goes_on(outcomes, part, fault):
    bad, good, health = outcomes[part, fault].result()
    errors = [message["content"] for message in of_type(bad, "error")]
    print(errors)
    if fault == MENDED or (part, fault) == ("answering", "huge"):
        assert errors == [] and health == []
        assert all(len(message["content"]) <= 16_000 for message in of_type(bad, "text_complete"))
    else:
        assert len(health) == 1 and health[0]["remedy"], health
        # One line that names the part, what happened, and what to do about it.
        assert len(errors) == 1 and errors[0].startswith(part + ": ") and "(" in errors[0], bad
        assert errors[0].isprintable() and "<" not in errors[0] and len(errors[0]) < 600
    assert of_type(bad, "speech_started"), "nothing was said, not even an apology"
    assert of_type(good, "error") == [] and of_type(good, "speech_finished")[0]["interrupted"] is False
    if part == "answering":
        assert of_type(good, "text_complete")[0]["content"] == "All is well."
    if part == "hearing":
        assert of_type(good, "transcription")[0]["content"] == HELLO


def test_failures_are_counted_by_part_and_kind(stand, outcomes):
    server, _ = stand
    for part, code, least in (("voice", "timed_out", 2), ("answering", "malformed_answer", 3), ("hearing", "refused", 4)):
        names = [line for line in request("GET", server.http + "/metrics")[2].splitlines() if "conversation_failures_total{" in line]
        count = sum(float(line.rsplit(" ", 1)[1]) for line in names if f'part="{part}"' in line)
        assert count >= len(FAULTS) - 3, names
    assert server.metric("avatar_conversation_apologies_total") >= 3 * (len(FAULTS) - 3)


def test_health_is_well_again_once_the_services_are(stand, outcomes):
    server, _ = stand
    assert server.health()["status"] == "healthy", server.health()["degraded"]


def test_the_services_key_is_told_to_nobody_but_them(stand, outcomes):
    server, services = stand
    assert {asked.key for asked in services.asked} == {KEY}
    told = [str(messages) for future in outcomes.values() for messages in future.result()]
    told += [str(server.health()), request("GET", server.http + "/metrics")[2], server.log()]
    assert not any(KEY in text for text in told)
    assert "Incorrect API key provided" in str(outcomes["voice", "error401"].result()), "the service's own words are missing"


@pytest.mark.parametrize("part", PARTS)
def test_the_apology_is_heard(stand, part):
    """By a viewer with a peer connection, in sound."""
    server, services = stand
    services.mended.discard((part, "error500"))

    async def listen():
        async with Talker(server, avatar=f"{part}-error500", decodes_pictures=False) as viewer:
            since = len(viewer.packets)
            if part == "hearing":
                await viewer.send(type="audio", data=QUESTION, avatar_id=viewer.avatar)
            else:
                await viewer.ask(HELLO)
            error = await viewer.hear("error")
            assert "The model has crashed" in error["content"]
            await viewer.hear("speech_finished")
            assert viewer.loud_spans(since), "the apology made no sound"
    run(listen())


def test_a_service_that_is_not_there_is_named_with_its_remedy():
    nowhere = {"backend": "openai", "url": "http://127.0.0.1:1/v1", "model": "none", "timeout_seconds": 1}
    with beside(voice=nowhere, answering=nowhere | {"apology": "Sorry."}, **SMALL) as server:
        with Watcher(server) as viewer:
            viewer.question(HELLO)
            heard = viewer.spoken_turn()
            errors = [message["content"] for message in of_type(heard, "error")]
            # The apology of the answer is said by the voice, which fails as well and is stood in for.
            assert [error.split(":")[0] for error in errors] == ["answering", "voice"]
            assert all("start the service, or correct" in error for error in errors)
            viewer.hear_nothing_but("activity", "turn")


def test_a_key_that_is_missing_is_degraded_and_named(tmp_path):
    part = {"backend": "openai", "url": "http://127.0.0.1:1/v1", "model": "x", "api_key_env": "AVATAR_NO_SUCH_KEY"}
    with beside(answering=part, voice={"backend": "openai", "url": "http://127.0.0.1:1/v1", "model": "x",
                                       "api_key_file": str(tmp_path / "missing")}, **SMALL) as server:
        health = server.health()
        assert health["status"] == "degraded"
        told = {entry["part"]: entry for entry in health["degraded"]}
        assert "AVATAR_NO_SUCH_KEY" in str(told["answering"]) and "missing" in str(told["voice"])
        assert all(entry["remedy"] for entry in told.values())
        with Watcher(server) as viewer:
            viewer.question(HELLO)
            assert {message["content"].split(":")[0] for message in of_type(viewer.spoken_turn(), "error")} == {"answering", "voice"}
