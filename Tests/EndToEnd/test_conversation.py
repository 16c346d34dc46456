"""A viewer asks aloud or in writing and is answered aloud; what both sides say is shown (acceptance 1 and 5)."""
import asyncio
import os

import pytest
from playwright.sync_api import sync_playwright

from conftest import ARTIFACTS
from openai_server import OpenAIServer
from server import Server, request
from talker import RATE, Talker, run, spoken, tone, wav

QUESTION = "What time does the library open tomorrow?"


@pytest.fixture
def talking_browser(tmp_path):
    """A Chromium whose microphone is a recorded question, said once."""
    import numpy as np
    question = np.concatenate([np.zeros(RATE * 2, np.int16), spoken(QUESTION, tmp_path / "q.wav"), np.zeros(RATE * 60, np.int16)])
    recording = tmp_path / "microphone.wav"
    recording.write_bytes(wav(question))
    arguments = ["--allow-loopback-in-peer-connection", "--autoplay-policy=no-user-gesture-required",
                 "--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={recording}%noloop"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    yield arguments


def converse(browser, server, name):
    """Opens the page, talks, and returns what it shows at the end."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    context.grant_permissions(["microphone"], origin=server.http)
    page = context.new_page()
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(server.http + "/")
    page.wait_for_selector("#phase-media.done", timeout=20_000)
    page.evaluate("""() => { window.heard = [];
        session.addEventListener("message", ({ detail }) => heard.push(detail)); }""")
    page.click("#open")
    page.wait_for_function("heard.some(message => message.type === 'transcription')", timeout=40_000)
    page.wait_for_function("heard.some(message => message.type === 'speech_started')", timeout=20_000)
    page.wait_for_timeout(400)  # The picture of the open mouth is for people to look at; nothing is asserted on it.
    page.screenshot(path=str(ARTIFACTS / f"{name}.png"))
    page.wait_for_function("heard.some(message => message.type === 'speech_finished')", timeout=40_000)
    heard = page.evaluate("heard")
    shown = {kind: page.locator(f"#transcript .{kind}").last.inner_text() for kind in ("you", "avatar")}
    turn = page.locator("#turns rect").count()
    context.close()
    assert problems == []
    return heard, shown, turn


def test_a_spoken_question_is_answered_with_what_is_built_in(browser, talking_browser):
    with Server() as server:
        chromium = browser.browser_type.launch(executable_path="/usr/bin/chromium", args=talking_browser)
        heard, shown, turn = converse(chromium, server, "conversation")
        chromium.close()
        transcript = next(message["content"] for message in heard if message["type"] == "transcription")
        answer = next(message["content"] for message in heard if message["type"] == "text_complete")
        tokens = "".join(message["token"] for message in heard if message["type"] == "text_stream")
        print(f"heard: {transcript!r}; answered: {answer!r}")
        assert {"time", "library", "tomorrow"} <= set(transcript.lower().split())
        assert shown["you"] == transcript and shown["avatar"] == answer and tokens.strip() == answer.strip()
        assert not next(message for message in heard if message["type"] == "speech_finished")["interrupted"]
        assert turn >= 2
        conversation = server.health()["conversation"]
        assert "script" in conversation["answering"] and "pocketsphinx" in conversation["hearing"]


def test_a_spoken_question_is_answered_by_services(browser, talking_browser):
    with OpenAIServer(transcript="What is the capital of France?", answer="The capital of France is Paris. It lies on the Seine.") as services:
        with Server(**services.settings) as server:
            chromium = browser.browser_type.launch(executable_path="/usr/bin/chromium", args=talking_browser)
            heard, shown, _ = converse(chromium, server, "conversation-services")
            chromium.close()
            assert shown == {"you": "What is the capital of France?",
                             "avatar": "The capital of France is Paris. It lies on the Seine."}
            assert server.health()["status"] == "healthy"
        assert services.questions[-1][-1] == {"role": "user", "content": "What is the capital of France?"}


def test_two_sessions_of_one_tutor_talk_at_once_and_nothing_crosses_over():
    with Server() as server:
        async def talk():
            async with Talker(server, student=1, decodes_pictures=False) as one, Talker(server, student=2, decodes_pictures=False) as two:
                starts = len(one.packets), len(two.packets)
                await asyncio.gather(one.ask("I am the first of the two.", verbatim=True), two.send(type="ping"))
                await one.hear("speech_finished")
                assert two.loud_spans(starts[1]) == [] and two.heard("text_complete") == []
                # Both at once; cutting off one leaves the other speaking.
                await asyncio.gather(one.ask("Only the first of us hears this long sentence, word by word by word.", verbatim=True),
                                     two.ask("Only the second of us hears this other long sentence, to its very end.", verbatim=True))
                mark = len(one.messages)
                await asyncio.gather(one.until(lambda: len(one.heard("speech_started")) == 2), two.hear("speech_started"))
                await one.send(type="interrupt")
                cut = await one.hear("speech_finished", after=mark)
                whole = await two.hear("speech_finished")
                assert cut["interrupted"] and not whole["interrupted"]
                assert {message["content"] for message in two.heard("text_complete")} == {
                    "Only the second of us hears this other long sentence, to its very end."}
        run(talk())


def test_speaking_over_the_avatar_interrupts_it(tmp_path):
    with Server() as server:
        async def talk():
            async with Talker(server, decodes_pictures=False) as viewer:
                await viewer.ask("This is a very long sentence that nobody will hear to its end. " * 6, verbatim=True)
                await viewer.hear("speech_started")
                # Two seconds of speech tell the server that there is no echo of it.
                begin = len(viewer.packets)
                await viewer.until(lambda: len(viewer.packets) >= begin + 100)
                viewer.microphone.say(spoken("excuse me please stop that now", tmp_path / "a.wav"))
                finished = await viewer.hear("speech_finished")
                assert finished["interrupted"]
                await viewer.hear("transcription")
        run(talk())


def test_the_avatar_s_own_echo_does_not_interrupt_it():
    """The viewer's microphone sends back what the avatar says, 120 ms later and quieter."""
    with Server() as server:
        async def talk():
            async with Talker(server, decodes_pictures=False) as viewer:
                await viewer.ask("The quick brown fox jumps over the lazy dog, and then it does so once more for everybody.", verbatim=True)
                await viewer.hear("speech_started")

                async def echo():
                    sent = len(viewer.packets) - 1
                    while not viewer.heard("speech_finished"):
                        await asyncio.sleep(0.12)
                        samples, packets = viewer.sound(0)
                        viewer.microphone.say((samples[sent * 960:len(packets) * 960] * 0.3).astype("int16"))
                        sent = len(packets)
                task = asyncio.create_task(echo())
                finished = await viewer.hear("speech_finished", timeout=40)
                task.cancel()
                assert not finished["interrupted"]
        run(talk())


def test_a_session_is_driven_over_http():
    with Server() as server:
        async def drive():
            async with Talker(server, decodes_pictures=False) as viewer:
                url = f"{server.http}/v1/sessions/{viewer.session['session_id']}/events"
                token = {"Authorization": f"Bearer {viewer.session['engine_token']}"}
                async with viewer.http.get(url, headers=token) as events:
                    assert events.status == 200 and events.content_type == "text/event-stream"
                    status, answer = await viewer.post("speak", {"text": "Hello from another server."})
                    assert status == 202 and answer["utterance_id"]
                    seen = b""
                    while b"speech_finished" not in seen:
                        seen += await asyncio.wait_for(events.content.readany(), 20)
                    assert answer["utterance_id"].encode() in seen
                status, answer = await viewer.post("speak", {"ssml": "<speak>Wait <break time='300ms'/> for <sub alias='it'>x</sub>.</speak>"})
                assert status == 202
                status, _ = await viewer.post("speak", {"ssml": "<speak>never closed"})
                assert status == 422
                await viewer.post("speak", {"text": "A long sentence that is going to be cut off before its end has come. " * 3})
                await viewer.until(lambda: len(viewer.heard("speech_started")) >= 2)
                status, answer = await viewer.post("interrupt")
                assert status == 200 and answer["interrupted"][0]["playback_position_ms"] >= 0
        run(drive())
        assert request("POST", server.http + "/v1/sessions/nobody/speak", {"text": "x"})[0] in (401, 404)
