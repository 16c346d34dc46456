// The drive pad: keyboard, gamepad and touch, all dead-man switches. A speed is sent only while something is held; whatever ends the holding
// (a key up, a finger lifted, the window out of sight) sends a stop. Emits "move" {x, y, yaw} from -1 to 1, and "stop".

/// Ten commands a second: well within the robot's patience of half a second.
const INTERVAL_MS = 100;
const KEYS = {
  KeyW: [1, 0, 0], ArrowUp: [1, 0, 0], KeyS: [-1, 0, 0], ArrowDown: [-1, 0, 0], KeyA: [0, 1, 0], KeyD: [0, -1, 0],
  KeyQ: [0, 0, 1], ArrowLeft: [0, 0, 1], KeyE: [0, 0, -1], ArrowRight: [0, 0, -1],
};
const DEAD_ZONE = 0.15;
/// Standard gamepads: the shoulder buttons, of which one must be held.
const GAMEPAD_TRIGGERS = [4, 5, 6, 7];

export class DrivePad extends EventTarget {
  #held = new Set(); #sticks = new Map(); #isMoving = false; #isOn = false; #timer;

  /// `sticks` are elements with data-axes="x y" or "yaw"; each holds a knob.
  constructor(sticks) {
    super();
    for (const stick of sticks) this.#watch(stick);
    addEventListener("keydown", (event) => this.#key(event, true));
    addEventListener("keyup", (event) => this.#key(event, false));
    for (const end of ["blur", "pagehide"]) addEventListener(end, () => this.letGo());
    document.addEventListener("visibilitychange", () => { if (document.hidden) this.letGo(); });
  }

  /// Commands are given only between these two.
  start() {
    this.#isOn = true;
    this.#timer ??= setInterval(() => this.#tick(), INTERVAL_MS);
  }

  end() {
    this.letGo();
    this.#isOn = false;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  letGo() {
    this.#held.clear();
    for (const stick of this.#sticks.keys()) this.#place(stick, 0, 0);
    this.#tick();
  }

  #tick() {
    if (!this.#isOn) return;
    const speed = this.#speed();
    if (speed.some((axis) => axis !== 0)) {
      this.#isMoving = true;
      const [x, y, yaw] = speed;
      this.dispatchEvent(new CustomEvent("move", { detail: { x, y, yaw } }));
    } else if (this.#isMoving) {
      this.#isMoving = false;
      this.dispatchEvent(new CustomEvent("stop"));
    }
  }

  #speed() {
    const sum = [0, 0, 0];
    const add = (axes) => axes.forEach((value, index) => { sum[index] += value; });
    for (const key of this.#held) add(KEYS[key]);
    for (const axes of this.#sticks.values()) add(axes);
    for (const pad of navigator.getGamepads?.() ?? []) {
      if (!pad?.connected || pad.mapping !== "standard") continue;
      if (!GAMEPAD_TRIGGERS.some((button) => pad.buttons[button]?.pressed)) continue;
      const axis = (index) => (Math.abs(pad.axes[index] ?? 0) > DEAD_ZONE ? -pad.axes[index] : 0);
      add([axis(1), axis(0), axis(2)]);
    }
    return sum.map((value) => Math.max(-1, Math.min(1, value)));
  }

  #key(event, isDown) {
    if (!(event.code in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (["INPUT", "SELECT", "TEXTAREA"].includes(document.activeElement?.tagName)) return;
    if (isDown && !this.#isOn) return;
    event.preventDefault();
    if (isDown) this.#held.add(event.code); else this.#held.delete(event.code);
    if (!event.repeat) this.#tick();
  }

  #watch(stick) {
    const follow = (event) => {
      const box = stick.getBoundingClientRect();
      const across = Math.max(-1, Math.min(1, ((event.clientX - box.left) / box.width) * 2 - 1));
      const down = Math.max(-1, Math.min(1, ((event.clientY - box.top) / box.height) * 2 - 1));
      this.#place(stick, across, down);
    };
    stick.addEventListener("pointerdown", (event) => { stick.setPointerCapture(event.pointerId); follow(event); });
    stick.addEventListener("pointermove", (event) => { if (stick.hasPointerCapture(event.pointerId)) follow(event); });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      stick.addEventListener(end, () => { this.#place(stick, 0, 0); this.#tick(); });
    }
    this.#sticks.set(stick, [0, 0, 0]);
  }

  #place(stick, across, down) {
    const steer = (value) => (Math.abs(value) > DEAD_ZONE ? value : 0);
    const isTurning = stick.dataset.axes === "yaw";
    this.#sticks.set(stick, isTurning ? [0, 0, -steer(across)] : [-steer(down), -steer(across), 0]);
    stick.style.setProperty("--across", across.toFixed(2));
    stick.style.setProperty("--down", (isTurning ? 0 : down).toFixed(2));
  }
}
