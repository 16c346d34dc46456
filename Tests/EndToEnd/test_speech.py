"""The avatar says what a viewer types, lips moving, and can be interrupted (acceptance 5)."""
import pytest

from server import Server

# Draws the video into a canvas each frame, and measures how far the mouth is open and how loud the sound is.
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
  const look = () => {
    const width = viewer.video.videoWidth, height = viewer.video.videoHeight;
    canvas.width = width; canvas.height = height;
    context.drawImage(viewer.video, 0, 0);
    // Where the lips are; the dark red inside of the mouth shows only between parted ones, however the head moves.
    const pixels = context.getImageData(width * 0.38, height * 0.5, width * 0.24, height * 0.18).data;
    let inside = 0;
    for (let i = 0; i < pixels.length; i += 4) {
      if (pixels[i] < 150 && pixels[i] > pixels[i + 1] + 35 && pixels[i + 1] < 75) inside += 1;
    }
    analyser.getFloatTimeDomainData(samples);
    const loudness = Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
    viewer.track.push({ at: performance.now(), opening: inside / (pixels.length / 4), loudness });
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
  viewer.send({ type: "text_webrtc", content: text, avatar_id: "avatar_tutor_1", user_id: 1, tutor_id: 1,
                verbatim: true });
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
        # What is presented counts, not what is decoded: a busy machine presents late.
        page.page.wait_for_function("index => window.viewers[index].track.length >= 45", arg=index, timeout=20_000)
        page.page.evaluate(SAY, [index, "Hello there. I am the avatar, and I am very glad to meet you today."])
        page.page.wait_for_function(HEARD, arg=index, timeout=20_000)
        messages = finished(page, index)
        page.page.wait_for_function("""index => { const { track, sound } = window.viewers[index];
            const last = Math.max(...sound.filter(entry => entry.loudness > 0.01).map(entry => entry.at));
            return track.filter(entry => entry.at > last + 700).length >= 30; }""", arg=index, timeout=20_000)
        viewer = page.page.evaluate(
            "index => ({said: viewers[index].said, track: viewers[index].track, sound: viewers[index].sound})", index)
        first = next(entry["at"] for entry in viewer["sound"] if entry["at"] > viewer["said"] and entry["loudness"] > 0.01)
        record_property("first_sound_ms", first - viewer["said"])
        print(f"{len(viewer['track'])} pictures and {len(viewer['sound'])} looks at the sound")
        print(f"first sound {first - viewer['said']:.0f} ms after the message")
        last = max(entry["at"] for entry in viewer["sound"] if entry["loudness"] > 0.01)
        speaking = [entry["opening"] for entry in viewer["track"] if first + 200 < entry["at"] < last - 200]
        still = [entry["opening"] for entry in viewer["track"] if entry["at"] < viewer["said"] or entry["at"] > last + 700]
        assert speaking and still
        moving, resting = (sum(abs(after - before) > 0.004 for before, after in zip(part, part[1:])) / len(part)
                           for part in (speaking, still))
        print(f"opening while speaking {min(speaking):.3f} to {max(speaking):.3f}, changing in {moving:.0%} of the pictures; "
              f"silent {min(still):.3f} to {max(still):.3f}, changing in {resting:.0%}")
        # The closed lips' own shadow is what is seen in silence.
        assert max(speaking) > 2 * max(still) and moving > 0.3, "the lips do not move with the speech"
        assert max(still) < 0.02 and resting < 0.15, "the lips move without speech"
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
