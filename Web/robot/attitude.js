// How the robot lies in the air: an artificial horizon with the heading above it.

const SVG = "http://www.w3.org/2000/svg";
const DEGREES = 180 / Math.PI;
/// Pixels of the view box for a degree of pitch.
const PITCH_SCALE = 1.2;

export class Attitude {
  #horizon; #heading; #text;

  constructor(parent) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "-50 -50 100 100");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", "Attitude");
    svg.innerHTML = `
      <defs><clipPath id="attitude-rim"><circle r="46"/></clipPath></defs>
      <g clip-path="url(#attitude-rim)">
        <g class="horizon">
          <rect x="-120" y="-160" width="240" height="160" class="sky"/>
          <rect x="-120" y="0" width="240" height="160" class="earth"/>
          <path d="M-120 0H120" class="line"/>
          <path d="M-10 -12H10M-18 -24H18M-10 12H10M-18 24H18" class="ladder"/>
        </g>
      </g>
      <path d="M-26 0H-10L0 8L10 0H26" class="wings"/>
      <circle r="46" class="rim"/>
      <path d="M0 -46l-4 -4h8z" class="mark"/>`;
    this.#horizon = svg.querySelector(".horizon");
    this.#text = document.createElement("p");
    this.#heading = document.createElement("b");
    parent.append(svg, this.#text);
  }

  /// Roll, pitch and yaw in radians; the robot's pitch is positive nose down.
  show([roll, pitch, yaw]) {
    const [r, p, y] = [roll, pitch, yaw].map((angle) => angle * DEGREES);
    this.#horizon.setAttribute("transform", `rotate(${(-r).toFixed(1)}) translate(0 ${(-p * PITCH_SCALE).toFixed(1)})`);
    this.#heading.textContent = `${Math.round((y + 360) % 360)}°`;
    this.#text.replaceChildren("heading ", this.#heading, ` · roll ${r.toFixed(0)}° · pitch ${p.toFixed(0)}°`);
  }
}
