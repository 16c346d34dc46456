// The operator's page of the robot control service: what state it is in, and everything that can be asked of it.

import { Calls } from "./calls.js";
import { bytes, confirm, cut, dateAndTime, element, facts, make, pill, seconds } from "./dom.js";
import { Log, Pushes } from "./feeds.js";
import { Methods } from "./methods.js";
import { Socket } from "./socket.js";
import { Upload } from "./upload.js";

const STATES = {
  empty: ["no project", "wait"], loading: ["loading", "wait"], ready: ["ready", "good"], stopping: ["stopping", "wait"],
  waiting: ["restarting after a crash", "bad"], failed: ["failed", "bad"],
};
const LINKS = { connecting: ["connecting", "wait"], open: ["connected", "good"], waiting: ["server away", "bad"], refused: ["token needed", "wait"] };
const LOG_LINES = 500, DETAILS_CHARACTERS = 50_000, STATUS_MS = 1_000;

const socket = new Socket("/console");
const log = new Log(), pushes = new Pushes(), calls = new Calls(socket);
const upload = new Upload(socket, () => mayCall());
const methods = new Methods((object, method, args) => (mayCall() ? calls.call(object, method, args) : undefined), () => lock());
let status, isWatching = false, retryAt, versions = "", born;

function mayCall() { return socket.state === "open" && !isWatching; }

// MARK: The connection

socket.addEventListener("state", ({ detail: { state, reason, retryAt: next } }) => {
  retryAt = next;
  pill("link", ...LINKS[state]);
  element("away").hidden = state !== "waiting";
  element("away-reason").textContent = reason ? `${reason}.` : "";
  element("page").classList.toggle("stale", state !== "open");
  if (state === "open") welcome(); else lock();
  if (state === "waiting") upload.settle();
  if (state === "refused") askForToken(sessionStorage.getItem("control-token") ? "The server does not know this token." : "This server wants an access token.");
});
socket.addEventListener("message", ({ detail: { name, data } }) => {
  switch (name) {
    case "state": show(data); break;
    case "log": log.add(data); break;
    case "push": pushes.add(data); break;
    case "update_progress": upload.progress(data); break;
  }
});
element("away-now").addEventListener("click", () => socket.open());

async function welcome() {
  element("token-dialog").close();
  isWatching = false;
  lock();
  // Asked in one go: the answers come in this order.
  const [said, lines] = await Promise.all([socket.order("status"), socket.order("log", { lines: LOG_LINES, follow: true })]).catch(() => []);
  if (!said) return;
  if (said.status === "success") show(said.data);
  else {
    isWatching = true;
    lock();
  }
  if (lines.status === "success") log.replace(lines.data.lines);
  readHistory();
}

function lock() {
  element("watching").hidden = !isWatching || socket.state !== "open";
  const reason = isWatching ? "This token may listen but not call" : socket.state === "open" ? "" : "The server is away";
  for (const part of document.querySelectorAll(".operator")) {
    part.disabled = Boolean(reason);
    part.title = reason;
  }
}

// MARK: State

function show(state) {
  status = state;
  born = performance.now();
  // `access` says what this page's token allows.
  isWatching = state.access === "viewer";
  const { project, worker, failure } = state;
  const [title, kind] = STATES[state.state] ?? [state.state, ""];
  pill("state", title, kind);
  pill("client", state.client ? "client connected" : "no client", state.client ? "good" : "");
  pill("dropped", state.dropped_pushes > 0 ? `${state.dropped_pushes} pushes dropped` : "", "wait", "The client does not keep up with what the project pushes");
  const missing = worker?.confinement?.missing ?? [];
  const confined = missing.length === 0 ? "confined" : missing.length === 1 ? "1 limit missing" : `${missing.length} limits missing`;
  pill("confinement", worker?.confinement && confined, missing.length === 0 ? "good" : "wait", missing.join("\n"));
  showFailure(failure);
  facts(element("project"), {
    Kind: project?.type, Version: project?.version, "Brought by": project?.source, Since: project?.time && dateAndTime(project.time),
    "SHA-256": project?.sha256 && make("code", { textContent: project.sha256.slice(0, 16), title: project.sha256 }), Folder: project?.path,
  });
  element("project-empty").hidden = Boolean(project);
  upload.limit(state.limits?.maximum_archive_bytes);
  if (state.state !== "loading") upload.settle();
  showWorker();
  methods.show(state.objects, state.state);
  lock();
  const known = `${project?.version} ${project?.sha256}`;
  if (known !== versions) {
    versions = known;
    readHistory();
  }
}

function showFailure(failure) {
  element("failure").hidden = !failure;
  if (!failure) return;
  element("failure-message").replaceChildren(failure.message, " ", make("code", { textContent: failure.error_code }));
  element("failure-more").hidden = !failure.details;
  const details = typeof failure.details === "string" ? failure.details : JSON.stringify(failure.details ?? "", null, 2);
  element("failure-details").textContent = cut(details, DETAILS_CHARACTERS);
}

function showWorker() {
  const worker = status?.worker;
  element("worker-empty").hidden = Boolean(worker);
  element("interrupt-all").hidden = !(worker?.calls_running > 0);
  facts(element("worker"), worker ? {
    Process: worker.pid, Up: seconds(worker.uptime_seconds + (performance.now() - born) / 1000), Restarts: String(worker.restarts),
    Calls: `${worker.calls_running} running, ${worker.calls_queued} waiting`,
  } : {});
  const limits = (names, kind) => (names ?? []).map((name) => make("li", { className: kind, textContent: name }));
  element("confined").replaceChildren(...limits(worker?.confinement?.in_force, "good"), ...limits(worker?.confinement?.missing, "wait"));
}

// Calls that begin and end are no change of state: nobody would be told of thousands of them a second.
setInterval(async () => {
  if (document.hidden || socket.state !== "open" || !status?.worker) return;
  const answer = await socket.order("status").catch(() => undefined);
  if (answer?.status === "success" && answer.data.state === status?.state) show(answer.data);
}, STATUS_MS);

setInterval(() => {
  if (retryAt) element("away-when").textContent = `Trying again in ${Math.max(0, Math.ceil((retryAt - performance.now()) / 1000))} s.`;
  if (status?.worker && socket.state === "open") showWorker();
}, 1000);

// MARK: History, restart, interrupt

async function readHistory() {
  const answer = await socket.order("history").catch(() => undefined);
  const list = answer?.status === "success" ? answer.data.versions : [];
  element("history-empty").hidden = list.length > 0;
  element("history").replaceChildren(...list.map((entry) => {
    const number = entry.version ?? entry.number;
    const back = make("button", { type: "button", className: "small", textContent: "Roll back" });
    back.setAttribute("aria-label", `Roll back to version ${number}`);
    back.addEventListener("click", () => rollBack(number));
    const size = entry.bytes === undefined ? "" : `, ${bytes(entry.bytes)} in ${entry.files} files`;
    const item = make("li", {}, make("b", { textContent: number }),
      make("span", {}, entry.file_name ?? entry.source ?? "",
        make("span", { className: "faint", textContent: ` ${[entry.file_name && entry.source, entry.author, dateAndTime(entry.time)].filter(Boolean).join(", ")}${size}` })),
      number === status?.project?.version ? make("span", { className: "current", textContent: "runs" }) : make("fieldset", { className: "operator" }, back));
    item.dataset.version = number;
    item.title = entry.sha256 ? `SHA-256 ${entry.sha256}` : "";
    return item;
  }));
  lock();
}

async function order(name, argument, doing) {
  const said = element("order-said");
  said.hidden = false;
  said.className = "said";
  said.textContent = doing;
  const answer = await socket.order(name, argument).catch((error) => ({ status: "error", message: error.message }));
  said.className = answer.status === "success" ? "said good" : "said bad";
  said.textContent = answer.message;
  readHistory();
}

async function rollBack(version) {
  if (await confirm(`Stop what runs and go back to version ${version}?`, "Roll back")) order("rollback", { version }, `Going back to version ${version} …`);
}
element("restart").addEventListener("click", async () => {
  if (await confirm("Restart the project's worker? Calls that run are ended, and what the project holds in memory is lost.", "Restart")) order("restart", {}, "Restarting …");
});
element("interrupt-all").addEventListener("click", () => order("interrupt", {}, "Interrupting …"));

// MARK: Token

function askForToken(why) {
  const dialog = element("token-dialog");
  element("token-why").textContent = why;
  element("token").value = "";
  if (!dialog.open) dialog.showModal();
}
element("token-open").addEventListener("click", () => askForToken("Use another access token. An empty one is none."));
element("token-form").addEventListener("submit", () => {
  const token = element("token").value.trim();
  if (token) sessionStorage.setItem("control-token", token); else sessionStorage.removeItem("control-token");
  socket.open(token);
});
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem("control-token", given);
  // A token in the address would end up in screenshots and bookmarks.
  history.replaceState(null, "", location.pathname);
}
for (const empty of document.querySelectorAll(".empty")) empty.dataset.text = empty.textContent;
lock();
socket.open(sessionStorage.getItem("control-token") ?? "");
