// The two things that pour in: the log, and what the project pushes.

import { clock, cut, element, make } from "./dom.js";
import { Feed } from "./feed.js";

const LEVELS = ["debug", "info", "warning", "error"];
const PUSH_CHARACTERS = 20_000, LINE_CHARACTERS = 4_000, ROW_CHARACTERS = 300, EVENT_NAMES = 50;

export class Log {
  #feed;

  constructor() {
    this.#feed = new Feed({
      list: element("log"), empty: element("log-empty"), follow: element("log-follow"), pause: element("log-pause"), clear: element("log-clear"), render: line,
    });
    for (const id of ["log-filter", "log-level", "log-source"]) element(id).addEventListener("input", () => this.#filter());
  }

  add(entry) { this.#feed.add(short(entry)); }
  replace(entries) { this.#feed.replace(entries.map(short)); }

  #filter() {
    const text = element("log-filter").value.toLowerCase(), least = LEVELS.indexOf(element("log-level").value), source = element("log-source").value;
    this.#feed.filter((entry) => {
      const rank = LEVELS.indexOf(entry.level);
      return (rank < 0 || rank >= least) && (!source || entry.source === source) && (!text || entry.message.toLowerCase().includes(text));
    });
  }
}

function short({ time, level, source, message }) {
  return { time, level: String(level ?? "info").toLowerCase(), source, message: cut(String(message ?? ""), LINE_CHARACTERS) };
}

function line({ time, level, source, message }) {
  const item = make("li", { className: level === "error" ? "bad" : level === "warning" ? "wait" : "" },
    make("time", { textContent: clock(new Date(time)) }), make("span", { className: "faint", textContent: source === "service" ? "service" : level }), make("span", { textContent: message }));
  item.dataset.source = source;
  return item;
}

export class Pushes {
  #feed; #counts = new Map(); #chosen; #buttons = new Map(); #isDirty = false;

  constructor() {
    this.#feed = new Feed({
      list: element("pushes"), empty: element("pushes-empty"), follow: element("pushes-follow"), pause: element("pushes-pause"), clear: element("pushes-clear"),
      render: push, kept: 1000, shown: 200, onClear: () => this.#forget(),
    });
  }

  add({ event, data } = {}) {
    const name = cut(String(event), 100);
    // A project that invents names for ever must not fill the page with them.
    const key = this.#counts.has(name) || this.#counts.size < EVENT_NAMES ? name : "(others)";
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    this.#feed.add({ time: new Date(), name, key, text: cut(JSON.stringify(data) ?? "null", PUSH_CHARACTERS) });
    if (this.#isDirty) return;
    this.#isDirty = true;
    setTimeout(() => this.#count(), 200);
  }

  #count() {
    this.#isDirty = false;
    for (const [key, count] of this.#counts) {
      let button = this.#buttons.get(key);
      if (!button) {
        button = make("button", { type: "button", className: "counter" }, make("span", { textContent: key }), make("b"));
        button.setAttribute("aria-pressed", "false");
        button.addEventListener("click", () => this.#choose(this.#chosen === key ? undefined : key));
        this.#buttons.set(key, button);
        element("counters").append(button);
      }
      button.lastElementChild.textContent = count;
    }
    element("counters").hidden = this.#counts.size === 0;
  }

  #choose(key) {
    this.#chosen = key;
    for (const [name, button] of this.#buttons) button.setAttribute("aria-pressed", String(name === key));
    this.#feed.filter((item) => key === undefined || item.key === key);
  }

  #forget() {
    this.#counts.clear();
    this.#buttons.clear();
    element("counters").replaceChildren();
    element("counters").hidden = true;
    this.#choose(undefined);
  }
}

function push({ time, name, text }) {
  const item = make("li", {}, make("details", {}, make("summary", {},
    make("time", { textContent: clock(time) }), make("code", { textContent: name }), make("span", { className: "faint", textContent: text.slice(0, ROW_CHARACTERS) }))));
  const details = item.firstElementChild;
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(make("pre", { textContent: pretty(text), tabIndex: 0 }));
  });
  return item;
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}
