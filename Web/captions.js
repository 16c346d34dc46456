// What both sides say: live captions on the picture, and the list of what was said.

const KEPT = 60;

export class Captions {
  #you; #avatar; #list; #writing; #fading = new Map();

  constructor(you, avatar, list) {
    this.#you = you;
    this.#avatar = avatar;
    this.#list = list;
  }

  /// What the viewer said or typed.
  you(text) {
    this.#show(this.#you, text);
    this.#add("you", text);
    this.#writing = undefined;
  }

  /// One more piece of the answer.
  token(text) {
    this.#writing ??= this.#add("avatar", "");
    this.#writing.textContent += text;
    this.#show(this.#avatar, tail(this.#writing.textContent));
    this.#writing.scrollIntoView({ block: "nearest" });
  }

  /// The whole answer.
  avatar(text) {
    this.#writing ??= this.#add("avatar", "");
    this.#writing.textContent = text;
    this.#show(this.#avatar, tail(text));
    this.#writing = undefined;
  }

  /// The avatar has spoken to its end, or was cut off.
  spoken(isInterrupted) {
    this.#fade(this.#avatar, 1500);
    if (isInterrupted) this.#add("event", "interrupted");
  }

  error(text) { this.#add("error", text); }

  #show(line, text) {
    clearTimeout(this.#fading.get(line));
    line.textContent = text;
    line.hidden = !text;
    if (line === this.#you) this.#fade(line, 6000);
  }

  #fade(line, milliseconds) {
    clearTimeout(this.#fading.get(line));
    this.#fading.set(line, setTimeout(() => { line.hidden = true; }, milliseconds));
  }

  #add(kind, text) {
    const item = document.createElement("li");
    item.className = kind;
    item.textContent = text;
    this.#list.append(item);
    while (this.#list.children.length > KEPT) this.#list.firstChild.remove();
    item.scrollIntoView({ block: "nearest" });
    return item;
  }
}

/// The last words of a long text, so that a caption stays two lines.
function tail(text) {
  if (text.length <= 140) return text;
  const cut = text.slice(-140);
  return `… ${cut.slice(cut.indexOf(" ") + 1)}`;
}
