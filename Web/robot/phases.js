// The way to the robot, phase by phase: how far it came, what was seen, what failed and what mends it.

const TITLES = {
  discovery: "Discovery", signaling: "Signaling", ice: "ICE", dtls: "DTLS", sctp: "SCTP", validation: "Validation", media: "Camera",
};
const CLASSES = { succeeded: "done", running: "doing", failed: "failed" };

export class RobotPhases {
  #list; #report;

  constructor(list, report) {
    this.#list = list;
    this.#report = report;
  }

  /// `connection` is the robot's report: phases with outcome, duration and evidence, and the last failure.
  show(connection) {
    const shown = connection.phases.filter(({ outcome }) => outcome !== "skipped");
    this.#list.replaceChildren(...shown.map((phase) => {
      const item = document.createElement("li");
      item.className = CLASSES[phase.outcome] ?? "";
      item.dataset.phase = phase.phase;
      const time = phase.duration_ms === null || phase.duration_ms === undefined ? "" : ` ${Math.round(phase.duration_ms)} ms`;
      item.textContent = `${TITLES[phase.phase] ?? phase.phase}${phase.outcome === "pending" ? "" : time}`;
      item.title = (phase.evidence ?? []).join("\n");
      return item;
    }));
    this.#tell(connection);
  }

  #tell({ state, failure, retry_in_ms: retry }) {
    this.#report.hidden = state === "connected" || !failure;
    if (this.#report.hidden) return;
    const line = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
    const causes = document.createElement("ol");
    causes.append(...(failure.causes ?? []).map((cause) => line("li", cause)));
    this.#report.replaceChildren(
      line("strong", failure.reason), causes, line("p", failure.remedy),
      ...(retry ? [line("p", `Trying again in ${Math.ceil(retry / 1000)} s`)] : []));
  }
}
