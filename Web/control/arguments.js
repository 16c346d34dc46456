// Which field asks for an argument of a project's method, and what the text in it means.

import { make } from "./dom.js";

const NUMBER = /^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const NONE = /^None\s*\|\s*|\s*\|\s*None$/g;

/// `boolean`, `integer`, `number`, `text`, `choice` (with `choices`), `json`, `object` (for `**kwargs`), or `loose`: JSON where it is some, else text.
export function fieldKind({ kind, annotation, default: preset }) {
  if (kind === "any") return { kind: "object" };
  const type = (annotation ?? "").replace(/\btyping\./g, "").replace(/^Optional\[(.*)\]$/, "$1").replace(NONE, "").trim();
  const literal = /^Literal\[(.*)\]$/.exec(type);
  if (literal) {
    const items = literal[1].split(",").map((item) => item.trim());
    if (items.every((item) => /^(['"]).*\1$/.test(item))) return { kind: "choice", choices: items.map((item) => item.slice(1, -1)) };
    return { kind: "loose" };
  }
  switch (type.toLowerCase()) {
    case "bool": return { kind: "boolean" };
    case "int": return { kind: "integer" };
    case "float": return { kind: "number" };
    case "str": return { kind: "text" };
  }
  if (/^(list|dict|tuple|set|sequence|mapping|iterable)\b/i.test(type)) return { kind: "json" };
  return { kind: type ? "loose" : kindOf(preset ?? "") };
}

function kindOf(preset) {
  if (/^(True|False)$/.test(preset)) return "boolean";
  if (NUMBER.test(preset)) return "number";
  if (/^['"]/.test(preset)) return "text";
  return /^[[({]/.test(preset) ? "json" : "loose";
}

const HINTS = {
  json: "JSON, such as [1, 2] or {\"a\": 1}", object: "More arguments, as a JSON object: {\"name\": value}", loose: "JSON; anything else is taken as text",
};

/// The labelled field of one argument. `read()` returns its value, undefined where the argument is left out, or throws what is wrong.
export class ArgumentField {
  constructor(argument, id) {
    const { kind, choices } = fieldKind(argument);
    this.name = argument.name;
    this.kind = kind;
    this.isRequired = argument.required;
    const preset = argument.default ?? undefined;
    const absent = preset === undefined ? "leave out" : `default: ${preset}`;
    if (kind === "boolean" || kind === "choice") {
      const options = kind === "boolean" ? ["true", "false"] : choices;
      this.input = make("select", { id }, ...(this.isRequired ? [] : [new Option(absent, "")]), ...options.map((text) => new Option(text, JSON.stringify(text))));
    } else if (kind === "json" || kind === "object") {
      this.input = make("textarea", { id, rows: 1, spellcheck: false, placeholder: this.isRequired ? HINTS[kind] : absent });
    } else {
      this.input = make("input", { id, type: "text", autocomplete: "off", spellcheck: false, placeholder: this.isRequired ? "" : absent });
      if (kind === "integer") this.input.inputMode = "numeric";
      if (kind === "number") this.input.inputMode = "decimal";
    }
    const name = kind === "object" ? `**${argument.name}` : argument.name;
    this.problem = make("span", { className: "problem", id: `${id}-problem`, hidden: true });
    this.input.setAttribute("aria-describedby", this.problem.id);
    this.element = make("div", { className: "field" },
      make("label", { htmlFor: id }, make("code", { textContent: name }), make("span", { className: "faint", textContent: this.#remark(argument) })),
      this.input, HINTS[kind] ? make("span", { className: "faint", textContent: HINTS[kind] }) : undefined, this.problem);
    this.input.addEventListener("input", () => this.#complain(""));
  }

  #remark({ annotation, required }) {
    if (this.kind === "object") return " any names";
    return ` ${[annotation, required ? "required" : ""].filter(Boolean).join(", ")}`;
  }

  #complain(text) {
    this.problem.textContent = text;
    this.problem.hidden = !text;
    this.input.setAttribute("aria-invalid", String(Boolean(text)));
    return new Error(text);
  }

  read() {
    const text = this.input.value;
    if (text.trim() === "" && this.kind !== "text") {
      if (this.isRequired) throw this.#complain("This argument is required");
      return undefined;
    }
    switch (this.kind) {
      case "text": return text === "" && !this.isRequired ? undefined : text;
      case "boolean": return JSON.parse(text) === "true";
      case "choice": return JSON.parse(text);
      case "integer":
        if (!/^-?\d+$/.test(text.trim())) throw this.#complain("A whole number is wanted");
        return Number(text);
      case "number":
        if (!NUMBER.test(text.trim())) throw this.#complain("A number is wanted");
        return Number(text);
    }
    try {
      const value = JSON.parse(text);
      if (this.kind === "object" && (value === null || typeof value !== "object" || Array.isArray(value))) throw new Error("no object");
      return value;
    } catch {
      if (this.kind === "loose") return text;
      throw this.#complain(this.kind === "object" ? "A JSON object is wanted" : "This is no JSON");
    }
  }
}
