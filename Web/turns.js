// The time line of each turn of talk as one bar: heard, understood, thought, first sound.

const SVG = "http://www.w3.org/2000/svg";
const KEPT = 8, ROW = 16, WIDTH = 240;
const PARTS = [
  ["heard_ms", "heard", "#8a63d2"], ["transcript_ms", "understood", "#3c7dd9"],
  ["first_token_ms", "thought", "#c98a1b"], ["first_sound_ms", "voiced", "#2f9e62"],
];

export class TurnChart {
  #figure; #svg; #turns = [];

  constructor(parent) {
    this.#figure = document.createElement("figure");
    this.#figure.className = "turns";
    this.#figure.hidden = true;
    const caption = document.createElement("figcaption");
    caption.append("From the end of your words to the first sound");
    for (const [, name, color] of PARTS) {
      const key = document.createElement("span");
      key.textContent = name;
      key.style.setProperty("--key", color);
      caption.append(key);
    }
    this.#svg = document.createElementNS(SVG, "svg");
    this.#svg.setAttribute("role", "img");
    this.#svg.setAttribute("aria-label", "Time line of the last turns");
    this.#figure.append(caption, this.#svg);
    parent.append(this.#figure);
  }

  /// A `turn` message: milliseconds from the end of the viewer's words, null where a part was not needed.
  add(turn) {
    if (turn.first_sound_ms == null) return;
    this.#turns.push(turn);
    if (this.#turns.length > KEPT) this.#turns.shift();
    this.#figure.hidden = false;
    this.#draw();
  }

  #draw() {
    const longest = Math.max(...this.#turns.map((turn) => turn.first_sound_ms), 1);
    this.#svg.setAttribute("viewBox", `0 0 ${WIDTH} ${this.#turns.length * ROW}`);
    this.#svg.replaceChildren(...this.#turns.flatMap((turn, row) => {
      let from = 0;
      const marks = [];
      for (const [key, name, color] of PARTS) {
        const to = turn[key];
        if (to == null || to < from) continue;
        const bar = document.createElementNS(SVG, "rect");
        const scale = (WIDTH - 50) / longest;
        for (const [attribute, value] of Object.entries({
          x: from * scale, y: row * ROW + 3, width: Math.max(0.5, (to - from) * scale), height: ROW - 6, fill: color,
        })) bar.setAttribute(attribute, value);
        const title = document.createElementNS(SVG, "title");
        title.textContent = `${name}: ${Math.round(to - from)} ms`;
        bar.append(title);
        marks.push(bar);
        from = to;
      }
      const label = document.createElementNS(SVG, "text");
      label.setAttribute("x", WIDTH);
      label.setAttribute("y", row * ROW + ROW - 5);
      label.setAttribute("text-anchor", "end");
      label.textContent = `${Math.round(turn.first_sound_ms)} ms`;
      return [...marks, label];
    }));
  }
}
