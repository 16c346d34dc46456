// LiDAR frames drawn from above: the robot in the middle, its nose up, cells coloured by their height.

const HEADER_BYTES = 40, POINT_BYTES = 3;
const MAGIC = 0x564f5831; // "VOX1"
/// Metres from the middle to the rim.
const REACH = 5;
/// Heights of the coldest and the warmest colour, metres above the robot's feet.
const LOW = -0.1, HIGH = 1.2;
const SHADES = Array.from({ length: 64 }, (_, index) => `hsl(${230 - index * 3.4} 85% ${42 + index / 4}%)`);

/// Reads a frame (docs/protocols/robot.md): its points as x, y, z in metres, one after another. Undefined for what is none.
export function readFrame(buffer) {
  if (buffer.byteLength < HEADER_BYTES) return undefined;
  const view = new DataView(buffer);
  const count = view.getUint32(4, true);
  if (view.getUint32(0) !== MAGIC || HEADER_BYTES + count * POINT_BYTES > buffer.byteLength) return undefined;
  const resolution = view.getFloat32(12, true);
  const origin = [16, 20, 24].map((offset) => view.getFloat32(offset, true));
  const cells = new Uint8Array(buffer, HEADER_BYTES, count * POINT_BYTES);
  return { stamp: view.getFloat64(28, true), points: Float32Array.from(cells, (cell, index) => origin[index % 3] + cell * resolution) };
}

export class LidarMap {
  #canvas; #context; #facts; #pose; #frame; #times = []; #isDrawing = false;

  constructor(canvas, facts) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { alpha: false });
    this.#facts = facts;
    this.#schedule();
  }

  /// Where the robot stands in the odometry frame, and its heading in radians.
  place(x, y, z, yaw) {
    this.#pose = { x, y, z, yaw };
    this.#schedule();
  }

  add(buffer) {
    const frame = readFrame(buffer);
    if (!frame) return;
    this.#frame = frame;
    this.#times = [...this.#times, performance.now()].slice(-10);
    const span = this.#times.at(-1) - this.#times[0];
    const rate = span > 0 ? `${((this.#times.length - 1) / span * 1000).toFixed(1)} Hz · ` : "";
    this.#facts.textContent = `${rate}${(frame.points.length / 3).toLocaleString("en")} points`;
    this.#schedule();
  }

  clear() {
    this.#frame = undefined;
    this.#times = [];
    this.#facts.textContent = "";
    this.#schedule();
  }

  #schedule() {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => { this.#isDrawing = false; this.#draw(); });
  }

  #draw() {
    const context = this.#context, size = this.#canvas.width, middle = size / 2, scale = middle / REACH;
    context.fillStyle = "#0c0f14";
    context.fillRect(0, 0, size, size);
    context.strokeStyle = "#27303d";
    context.lineWidth = 1;
    for (let metres = 1; metres <= REACH; metres += 1) {
      context.beginPath();
      context.arc(middle, middle, metres * scale, 0, 2 * Math.PI);
      context.stroke();
    }
    if (this.#frame) this.#drawPoints(middle, scale);
    context.fillStyle = "#fff";
    context.beginPath();
    context.moveTo(middle, middle - 11);
    context.lineTo(middle + 7, middle + 9);
    context.lineTo(middle - 7, middle + 9);
    context.fill();
  }

  #drawPoints(middle, scale) {
    const { points } = this.#frame;
    // Without a pose the middle of what is seen has to do.
    const pose = this.#pose ?? centre(points);
    const ground = pose.z - 0.3, cos = Math.cos(pose.yaw), sin = Math.sin(pose.yaw);
    const dot = Math.max(2, 0.05 * scale);
    for (let index = 0; index < points.length; index += 3) {
      const east = points[index] - pose.x, north = points[index + 1] - pose.y;
      const ahead = east * cos + north * sin, left = north * cos - east * sin;
      if (Math.abs(ahead) > REACH || Math.abs(left) > REACH) continue;
      const height = (points[index + 2] - ground - LOW) / (HIGH - LOW);
      this.#context.fillStyle = SHADES[Math.max(0, Math.min(SHADES.length - 1, Math.round(height * SHADES.length)))];
      this.#context.fillRect(middle - left * scale - dot / 2, middle - ahead * scale - dot / 2, dot, dot);
    }
  }
}

function centre(points) {
  const sum = [0, 0, 0];
  points.forEach((value, index) => { sum[index % 3] += value; });
  const count = Math.max(1, points.length / 3);
  return { x: sum[0] / count, y: sum[1] / count, z: 0.3, yaw: 0 };
}
