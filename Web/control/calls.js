// The calls that this page made, with their answers, newest first.

import { clock, cut, element, make, milliseconds } from "./dom.js";

const KEPT = 30, SHOWN_CHARACTERS = 20_000, TICK_MS = 100;

export class Calls {
  #socket; #running = new Map();

  constructor(socket) {
    this.#socket = socket;
    setInterval(() => { for (const [place, started] of this.#running) place.textContent = `running, ${milliseconds(performance.now() - started)}`; }, TICK_MS);
  }

  call(object, method, args) {
    const id = `console-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`, started = performance.now();
    const interrupt = () => this.#socket.order("interrupt", { id }).catch(() => {});
    const outcome = make("span", { className: "outcome", textContent: "running" });
    const stop = make("button", { type: "button", className: "halt", textContent: "Interrupt" });
    stop.addEventListener("click", interrupt);
    const head = make("div", { className: "call-head" },
      make("code", { className: "call-name", textContent: `${object}.${method}(${cut(written(args), 200)})` }), outcome, stop);
    const entry = make("li", { className: "call running" }, head);
    element("calls-empty").hidden = true;
    element("calls").hidden = false;
    element("calls").prepend(entry);
    while (element("calls").childElementCount > KEPT) element("calls").lastElementChild.remove();
    this.#running.set(outcome, started);

    const answer = this.#socket.order("process", { params: { object, method, args, id } }).then(read, (error) => ({ isGood: false, message: error.message, code: "connection" }));
    return { interrupt, answer: answer.then((said) => this.#end(entry, outcome, stop, said, performance.now() - started)) };
  }

  #end(entry, outcome, stop, { isGood, value, message, code, traceback }, duration) {
    this.#running.delete(outcome);
    const again = make("button", { type: "button", className: "small", textContent: "Copy", title: "Copy the answer" });
    const text = isGood ? JSON.stringify(value, null, 2) ?? "null" : message;
    again.addEventListener("click", async () => {
      again.textContent = await navigator.clipboard?.writeText(traceback ?? text).then(() => "Copied", () => "Not allowed") ?? "Not allowed";
      setTimeout(() => { again.textContent = "Copy"; }, 2000);
    });
    stop.replaceWith(again);
    entry.className = `call ${isGood ? "good" : "bad"}`;
    outcome.textContent = `${isGood ? "done" : code ?? "error"} in ${milliseconds(duration)}, ${clock(new Date())}`;
    entry.append(make("pre", { className: isGood ? "" : "bad", textContent: cut(text, SHOWN_CHARACTERS), tabIndex: 0 }));
    if (traceback) entry.append(make("details", {}, make("summary", { textContent: "Traceback" }), make("pre", { textContent: cut(traceback, SHOWN_CHARACTERS), tabIndex: 0 })));
    return { isGood, text: isGood ? `${milliseconds(duration)}: ${JSON.stringify(value) ?? "null"}` : message };
  }
}

/// The arguments as Python would have them, nearly.
function written(args) {
  return Object.entries(args).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ");
}

/// The outer status says whether the call could be made, the inner one how it went.
function read(answer) {
  const data = answer?.data;
  if (answer?.status === "success" && data?.status === "success") return { isGood: true, value: data.result };
  const inner = answer?.status === "success" ? data : answer;
  return {
    isGood: false, message: inner?.message ?? "The server's answer says nothing", code: inner?.error_code ?? answer?.error_code, traceback: data?.traceback,
  };
}
