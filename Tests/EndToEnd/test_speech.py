"""The avatar says what a viewer types, lips moving, and can be interrupted (acceptance 5)."""
import pytest

from server import Server

# Draws the video into a canvas each frame, and measures how much the mouth's region changes and how loud the sound is.
OBSERVE = """
index => {
  const viewer = window.viewers[index];
  const audio = new AudioContext();
  const source = audio.createMediaStreamSource(viewer.stream);
  const analyser = audio.createAnalyser();
  analyser.fftSize = 512;
  source.connect(analyser);
  const samples = new Float32Array(512);
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  viewer.track = [];
  let last = null;
  const look = () => {
    const width = viewer.video.videoWidth, height = viewer.video.videoHeight;
    canvas.width = width; canvas.height = height;
    context.drawImage(viewer.video, 0, 0);
    // The lower middle of the face: where the lips are.
    const pixels = context.getImageData(width * 0.38, height * 0.5, width * 0.24, height * 0.18).data;
    let change = 0;
    if (last) for (let i = 0; i < pixels.length; i += 4) change += Math.abs(pixels[i + 1] - last[i + 1]) > 40 ? 1 : 0;
    last = pixels;
    analyser.getFloatTimeDomainData(samples);
    const loudness = Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
    viewer.track.push({ at: performance.now(), change: change / (pixels.length / 4), loudness });
    viewer.video.requestVideoFrameCallback(look);
  };
  viewer.video.requestVideoFrameCallback(look);
  // Sound is watched faster than frames come.
  viewer.sound = [];
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    viewer.sound.push({ at: performance.now(), loudness: Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length) });
  }, 10);
}
"""
SAY = """
([index, text]) => {
  const viewer = window.viewers[index];
  viewer.said = performance.now();
  viewer.send({ type: "text_webrtc", content: text, avatar_id: "avatar_tutor_1", user_id: 1, tutor_id: 1 });
}
"""
HEARD = "index => window.viewers[index].sound.some(entry => entry.at > window.viewers[index].said && entry.loudness > 0.01)"


def finished(page, index):
    page.page.wait_for_function(
        "index => window.viewers[index].seen.messages.some(message => message.type === 'speech_finished')",
        arg=index, timeout=30_000)
    return page.page.evaluate(
        "index => window.viewers[index].seen.messages.filter(message => message.type.startsWith('speech_'))", index)


def test_a_sentence_is_spoken_with_moving_lips(viewers, record_property):
    with Server() as server:
        page = viewers(server)
        index = page.connect(policy="relay", muted=True)
        page.wait_for_picture(index)
        page.page.evaluate(OBSERVE, index)
        page.wait_for_frames(index, 45)
        page.page.evaluate(SAY, [index, "Hello there. I am the avatar, and I am very glad to meet you today."])
        page.page.wait_for_function(HEARD, arg=index, timeout=20_000)
        messages = finished(page, index)
        page.wait_for_frames(index, 60)
        viewer = page.page.evaluate(
            "index => ({said: viewers[index].said, track: viewers[index].track, sound: viewers[index].sound})", index)
        first = next(entry["at"] for entry in viewer["sound"] if entry["at"] > viewer["said"] and entry["loudness"] > 0.01)
        record_property("first_sound_ms", first - viewer["said"])
        print(f"{len(viewer['track'])} pictures and {len(viewer['sound'])} looks at the sound")
        print(f"first sound {first - viewer['said']:.0f} ms after the message")
        last = max(entry["at"] for entry in viewer["sound"] if entry["loudness"] > 0.01)
        speaking = [entry["change"] for entry in viewer["track"] if first + 200 < entry["at"] < last - 200]
        still = [entry["change"] for entry in viewer["track"] if entry["at"] < viewer["said"] or entry["at"] > last + 700]
        moving = sum(change > 0.005 for change in speaking) / len(speaking)
        resting = sum(change > 0.005 for change in still) / len(still)
        print(f"mouth moves in {moving:.0%} of frames while speaking, {resting:.0%} while silent")
        assert moving > 0.3
        assert resting < 0.1
        assert messages[0]["type"] == "speech_started" and messages[-1]["interrupted"] is False


def test_an_interruption_ends_the_speech(viewers):
    with Server() as server:
        page = viewers(server)
        index = page.connect(policy="relay")
        page.wait_for_picture(index)
        page.page.evaluate(OBSERVE, index)
        page.page.evaluate(SAY, [index, "This is a very long sentence that nobody will hear to its end. " * 5])
        page.page.wait_for_function(HEARD, arg=index, timeout=20_000)
        page.page.evaluate("index => window.viewers[index].send({type: 'interrupt'})", index)
        messages = finished(page, index)
        assert messages[-1]["interrupted"] is True
        assert 0 <= messages[-1]["playback_position_ms"] < 20_000


def test_one_session_s_speech_is_not_heard_in_another(viewers):
    with Server() as server:
        page = viewers(server)
        speaker, listener = page.connect(policy="relay"), page.connect(policy="relay")
        for index in (speaker, listener):
            page.wait_for_picture(index)
            page.page.evaluate(OBSERVE, index)
        page.page.evaluate(SAY, [speaker, "Only my own student hears this."])
        page.page.wait_for_function(HEARD, arg=speaker, timeout=20_000)
        finished(page, speaker)
        loud = page.page.evaluate("index => Math.max(...window.viewers[index].sound.map(entry => entry.loudness))", listener)
        assert loud < 0.005
