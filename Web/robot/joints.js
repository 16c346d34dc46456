// The twelve motors: angle and temperature of each, by leg, and how hard each foot presses.

const LEGS = [["FR", "front right"], ["FL", "front left"], ["RR", "rear right"], ["RL", "rear left"]];
const JOINTS = ["hip", "thigh", "calf"];
/// Degrees Celsius where a motor is warm, and where it is hot: the robot itself warns at 70.
const WARM = 55, HOT = 70;
const DEGREES = 180 / Math.PI;

export class Joints {
  #cells = []; #feet = [];

  constructor(parent) {
    const table = document.createElement("table");
    table.className = "joints";
    table.createCaption().textContent = "Joints";
    const head = table.createTHead().insertRow();
    for (const title of ["", ...JOINTS, "foot"]) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = title;
      head.append(cell);
    }
    const body = table.createTBody();
    for (const [leg, name] of LEGS) {
      const row = body.insertRow();
      const title = document.createElement("th");
      title.scope = "row";
      title.textContent = leg;
      title.title = name;
      row.append(title);
      for (const joint of JOINTS) {
        const cell = row.insertCell();
        cell.title = `${name} ${joint}`;
        this.#cells.push(cell);
      }
      this.#feet.push(row.insertCell());
    }
    parent.append(table);
  }

  /// `motors` is the robot's own list, `feet` the four forces, in its order of legs.
  show(motors, feet) {
    this.#cells.forEach((cell, index) => {
      const motor = motors?.[index];
      if (!motor) return;
      cell.textContent = `${motor.temperature ?? "–"}°C ${Number.isFinite(motor.q) ? `${(motor.q * DEGREES).toFixed(0)}°` : ""}`;
      cell.className = motor.temperature >= HOT ? "hot" : motor.temperature >= WARM ? "warm" : "";
    });
    this.#feet.forEach((cell, index) => { if (feet?.[index] !== undefined) cell.textContent = feet[index]; });
  }
}
