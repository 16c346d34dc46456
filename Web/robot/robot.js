// The robot's page: its camera, how it stands, what its LiDAR sees, and the drive pad.

import { Connection } from "../connection.js";
import { Statistics } from "../statistics.js";
import { Attitude } from "./attitude.js";
import { RobotDoor, authorization } from "./door.js";
import { DrivePad } from "./drive.js";
import { Joints } from "./joints.js";
import { LidarMap } from "./lidar.js";
import { RobotPhases } from "./phases.js";

const LOW_STATE = "rt/lf/lowstate", SPORT_STATE = "rt/lf/sportmodestate", POSE = "rt/utlidar/robot_pose";
const VERBS = [
  ["stand_up", "Stand up"], ["stand_down", "Lie down"], ["balance_stand", "Balance"], ["recovery_stand", "Recover"], ["sit", "Sit"],
  ["rise_sit", "Rise"], ["hello", "Hello"], ["stretch", "Stretch"], ["damp", "Damp"],
];
const STATES = { connected: "good", connecting: "wait", waiting: "bad", idle: "", stopped: "" };
const RENEW_MS = 500;

const element = (id) => document.getElementById(id);
const parameters = new URLSearchParams(location.hash.slice(1));
let token = parameters.get("token") ?? sessionStorage.getItem("robot-token") ?? "";
let channel, lidarChannel, robot, isMine = false, limits = { x: 0, y: 0, yaw: 0 }, lastRequest = 0;
const pending = new Map();

const attitude = new Attitude(element("attitude"));
const joints = new Joints(element("joints"));
const map = new LidarMap(element("lidar"), element("lidar-facts"));
const phases = new RobotPhases(element("robot-phases"), element("report"));
const statistics = new Statistics(element("plots"), element("facts"));
const pad = new DrivePad(document.querySelectorAll(".stick"));
const video = element("video");
const connection = new Connection({
  userId: `robot-page-${Math.floor(Math.random() * 2 ** 31)}`, video, phases: element("phases"), notice: element("notice"),
  door: () => new RobotDoor(element("robot").value, token, adopt),
});
connection.addEventListener("session", ({ detail: session }) => {
  statistics.reset();
  window.session = session;
  lose();
});
connection.addEventListener("message", ({ detail }) => read(detail));

// MARK: Messages

function adopt(made) {
  channel = made;
  made.onmessage = ({ data }) => read(JSON.parse(data));
  made.onopen = () => {
    if (robot && robot.scope !== "watch") subscribe();
    if (element("lidar-switch").getAttribute("aria-pressed") === "true") openLidar();
  };
  made.onclose = () => { if (channel === made) { channel = undefined; lose(); } };
}

/// By the data channel once it is open: no TCP between a hand and the robot.
function send(message) {
  if (channel?.readyState === "open") channel.send(JSON.stringify(message));
  else connection.session?.send(message);
}

function subscribe() { send({ type: "robot_subscribe", topics: [LOW_STATE, SPORT_STATE, POSE] }); }

function read(message) {
  switch (message.type) {
    case "robot_state": showRobot(message.robot); break;
    case "robot_topic": showTopic(message.topic, message.value); break;
    case "drive_state": showDriver(message); break;
    case "robot_response": say(message.code === 0 ? "done" : message.message, message.request_id, message.code === 0); break;
    case "error": say(message.content, message.request_id, false); break;
  }
}

function command(name, title) {
  lastRequest += 1;
  pending.set(lastRequest, title);
  send({ type: "robot_command", request_id: lastRequest, command: name });
}

function say(text, request, isGood) {
  const item = document.createElement("li");
  item.className = isGood ? "" : "error";
  const title = pending.get(request);
  pending.delete(request);
  item.textContent = title ? `${title}: ${text}` : text;
  element("said").prepend(item);
  while (element("said").children.length > 6) element("said").lastChild.remove();
}

// MARK: What is shown

function showRobot(state) {
  const wasReading = robot && robot.scope !== "watch" && robot.state === "connected";
  robot = state;
  limits = state.limits ?? limits;
  pill("state", state.state, STATES[state.state]);
  pill("battery", state.battery && `${state.battery.percent} % battery`, state.battery?.percent < 20 ? "bad" : "");
  pill("network", state.network?.replace("NetworkStatus.", "").toLowerCase().replaceAll("_", " "), "");
  phases.show(state);
  element("faults").replaceChildren(...(state.faults ?? []).map(({ message }) => Object.assign(document.createElement("li"), { textContent: message })));
  const mayDrive = state.scope === "drive", mayRead = state.scope !== "watch";
  for (const button of [element("take"), element("halt"), ...element("verbs").children]) button.disabled = !mayDrive;
  element("take").title = mayDrive ? "" : "Driving needs an access token";
  element("lidar-switch").disabled = !mayRead || !state.lidar;
  if (mayRead && state.state === "connected" && !wasReading) subscribe();
  for (const button of element("verbs").children) button.hidden = state.commands !== undefined && !state.commands.includes(button.dataset.command);
}

function pill(id, text, kind) {
  const item = element(id);
  item.hidden = !text;
  item.textContent = text ?? "";
  item.className = `pill ${kind ?? ""}`;
}

function showTopic(topic, value) {
  if (topic === LOW_STATE) {
    joints.show(value.motor_state, value.foot_force);
    if (value.imu_state?.rpy && !robot?.hasFastAttitude) attitude.show(value.imu_state.rpy);
  } else if (topic === SPORT_STATE) {
    robot.hasFastAttitude = true;
    if (value.imu_state?.rpy) attitude.show(value.imu_state.rpy);
    facts({
      "Body height": metres(value.body_height), Speed: value.velocity && `${Math.hypot(...value.velocity).toFixed(2)} m/s`,
      Mode: value.mode, Gait: value.gait_type, State: value.error_code, Position: value.position?.slice(0, 2).map((axis) => axis.toFixed(2)).join(", "),
    });
    element("body").dataset.height = value.body_height;
  } else if (topic === POSE) {
    const { position, orientation: q } = value.pose;
    map.place(position.x, position.y, position.z, Math.atan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y * q.y + q.z * q.z)));
  }
}

const metres = (value) => (Number.isFinite(value) ? `${value.toFixed(3)} m` : undefined);

function facts(entries) {
  element("body").replaceChildren(...Object.entries(entries).filter(([, value]) => value !== undefined).flatMap(([name, value]) => [
    Object.assign(document.createElement("dt"), { textContent: name }), Object.assign(document.createElement("dd"), { textContent: value }),
  ]));
}

// MARK: Driving

function showDriver({ holder, reason }) {
  const had = isMine;
  isMine = holder === "you";
  element("take").setAttribute("aria-pressed", String(isMine));
  element("take").textContent = isMine ? "Give up control" : "Take control";
  document.querySelector(".drive").classList.toggle("mine", isMine);
  pill("driver", { you: "you drive", other: "somebody else drives" }[holder], holder === "you" ? "good" : "wait");
  if (isMine && !had) pad.start();
  if (!isMine && had) {
    pad.end();
    if (reason !== "released") say(`control ended: ${reason}`, undefined, false);
  }
}

function lose() { if (isMine) showDriver({ holder: "none", reason: "the connection was lost" }); }

pad.addEventListener("move", ({ detail: { x, y, yaw } }) => {
  const share = element("speed").value / 100;
  send({ type: "drive_move", x: x * limits.x * share, y: y * limits.y * share, yaw: yaw * limits.yaw * share });
});
pad.addEventListener("stop", () => send({ type: "drive_stop" }));
setInterval(() => { if (isMine && !document.hidden) send({ type: "drive_renew" }); }, RENEW_MS);
element("take").addEventListener("click", () => send({ type: isMine ? "drive_release" : "drive_acquire" }));
element("halt").addEventListener("click", halt);
addEventListener("keydown", (event) => {
  if (event.code !== "Space" || ["INPUT", "BUTTON", "SELECT"].includes(document.activeElement?.tagName)) return;
  event.preventDefault();
  halt();
});
function halt() {
  pad.letGo();
  send({ type: "drive_stop" });
}
for (const [name, title] of VERBS) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: title });
  button.dataset.command = name;
  button.addEventListener("click", () => command(name, title));
  element("verbs").append(button);
}
element("speed").addEventListener("input", () => { element("speed-value").textContent = `${element("speed").value} %`; });

// MARK: LiDAR

function openLidar() {
  const peer = connection.session?.peer;
  if (!peer || lidarChannel) return;
  const made = peer.createDataChannel("lidar", { ordered: false, maxRetransmits: 0 });
  made.binaryType = "arraybuffer";
  made.onmessage = ({ data }) => map.add(data);
  made.onclose = () => { if (lidarChannel === made) lidarChannel = undefined; };
  lidarChannel = made;
}
element("lidar-switch").addEventListener("click", () => {
  const isOn = element("lidar-switch").getAttribute("aria-pressed") !== "true";
  element("lidar-switch").setAttribute("aria-pressed", String(isOn));
  if (isOn) openLidar(); else { lidarChannel?.close(); lidarChannel = undefined; map.clear(); }
});

// MARK: Which robot, and with what token

element("key-open").addEventListener("click", () => {
  element("key").hidden = !element("key").hidden;
  element("key-open").setAttribute("aria-expanded", String(!element("key").hidden));
  element("token").focus();
});
element("key").addEventListener("submit", (event) => {
  event.preventDefault();
  token = element("token").value.trim();
  sessionStorage.setItem("robot-token", token);
  element("key").hidden = true;
  begin();
});
element("robot").addEventListener("change", () => { robot = undefined; connection.connect(); });
function unmute() {
  video.muted = false;
  element("unmute").hidden = true;
}
element("unmute").addEventListener("click", unmute);
connection.addEventListener("picture", () => { element("unmute").hidden = !robot?.sound || !video.muted; });
setInterval(() => { if (connection.isConnected) statistics.update(connection.session.peer); }, 1000);

async function begin() {
  const answer = await fetch("/v1/robots", { headers: authorization(token) }).catch(() => undefined);
  const list = await answer?.json().catch(() => undefined);
  if (!answer?.ok || !list?.robots) {
    connection.tell(list?.detail ?? "The server does not answer. Trying again …");
    element("key").hidden = answer?.status !== 401;
    if (answer?.status !== 401) setTimeout(begin, 2000);
    return;
  }
  const wished = parameters.get("robot") ?? element("robot").value;
  element("robot").replaceChildren(...list.robots.map(({ id }) => new Option(id, id, id === wished, id === wished)));
  if (list.robots.length === 0) { connection.tell("No robot is configured, or none may be watched without a token."); return; }
  connection.connect();
}
begin();
