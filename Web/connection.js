// Keeps a page connected to a stage: walks through the phases and shows them, restarts ICE when the path drops, begins anew when that does
// not help, and says why in words. Emits "session" (a new one begins), "message" (of the server) and "picture" (the first of a session).

import { Session } from "./session.js";

const PHASES = { server: "Server", signaling: "Signaling", path: "Path", media: "Picture" };
/// Waits between attempts, in milliseconds; the last one repeats.
const BACKOFF = [300, 700, 1500, 3000, 5000];
/// How long a dropped path may take to come back before ICE is restarted, and a restart before all begins anew.
const RESTART_AFTER_MS = 1000;
const RENEW_AFTER_MS = 6000;

export class Connection extends EventTarget {
  #session; #attempt = 0; #timers = []; #userId; #door; #video; #phases; #notice;

  /// `door` makes the door of a new attempt; `video`, `phases` (a list) and `notice` are the page's elements.
  constructor({ userId, door, video, phases, notice }) {
    super();
    this.#userId = userId;
    this.#door = door;
    this.#video = video;
    this.#notice = notice;
    this.#phases = new Map(Object.entries(PHASES).map(([id, title]) => {
      const item = document.createElement("li");
      item.id = `phase-${id}`;
      item.textContent = title;
      phases.append(item);
      return [id, item];
    }));
    addEventListener("online", () => { if (this.isConnected) this.#restart(); else this.connect(); });
    navigator.connection?.addEventListener?.("change", () => { if (this.isConnected) this.#restart(); });
    addEventListener("pagehide", () => this.#session?.close());
    addEventListener("pageshow", (event) => { if (event.persisted) this.connect(); });
  }

  get session() { return this.#session; }
  get isConnected() { return this.#session?.peer?.connectionState === "connected"; }

  async connect() {
    this.#forgetTimers();
    this.#session?.close();
    for (const id of this.#phases.keys()) this.#setPhase(id, "");
    const mine = new Session(this.#userId, this.#door());
    this.#session = mine;
    const current = (handler) => (event) => { if (this.#session === mine) handler(event.detail); };
    mine.addEventListener("phase", current(({ phase, state, detail }) => this.#setPhase(phase, state, detail)));
    mine.addEventListener("stream", current((stream) => { if (this.#video.srcObject !== stream) this.#video.srcObject = stream; }));
    mine.addEventListener("connection", current((state) => this.#follow(state)));
    mine.addEventListener("message", current((message) => this.#emit("message", message)));
    mine.addEventListener("lost", current(({ reason }) => this.#again(reason)));
    this.#emit("session", mine);
    this.#whenPictured(() => {
      if (this.#session !== mine) return;
      this.#setPhase("media", "done");
      this.tell();
      this.#attempt = 0;
      this.#emit("picture");
    });
    try {
      await mine.open();
    } catch (error) {
      if (this.#session === mine) this.#again(error.message);
    }
  }

  tell(text) {
    this.#notice.textContent = text ?? "";
    this.#notice.hidden = !text;
  }

  /// Calls back at the first picture that came over the wire; a fresh stream shows a blank one before.
  #whenPictured(action) {
    if (!this.#video.requestVideoFrameCallback) { this.#video.addEventListener("timeupdate", action, { once: true }); return; }
    this.#video.requestVideoFrameCallback((_, { rtpTimestamp }) => (rtpTimestamp === undefined ? this.#whenPictured(action) : action()));
  }

  /// Follows the peer connection: waits a little, then restarts ICE, then begins anew.
  #follow(state) {
    if (state === "connected") {
      this.#forgetTimers();
      if (!this.#phases.get("media").className) this.#setPhase("media", "doing");
      this.tell();
    } else if (state === "disconnected") {
      this.tell("The connection was interrupted; waiting for it to come back …");
      this.#later(RESTART_AFTER_MS, () => this.#restart());
    } else if (state === "failed") {
      this.#again("No path to the server: its UDP ports 10110-10115 are not reachable from here");
    }
  }

  async #restart() {
    this.tell("Looking for another path …");
    this.#later(RENEW_AFTER_MS, () => this.#again("The path did not come back"));
    await this.#session.restartIce().catch((error) => this.#again(error.message));
  }

  /// Begins anew after a while, and says why.
  #again(reason) {
    this.#forgetTimers();
    const wait = BACKOFF[Math.min(this.#attempt, BACKOFF.length - 1)];
    this.#attempt += 1;
    this.tell(`${reason}. Trying again${this.#attempt > 1 ? ` (attempt ${this.#attempt})` : ""} …`);
    this.#later(wait, () => this.connect());
  }

  #setPhase(id, state, detail) {
    const item = this.#phases.get(id);
    item.className = state;
    item.title = detail ?? "";
  }

  #later(milliseconds, action) { this.#timers.push(setTimeout(action, milliseconds)); }

  #forgetTimers() {
    this.#timers.forEach(clearTimeout);
    this.#timers = [];
  }

  #emit(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}
