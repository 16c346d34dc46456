// The viewer page: shows the avatar, talks with it, says how the connection stands, and mends it by itself.

import { Captions } from "./captions.js";
import { Histograms } from "./histograms.js";
import { Microphone } from "./microphone.js";
import { Session } from "./session.js";
import { Statistics } from "./statistics.js";
import { TurnChart } from "./turns.js";

const PHASES = { server: "Server", signaling: "Signaling", path: "Path", media: "Picture" };
/// Waits between attempts, in milliseconds; the last one repeats.
const BACKOFF = [300, 700, 1500, 3000, 5000];
/// How long a dropped path may take to come back before ICE is restarted, and a restart before all begins anew.
const RESTART_AFTER_MS = 1000;
const RENEW_AFTER_MS = 6000;

const element = (id) => document.getElementById(id);
const DEFAULT_AVATAR = "avatar_tutor_1";
const ACTIVITIES = { listening: "listening …", thinking: "thinking …", speaking: "speaking …" };

const video = element("video"), notice = element("notice"), activity = element("activity");
const userId = Math.floor(Math.random() * 2 ** 31);
const statistics = new Statistics(element("plots"), element("facts"));
const captions = new Captions(element("caption-you"), element("caption-avatar"), element("transcript"));
const turns = new TurnChart(element("turns"));
const histograms = new Histograms(element("histograms"));
const microphone = new Microphone();
let session, attempt = 0, timers = [];

for (const [id, title] of Object.entries(PHASES)) {
  const item = document.createElement("li");
  item.id = `phase-${id}`;
  item.textContent = title;
  element("phases").append(item);
}

function setPhase(id, state, detail) {
  const item = element(`phase-${id}`);
  item.className = state;
  item.title = detail ?? "";
}

function tell(text) {
  notice.textContent = text ?? "";
  notice.hidden = !text;
}

function showActivity(state) {
  activity.textContent = ACTIVITIES[state] ?? "";
  activity.hidden = !ACTIVITIES[state];
  activity.dataset.state = state;
}

function later(milliseconds, action) {
  timers.push(setTimeout(action, milliseconds));
}

function forgetTimers() {
  timers.forEach(clearTimeout);
  timers = [];
}

async function connect() {
  forgetTimers();
  session?.close();
  for (const id of Object.keys(PHASES)) setPhase(id, "");
  statistics.reset();
  const mine = new Session(userId, element("avatar").value || DEFAULT_AVATAR);
  mine.setMicrophone(microphone.track);
  showActivity("idle");
  session = mine;
  window.session = mine;
  const current = (handler) => (event) => { if (session === mine) handler(event.detail); };
  mine.addEventListener("phase", current(({ phase, state, detail }) => setPhase(phase, state, detail)));
  mine.addEventListener("stream", current((stream) => { if (video.srcObject !== stream) video.srcObject = stream; }));
  mine.addEventListener("connection", current((state) => follow(state)));
  mine.addEventListener("message", current((message) => read(message)));
  mine.addEventListener("lost", current(({ reason }) => again(reason)));
  whenPictured(() => {
    if (session !== mine) return;
    setPhase("media", "done");
    tell();
    attempt = 0;
  });
  try {
    await mine.open();
  } catch (error) {
    if (session === mine) again(error.message);
  }
}

/// Calls back at the first picture that came over the wire; a fresh stream shows a blank one before.
function whenPictured(action) {
  if (!video.requestVideoFrameCallback) { video.addEventListener("timeupdate", action, { once: true }); return; }
  video.requestVideoFrameCallback((_, { rtpTimestamp }) => (rtpTimestamp === undefined ? whenPictured(action) : action()));
}

/// Follows the peer connection: waits a little, then restarts ICE, then begins anew.
function follow(state) {
  if (state === "connected") {
    forgetTimers();
    if (!element("phase-media").className) setPhase("media", "doing");
    tell();
  } else if (state === "disconnected") {
    tell("The connection was interrupted; waiting for it to come back …");
    later(RESTART_AFTER_MS, restart);
  } else if (state === "failed") {
    again("No path to the server: its UDP ports 10110-10115 are not reachable from here");
  }
}

async function restart() {
  tell("Looking for another path …");
  later(RENEW_AFTER_MS, () => again("The path did not come back"));
  await session.restartIce().catch((error) => again(error.message));
}

/// Begins anew after a while, and says why.
function again(reason) {
  forgetTimers();
  const wait = BACKOFF[Math.min(attempt, BACKOFF.length - 1)];
  attempt += 1;
  tell(`${reason}. Trying again${attempt > 1 ? ` (attempt ${attempt})` : ""} …`);
  later(wait, connect);
}

function read(message) {
  switch (message.type) {
    case "activity": showActivity(message.state); break;
    case "transcription": captions.you(message.content); break;
    case "text_stream": captions.token(message.token); break;
    case "text_complete": case "text": captions.avatar(message.content); break;
    case "speech_started": showActivity("speaking"); break;
    case "speech_finished": captions.spoken(message.interrupted); if (activity.dataset.state === "speaking") showActivity("idle"); break;
    case "turn": turns.add(message); break;
    case "error": captions.error(message.content); break;
  }
}

element("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = element("text").value.trim();
  if (!text) return;
  unmute();
  captions.you(text);
  session.ask(text);
  element("text").value = "";
});
element("interrupt").addEventListener("click", () => session.interrupt());

// MARK: Microphone

const talk = element("talk"), open = element("open");

async function listen(mode) {
  if (mode !== "off") unmute();
  const track = await microphone.set(mode);
  await session?.setMicrophone(track);
}

microphone.addEventListener("level", ({ detail }) => talk.style.setProperty("--level", detail.toFixed(2)));
microphone.addEventListener("mode", ({ detail }) => {
  talk.classList.toggle("on", detail === "hold");
  open.setAttribute("aria-pressed", String(detail === "open"));
});
microphone.addEventListener("problem", ({ detail }) => captions.error(detail));
if (!Microphone.isAvailable) {
  for (const button of [talk, open]) {
    button.disabled = true;
    button.title = "Browsers give a page the microphone only over HTTPS, or from this machine itself";
  }
}
talk.addEventListener("pointerdown", (event) => { talk.setPointerCapture(event.pointerId); hold(); });
for (const end of ["pointerup", "pointercancel"]) talk.addEventListener(end, () => release());
open.addEventListener("click", () => listen(microphone.mode === "open" ? "off" : "open"));

/// The server needs a moment of silence to hear that the turn is over, so the track stays for a while.
function release() {
  if (microphone.mode !== "hold") return;
  const track = microphone.track;
  if (track) track.enabled = false;
  setTimeout(() => {
    if (track?.enabled === false && microphone.mode === "hold") listen("off");
  }, 1200);
}

const isTyping = () => document.activeElement === element("text") || document.activeElement?.tagName === "SELECT";
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") session.interrupt();
  if (event.code !== "Space" || event.repeat || isTyping() || talk.disabled) return;
  event.preventDefault();
  hold();
});
document.addEventListener("keyup", (event) => { if (event.code === "Space" && !isTyping()) release(); });

function hold() {
  if (microphone.track) microphone.track.enabled = true;
  listen("hold");
}

// MARK: Avatars

async function listAvatars() {
  const answer = await fetch("/v1/avatars").catch(() => undefined);
  if (!answer?.ok) return;
  const { avatars } = await answer.json();
  if (avatars.length === 0) return;
  const choice = element("avatar");
  const options = [DEFAULT_AVATAR, ...avatars.filter((id) => id !== DEFAULT_AVATAR)];
  choice.replaceChildren(...options.map((id) => new Option(id === DEFAULT_AVATAR ? "Default avatar" : id, id)));
  choice.hidden = false;
}
element("avatar").addEventListener("change", () => connect());

function unmute() {
  video.muted = false;
  element("unmute").hidden = true;
  video.play().catch(() => { video.muted = true; element("unmute").hidden = false; });
}
element("unmute").addEventListener("click", unmute);

addEventListener("online", () => { if (session?.peer?.connectionState !== "connected") connect(); else restart(); });
navigator.connection?.addEventListener?.("change", () => { if (session?.peer?.connectionState === "connected") restart(); });
addEventListener("pagehide", () => { microphone.set("off"); session?.close(); });
addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
setInterval(() => {
  if (session?.peer?.connectionState === "connected") statistics.update(session.peer);
}, 1000);
element("server").addEventListener("toggle", () => { if (element("server").open) histograms.update(); });
setInterval(() => { if (element("server").open) histograms.update(); }, 5000);

connect();
listAvatars();
