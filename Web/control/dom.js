// Small things that every part of the page needs. Data reaches the page as text alone.

export const element = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const item = Object.assign(document.createElement(tag), properties);
  item.append(...children.filter((child) => child !== undefined));
  return item;
}

export function pill(id, text, kind = "", title = "") {
  const item = element(id);
  item.hidden = !text;
  item.textContent = text ?? "";
  item.className = `pill ${kind}`;
  item.title = title;
}

/// Name and value, line by line, of what is known.
export function facts(list, entries) {
  list.replaceChildren(...Object.entries(entries)
    .filter(([, value]) => value !== undefined && value !== null && value !== "")
    .flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", {}, value)]));
}

export function cut(text, length) {
  return text.length > length ? `${text.slice(0, length)} … (${text.length - length} more characters)` : text;
}

export function bytes(count) {
  if (count < 1000) return `${count} bytes`;
  return count < 1e6 ? `${(count / 1e3).toFixed(0)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

export function milliseconds(count) {
  if (count < 1) return "under 1 ms";
  return count < 10_000 ? `${Math.round(count)} ms` : seconds(count / 1000);
}

export function seconds(count) {
  if (count < 60) return `${count.toFixed(count < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(count / 60);
  return minutes < 60 ? `${minutes} min ${Math.floor(count % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function dateAndTime(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? String(text) : date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

export function clock(date) {
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleTimeString([], { hour12: false }) + `.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/// Asks before something is done that stops what runs.
export function confirm(question, verb) {
  const dialog = element("confirm");
  element("confirm-question").textContent = question;
  element("confirm-yes").textContent = verb;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}
