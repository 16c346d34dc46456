// The viewer page: shows the avatar, says how the connection stands, and mends it by itself.

import { Session } from "./session.js";
import { Statistics } from "./statistics.js";

const PHASES = { server: "Server", signaling: "Signaling", path: "Path", media: "Picture" };
/// Waits between attempts, in milliseconds; the last one repeats.
const BACKOFF = [300, 700, 1500, 3000, 5000];
/// How long a dropped path may take to come back before ICE is restarted, and a restart before all begins anew.
const RESTART_AFTER_MS = 1000;
const RENEW_AFTER_MS = 6000;

const element = (id) => document.getElementById(id);
const video = element("video"), notice = element("notice"), transcript = element("transcript");
const userId = Math.floor(Math.random() * 2 ** 31);
const statistics = new Statistics(element("plots"), element("facts"));
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

function note(text, kind) {
  const item = document.createElement("li");
  item.textContent = text;
  if (kind) item.className = kind;
  transcript.append(item);
  while (transcript.children.length > 50) transcript.firstChild.remove();
  item.scrollIntoView({ block: "nearest" });
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
  const mine = new Session(userId);
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
    case "speech_started": note("speaking …", "speaking"); break;
    case "speech_finished": note(message.interrupted ? "interrupted" : "done"); break;
    case "text_complete": case "text": note(`avatar: ${message.content}`); break;
    case "error": note(message.content, "error"); break;
  }
}

element("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = element("text").value.trim();
  if (!text) return;
  unmute();
  note(`you: ${text}`);
  session.say(text);
  element("text").value = "";
});
element("interrupt").addEventListener("click", () => session.interrupt());
document.addEventListener("keydown", (event) => { if (event.key === "Escape") session.interrupt(); });

function unmute() {
  video.muted = false;
  element("unmute").hidden = true;
  video.play().catch(() => { video.muted = true; element("unmute").hidden = false; });
}
element("unmute").addEventListener("click", unmute);

addEventListener("online", () => { if (session?.peer?.connectionState !== "connected") connect(); else restart(); });
navigator.connection?.addEventListener?.("change", () => { if (session?.peer?.connectionState === "connected") restart(); });
addEventListener("pagehide", () => session?.close());
addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
setInterval(() => {
  if (session?.peer?.connectionState === "connected") statistics.update(session.peer);
}, 1000);

connect();
