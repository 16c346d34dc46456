// A small line plot of the last two minutes, as SVG.

const POINTS = 120;
const SVG = "http://www.w3.org/2000/svg";

export class Plot {
  #values = []; #path; #value; #unit; #digits;

  constructor(parent, title, unit, color, digits = 0) {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    this.#value = document.createElement("b");
    caption.append(title, this.#value);
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${POINTS} 40`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", title);
    this.#path = document.createElementNS(SVG, "path");
    this.#path.setAttribute("fill", "none");
    this.#path.setAttribute("stroke", color);
    this.#path.setAttribute("stroke-width", "1.5");
    this.#path.setAttribute("vector-effect", "non-scaling-stroke");
    svg.append(this.#path);
    figure.append(caption, svg);
    parent.append(figure);
    this.#unit = unit;
    this.#digits = digits;
  }

  add(value) {
    if (value === undefined || Number.isNaN(value)) return;
    this.#values.push(value);
    if (this.#values.length > POINTS) this.#values.shift();
    const top = Math.max(...this.#values, 1e-9) * 1.1;
    const points = this.#values.map((y, x) => `${x},${(38 - (y / top) * 36).toFixed(1)}`);
    this.#path.setAttribute("d", `M${points.join("L")}`);
    this.#value.textContent = `${value.toFixed(this.#digits)} ${this.#unit}`;
  }
}
