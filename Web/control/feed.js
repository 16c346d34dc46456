// A list that something pours into: bounded in memory and on the page, with follow, pause and filter.

const FLUSH_MS = 100;

export class Feed {
  #list; #empty; #follow; #pause; #render; #kept; #shown; #items = []; #fresh = []; #timer; #isPaused = false; #held = 0; #matches = () => true;

  /// `kept` lines are remembered, the last `shown` of those that match the filter are on the page. `render` makes a line's element.
  constructor({ list, empty, follow, pause, clear, render, kept = 2000, shown = 500, onClear = () => {} }) {
    this.#list = list;
    this.#empty = empty;
    this.#follow = follow;
    this.#pause = pause;
    this.#render = render;
    this.#kept = kept;
    this.#shown = shown;
    follow.addEventListener("change", () => this.#scroll());
    // Whoever scrolls up wants to read, and whoever comes back to the end wants to follow.
    list.addEventListener("wheel", () => requestAnimationFrame(() => this.#look()), { passive: true });
    list.addEventListener("touchmove", () => this.#look(), { passive: true });
    list.addEventListener("keyup", () => this.#look());
    pause.addEventListener("click", () => {
      this.#isPaused = !this.#isPaused;
      this.#held = 0;
      pause.setAttribute("aria-pressed", String(this.#isPaused));
      pause.textContent = this.#isPaused ? "Go on" : "Pause";
      if (!this.#isPaused) this.#redraw();
    });
    clear.addEventListener("click", () => {
      this.replace([]);
      onClear();
    });
  }

  add(item) {
    this.#items.push(item);
    if (this.#items.length >= 2 * this.#kept) this.#items = this.#items.slice(-this.#kept);
    if (this.#isPaused) { this.#held += 1; } else if (this.#matches(item)) {
      this.#fresh.push(item);
      if (this.#fresh.length >= 2 * this.#shown) this.#fresh = this.#fresh.slice(-this.#shown);
    }
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  replace(items) {
    this.#items = items.slice(-this.#kept);
    this.#held = 0;
    this.#redraw();
  }

  filter(matches) {
    this.#matches = matches;
    this.#redraw();
  }

  #flush() {
    this.#timer = undefined;
    if (this.#isPaused) {
      this.#pause.textContent = `Go on (${this.#held} new)`;
      return;
    }
    const fresh = this.#fresh.slice(-this.#shown);
    this.#fresh = [];
    this.#list.append(...fresh.map(this.#render));
    while (this.#list.childElementCount > this.#shown) this.#list.firstElementChild.remove();
    this.#settle();
  }

  #redraw() {
    this.#fresh = [];
    this.#list.replaceChildren(...this.#items.slice(-this.#kept).filter(this.#matches).slice(-this.#shown).map(this.#render));
    this.#settle();
  }

  #settle() {
    this.#list.hidden = this.#list.childElementCount === 0;
    this.#empty.hidden = !this.#list.hidden;
    this.#empty.textContent = this.#items.length > 0 ? "Nothing matches the filter." : this.#empty.dataset.text;
    this.#scroll();
  }

  #scroll() { if (this.#follow.checked) this.#list.scrollTop = this.#list.scrollHeight; }

  #look() {
    this.#follow.checked = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 8;
  }
}
