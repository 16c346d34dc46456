// The viewer page: shows the avatar, talks with it, says how the connection stands, and mends it by itself.

import { Captions } from "./captions.js";
import { Connection } from "./connection.js";
import { Histograms } from "./histograms.js";
import { Microphone } from "./microphone.js";
import { AvatarDoor } from "./session.js";
import { Statistics } from "./statistics.js";
import { TurnChart } from "./turns.js";

const element = (id) => document.getElementById(id);
const DEFAULT_AVATAR = "avatar_tutor_1";
const ACTIVITIES = { listening: "listening …", thinking: "thinking …", speaking: "speaking …" };

const video = element("video"), activity = element("activity");
const userId = Math.floor(Math.random() * 2 ** 31);
const statistics = new Statistics(element("plots"), element("facts"));
const captions = new Captions(element("caption-you"), element("caption-avatar"), element("transcript"));
const turns = new TurnChart(element("turns"));
const histograms = new Histograms(element("histograms"));
const microphone = new Microphone();
const connection = new Connection({
  userId, video, phases: element("phases"), notice: element("notice"),
  door: () => new AvatarDoor(userId, element("avatar").value || DEFAULT_AVATAR),
});
connection.addEventListener("session", ({ detail: session }) => {
  statistics.reset();
  session.setMicrophone(microphone.track);
  showActivity("idle");
  window.session = session;
});
connection.addEventListener("message", ({ detail }) => read(detail));

function showActivity(state) {
  activity.textContent = ACTIVITIES[state] ?? "";
  activity.hidden = !ACTIVITIES[state];
  activity.dataset.state = state;
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
  connection.session.ask(text);
  element("text").value = "";
});
element("interrupt").addEventListener("click", () => connection.session.interrupt());

// MARK: Microphone

const talk = element("talk"), open = element("open");

async function listen(mode) {
  if (mode !== "off") unmute();
  const track = await microphone.set(mode);
  await connection.session?.setMicrophone(track);
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
  if (event.key === "Escape") connection.session.interrupt();
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
element("avatar").addEventListener("change", () => connection.connect());

function unmute() {
  video.muted = false;
  element("unmute").hidden = true;
  video.play().catch(() => { video.muted = true; element("unmute").hidden = false; });
}
element("unmute").addEventListener("click", unmute);

addEventListener("pagehide", () => microphone.set("off"));
setInterval(() => {
  if (connection.isConnected) statistics.update(connection.session.peer);
}, 1000);
element("server").addEventListener("toggle", () => { if (element("server").open) histograms.update(); });
setInterval(() => { if (element("server").open) histograms.update(); }, 5000);

async function listRobots() {
  const answer = await fetch("/v1/robots").catch(() => undefined);
  const list = await answer?.json().catch(() => undefined);
  element("robots").hidden = !list?.robots?.length;
}

connection.connect();
listAvatars();
listRobots();
