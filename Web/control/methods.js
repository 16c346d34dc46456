// What the project offers: its objects, their methods with a form for each, made when it is opened.

import { ArgumentField } from "./arguments.js";
import { cut, element, make } from "./dom.js";

const FILTER_FROM = 8;

/// `call(object, method, args)` returns a running call: `answer` (a promise of `{isGood, text}`) and `interrupt()`; `onForm` is told of each form made.
export class Methods {
  #known = ""; #call; #onForm; #lastId = 0;

  constructor(call, onForm) {
    this.#call = call;
    this.#onForm = onForm;
    element("methods-filter").addEventListener("input", () => this.#filter());
  }

  /// Drawn anew only where something changed: nobody loses what is typed into a form.
  show(objects, state) {
    const known = JSON.stringify(objects ?? []);
    const empty = element("methods-empty");
    const list = objects ?? [];
    const count = list.reduce((sum, { methods }) => sum + methods.length, 0);
    empty.hidden = count > 0;
    empty.textContent = {
      empty: "There is no project yet: upload one above.", loading: "The project is being loaded …",
      waiting: "The project has crashed and is started again shortly.", failed: "The project does not run; the reason is above. Upload a mended one, or roll back.",
    }[state] ?? "This project offers nothing to call. Give its main.py a global object, a class or functions whose names do not begin with “_”.";
    // While a worker comes back nothing is known of its methods, and most likely they are the same.
    const isPassing = list.length === 0 && state !== "ready" && state !== "empty";
    element("methods-list").hidden = isPassing;
    if (isPassing || known === this.#known) return;
    this.#known = known;
    element("methods-filter").hidden = count < FILTER_FROM;
    element("methods-list").replaceChildren(...list.filter(({ methods }) => methods.length > 0).map((object) => this.#object(object)));
    this.#filter();
  }

  #object({ name, kind, class: type, doc, methods }) {
    const remark = kind === "module" ? "functions of main.py" : kind === "class" ? "class, made at the first call" : type && type !== name ? type : "object";
    return make("section", { className: "object" },
      make("h3", {}, make("code", { textContent: name }), make("span", { className: "faint", textContent: ` ${remark}` })),
      doc ? make("p", { className: "doc", textContent: doc }) : undefined,
      ...methods.map((method) => this.#method(name, method)));
  }

  #method(object, method) {
    const signature = method.arguments.map(({ name, kind, required, default: preset }) =>
      kind === "any" ? `**${name}` : required ? name : `${name}=${cut(String(preset ?? "…"), 30)}`).join(", ");
    const item = make("details", { className: "method" }, make("summary", {},
      make("code", { textContent: method.name }), make("code", { className: "faint", textContent: `(${signature})` }),
      method.doc ? make("span", { className: "faint first-line", textContent: method.doc.split("\n")[0] }) : undefined));
    item.dataset.name = `${object}.${method.name}`.toLowerCase();
    item.dataset.method = `${object}.${method.name}`;
    item.addEventListener("toggle", () => {
      if (!item.open || item.childElementCount > 1) return;
      item.append(this.#form(object, method));
      this.#onForm();
    });
    return item;
  }

  #form(object, method) {
    const prefix = `argument-${this.#lastId += 1}`;
    const fields = method.arguments.map((argument, index) => new ArgumentField(argument, `${prefix}-${index}`));
    const list = make("div", { className: "fields" }, ...fields.map((field) => field.element));
    const text = make("textarea", { id: `${prefix}-json`, rows: 5, spellcheck: false });
    const problem = make("span", { className: "problem", hidden: true });
    const raw = make("div", { className: "field", hidden: true }, make("label", { htmlFor: text.id, textContent: "Arguments as one JSON object" }), text, problem);
    const asJSON = make("button", { type: "button", textContent: "As JSON", hidden: fields.length === 0, title: "Write the arguments as JSON" });
    asJSON.setAttribute("aria-pressed", "false");
    const interrupt = make("button", { type: "button", className: "halt", textContent: "Interrupt", hidden: true });
    const said = make("output", { className: "said" });
    // The first line stands above the form already.
    const rest = method.doc?.split("\n").slice(1).join("\n").trim();
    asJSON.addEventListener("click", () => {
      raw.hidden = !raw.hidden;
      list.hidden = !raw.hidden;
      asJSON.setAttribute("aria-pressed", String(list.hidden));
      if (list.hidden) text.value = JSON.stringify(gather(fields, false), null, 2);
    });
    const form = make("form", { autocomplete: "off", noValidate: true },
      rest ? make("p", { className: "doc", textContent: rest }) : undefined,
      list, raw, make("div", { className: "row" }, make("button", { type: "submit", textContent: `Call ${method.name}` }), interrupt, asJSON), said);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      problem.hidden = true;
      let args;
      try { args = list.hidden ? parseObject(text.value) : gather(fields, true); } catch (error) {
        if (list.hidden) {
          problem.textContent = error.message;
          problem.hidden = false;
        }
        form.querySelector("[aria-invalid=true]")?.focus();
        return;
      }
      const call = this.#call(object, method.name, args);
      if (!call) return;
      interrupt.hidden = false;
      interrupt.onclick = call.interrupt;
      said.className = "said";
      said.textContent = "running …";
      const { isGood, text: answer } = await call.answer;
      if (interrupt.onclick !== call.interrupt) return;  // Called again meanwhile.
      interrupt.hidden = true;
      said.className = isGood ? "said good" : "said bad";
      said.textContent = cut(answer, 300);
    });
    return make("fieldset", { className: "operator" }, form);
  }

  #filter() {
    const wanted = element("methods-filter").hidden ? "" : element("methods-filter").value.trim().toLowerCase();
    for (const object of element("methods-list").children) {
      let shown = 0;
      for (const item of object.querySelectorAll(".method")) {
        item.hidden = !item.dataset.name.includes(wanted);
        if (!item.hidden) shown += 1;
      }
      object.hidden = shown === 0;
    }
  }
}

/// The fields' values; where not all of them need be right (`isStrict` false), those that are.
function gather(fields, isStrict) {
  const args = {};
  let problem;
  for (const field of fields) {
    try {
      const value = field.read();
      if (value === undefined) continue;
      if (field.kind === "object") Object.assign(args, value); else args[field.name] = value;
    } catch (error) { problem ??= error; }
  }
  if (problem && isStrict) throw problem;
  return args;
}

function parseObject(text) {
  let value;
  try { value = JSON.parse(text.trim() || "{}"); } catch (error) { throw new Error(`This is no JSON: ${error.message}`, { cause: error }); }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Error("A JSON object is wanted");
  return value;
}
