// The server's own histograms of the conversation, read from /metrics: one small bar chart each.

const SVG = "http://www.w3.org/2000/svg";
const SHOWN = {
  avatar_turn_recognition_seconds: "End of words to transcript",
  avatar_turn_first_token_seconds: "Transcript to first word of the answer",
  avatar_turn_first_sound_seconds: "Question to first sound",
  avatar_turn_server_share_seconds: "Of that, the server's own share",
  avatar_stage_interruption_seconds: "Interruption to last sound",
  avatar_stage_skew_seconds: "Picture against sound",
};
const WIDTH = 120, HEIGHT = 34;

export class Histograms {
  #parent; #charts = new Map();

  constructor(parent) {
    this.#parent = parent;
  }

  async update() {
    const answer = await fetch("/metrics").catch(() => undefined);
    if (!answer?.ok) return;
    const families = parse(await answer.text());
    for (const [name, title] of Object.entries(SHOWN)) {
      const buckets = families.get(name);
      if (buckets?.at(-1)?.count > 0) this.#draw(name, title, buckets);
    }
  }

  #draw(name, title, buckets) {
    let chart = this.#charts.get(name);
    if (!chart) {
      const figure = document.createElement("figure"), caption = document.createElement("figcaption");
      const value = document.createElement("b"), svg = document.createElementNS(SVG, "svg");
      svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
      svg.setAttribute("preserveAspectRatio", "none");
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", title);
      caption.append(title, value);
      figure.append(caption, svg);
      this.#parent.append(figure);
      this.#charts.set(name, chart = { value, svg });
    }
    const counts = buckets.map(({ count }, index) => count - (buckets[index - 1]?.count ?? 0));
    const tallest = Math.max(...counts), width = WIDTH / counts.length;
    const total = buckets.at(-1).count;
    const median = buckets.find(({ count }) => count >= total / 2);
    chart.value.textContent = `≤ ${label(median.bound)} (median of ${total})`;
    chart.svg.replaceChildren(...counts.map((count, index) => {
      const bar = document.createElementNS(SVG, "rect");
      const height = (count / tallest) * HEIGHT;
      for (const [attribute, value] of Object.entries({ x: index * width + 0.5, y: HEIGHT - height, width: width - 1, height })) {
        bar.setAttribute(attribute, value);
      }
      const tip = document.createElementNS(SVG, "title");
      tip.textContent = `${count} up to ${label(buckets[index].bound)}`;
      bar.append(tip);
      return bar;
    }));
  }
}

/// Histogram buckets of the Prometheus text format by name; buckets of several labels are added up.
function parse(text) {
  const families = new Map();
  for (const [, name, bound, count] of text.matchAll(/^(\w+)_bucket\{.*?le="([^"]+)"\} (\d+)$/gm)) {
    const buckets = families.get(name) ?? [];
    families.set(name, buckets);
    const value = bound === "+Inf" ? Infinity : Number(bound);
    const known = buckets.find((bucket) => bucket.bound === value);
    if (known) known.count += Number(count); else buckets.push({ bound: value, count: Number(count) });
  }
  return families;
}

function label(seconds) {
  if (seconds === Infinity) return "more";
  return Math.abs(seconds) < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds} s`;
}
