"""Sound and picture of a file with a flash and a beep each second arrive together (acceptance 10)."""
import json
import subprocess
from pathlib import Path

from server import ROOT, Server, request

# Watches brightness at each presented frame and loudness in an audio worklet's clock; pairs each flash with the nearest beep.
MEASURE = """
async index => {
  const viewer = window.viewers[index];
  const [video, audio] = ["video", "audio"].map(kind => viewer.pc.getReceivers().find(r => r.track.kind === kind));
  const flashes = [], beeps = [];
  const canvas = new OffscreenCanvas(16, 16), context = canvas.getContext("2d", { willReadFrequently: true });
  const frames = new MediaStreamTrackProcessor({ track: video.track }).readable.getReader();
  const sounds = new MediaStreamTrackProcessor({ track: audio.track }).readable.getReader();
  let bright = false, loud = 0;
  const until = performance.now() + 12000;
  const watch = (async () => { while (performance.now() < until) {
    const { value, done } = await frames.read();
    if (done) break;
    const at = performance.now();
    context.drawImage(value, 0, 0, 16, 16);
    const is = context.getImageData(8, 8, 1, 1).data[1] > 128;
    if (is && !bright) flashes.push(at);
    bright = is;
    value.close();
  } })();
  const listen = (async () => { let quiet = 0; while (performance.now() < until) {
    const { value, done } = await sounds.read();
    if (done) break;
    const at = performance.now();
    const samples = new Float32Array(value.numberOfFrames);
    value.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
    const first = samples.findIndex(x => Math.abs(x) > 0.1);
    if (first >= 0) { if (quiet > 20) beeps.push(at + first / value.sampleRate * 1000); quiet = 0; } else quiet += 1;
    value.close();
  } })();
  await Promise.all([watch, listen]);
  return { flashes, beeps };
}
"""


def flash_and_beep(path):
    """A second of black with a white first frame and a 50 ms beep beginning with it; ten of them."""
    subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-y",
         "-f", "lavfi", "-i", "color=black:s=512x512:r=30:d=10,geq=lum='if(lt(mod(T,1),0.09),235,16)':cb=128:cr=128",
         "-f", "lavfi", "-i", "aevalsrc='if(lt(mod(t,1),0.05),0.8*sin(2*PI*1000*t),0)':s=48000:d=10",
         "-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-c:a", "pcm_s16le", str(path)], check=True)


def playing(clip_server: Server):
    """A running server whose tutor 1 has the clip for an avatar."""
    clip = clip_server.folder / "flash.mkv"
    flash_and_beep(clip)
    clip_server.start()
    status, _, answer = request("POST", clip_server.http + "/v1/avatars", {
        "avatar_id": "avatar_tutor_1", "video_path": str(clip), "apply_blur": False, "tutor_id": 1})
    assert status == 201, answer
    return clip_server


def skew(flashes: list[float], beeps: list[float]) -> tuple[float, float, float]:
    """Median, least and greatest of beep minus flash, paired with the nearest."""
    skews = sorted(min((beep - flash for beep in beeps), key=abs) for flash in flashes)
    assert len(skews) >= 8, (flashes, beeps)
    return skews[len(skews) // 2], skews[0], skews[-1]


def test_flash_and_beep_belong_together_by_their_timestamps():
    """What any player is told: content, RTP time and sender reports together. Does not depend on speed."""
    server = Server()
    try:
        playing(server)
        run = subprocess.run([ROOT / ".venv/bin/python", Path(__file__).parent / "aiortc_viewer.py", "skew", server.http],
                             capture_output=True, text=True, timeout=90)
        assert run.returncode == 0, run.stderr
        edges = json.loads(run.stdout.splitlines()[-1])["edges"]
        median, least, greatest = (1000 * value for value in skew(edges["video"], edges["audio"]))
        print(f"skew by timestamps: median {median:.1f} ms, {least:.1f} to {greatest:.1f} ms")
        assert -20 <= least and greatest <= 20
    finally:
        server.stop()


def test_flash_and_beep_come_out_of_a_browser_together(viewers):
    """What Chromium's own playout makes of it, which mends nothing below 30 ms."""
    server = Server()
    try:
        playing(server)
        page = viewers(server)
        index = page.connect(policy="relay")
        page.wait_for_picture(index)
        page.wait_for_frames(index, 60)
        seen = page.page.evaluate(MEASURE, index)
        median, least, greatest = skew(seen["flashes"], seen["beeps"])
        print(f"skew in Chromium: median {median:.1f} ms, {least:.1f} to {greatest:.1f} ms")
        assert abs(median) < 60
    finally:
        server.stop()
