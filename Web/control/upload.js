// Bringing a project to the server: choose or drop a zip, see how far it is, and why it was refused.

import { bytes, element, make } from "./dom.js";

const STAGES = [["receiving", "Sending"], ["unpacking", "Checking and unpacking"], ["installing", "Installing requirements"], ["loading", "Loading"]];

export class Upload {
  #socket; #mayUpload = () => false; #isBusy = false; #serverCounts = false; #limit;

  constructor(socket, mayUpload) {
    this.#socket = socket;
    this.#mayUpload = mayUpload;
    const zone = element("drop"), chooser = element("file");
    element("choose").addEventListener("click", () => chooser.click());
    chooser.addEventListener("change", () => {
      if (chooser.files.length > 0) this.#take(chooser.files);
      chooser.value = "";
    });
    let depth = 0;
    // The whole page takes it: a zip that misses the field would else replace the page.
    addEventListener("dragenter", (event) => { depth += 1; event.preventDefault(); zone.classList.toggle("over", this.#mayUpload()); });
    addEventListener("dragleave", () => { depth -= 1; if (depth <= 0) zone.classList.remove("over"); });
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      depth = 0;
      zone.classList.remove("over");
      if (event.dataTransfer.files.length > 0) this.#take(event.dataTransfer.files);
    });
  }

  /// `limit`: bytes of the largest zip that the server takes, where it says so.
  limit(limit) { this.#limit = limit; }

  async #take(files) {
    if (!this.#mayUpload() || this.#isBusy) return;
    const [file] = files;
    if (files.length > 1) return this.#tell("One zip at a time, please.", "bad");
    if (!/\.zip$/i.test(file.name)) return this.#tell(`${file.name} is no zip. Pack the project's folder into one .zip and drop that.`, "bad");
    if (file.size === 0) return this.#tell(`${file.name} is empty.`, "bad");
    if (this.#limit && file.size > this.#limit) {
      return this.#tell(`${file.name} has ${bytes(file.size)}, and this server takes ${bytes(this.#limit)} at most (robot_control.maximum_archive_bytes).`, "bad");
    }
    this.#isBusy = true;
    this.#serverCounts = false;
    element("choose").disabled = true;
    this.#tell("");
    this.#show("receiving", 0, file.size);
    const name = file.name.slice(0, 200);
    const answer = await this.#socket.upload("update", { name }, file, (sent, total) => {
      if (!this.#serverCounts) this.#show("receiving", sent, total);
    }).catch((error) => ({ status: "error", message: `${error.message} while ${name} was sent. The project that runs is untouched unless the server says otherwise.` }));
    this.#isBusy = false;
    element("choose").disabled = false;
    element("progress").hidden = true;
    const isGood = answer?.status === "success";
    const version = answer?.data?.version;
    if (isGood) this.#tell(`${name} runs${version ? ` as version ${version}` : ""}.`, "good");
    else this.#tell(answer?.message ?? "The server gave no reason.", "bad", answer?.error_code, answer?.data?.details ?? answer?.data?.traceback);
  }

  /// `update_progress`; also what another operator sends is shown.
  progress({ stage, done, total } = {}) {
    this.#serverCounts = true;
    this.#show(stage, done, total);
  }

  /// The server is away, or a state came that ends somebody else's upload.
  settle() { if (!this.#isBusy) element("progress").hidden = true; }

  #show(stage, done, total) {
    element("progress").hidden = false;
    const place = STAGES.findIndex(([name]) => name === stage);
    element("stages").replaceChildren(...STAGES.map(([name, title], index) => {
      const item = make("li", { textContent: title, className: index < place ? "done" : index === place ? "doing" : "" });
      item.dataset.stage = name;
      return item;
    }));
    const bar = element("bar");
    if (total > 0 && Number.isFinite(done)) {
      bar.max = total;
      bar.value = Math.min(done, total);
      element("amount").textContent = stage === "receiving" ? `${bytes(done)} of ${bytes(total)}` : `${done} of ${total}`;
    } else {
      bar.removeAttribute("value");
      element("amount").textContent = "";
    }
  }

  #tell(text, kind = "", code, details) {
    const place = element("upload-said");
    place.hidden = !text;
    place.className = `said ${kind}`;
    place.replaceChildren(text, ...(code ? [" ", make("code", { textContent: code })] : []),
      ...(details ? [make("details", {}, make("summary", { textContent: "Details" }), make("pre", { textContent: details, tabIndex: 0 }))] : []));
  }
}
