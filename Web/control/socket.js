// A Socket.IO 5 client (Engine.IO 4) for one namespace: WebSocket only, acknowledgements, one binary attachment.

const FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 10_000, OPEN_MS = 10_000, PROGRESS_MS = 100;
const HEAD = /^4(\d)(?:\d+-)?(?:(\/[^,]*),)?(\d+)?/;
const CONNECT = "0", DISCONNECT = "1", EVENT = "2", ANSWER = "3", REFUSAL = "4", BINARY_EVENT = "5", BINARY_ANSWER = "6";

/// Sends `state` (detail: `state`, `reason`, `retryAt`) and `message` (detail: `name`, `data`).
///
/// States: `connecting`, `open`, `waiting` (for the next try, at `retryAt`), `refused` (the token is wrong; call `open` with another one).
export class Socket extends EventTarget {
  #namespace; #token; #web; #answers = new Map(); #lastId = 0; #pause = FIRST_PAUSE_MS; #retry; #watch; #silence = OPEN_MS;

  constructor(namespace) {
    super();
    this.#namespace = namespace;
    this.state = "waiting";
  }

  open(token = this.#token) {
    this.#token = token;
    this.#leave("The connection was opened anew");
    this.#pause = FIRST_PAUSE_MS;
    this.#connect();
  }

  /// Asks the server for something; the promise is its answer, or an error where the connection was lost before.
  order(name, argument = {}) { return this.#send(name, argument); }

  /// As `order`, with a file as the attachment `data`; `onProgress(sent, total)` while it leaves this computer.
  upload(name, argument, file, onProgress) {
    return this.#send(name, { ...argument, data: { _placeholder: true, num: 0 } }, file, onProgress);
  }

  #send(name, argument, file, onProgress) {
    return new Promise((resolve, reject) => {
      if (this.state !== "open") { reject(new Error("The server is away")); return; }
      const web = this.#web, id = this.#lastId += 1;
      this.#answers.set(id, { resolve, reject });
      web.send(`4${file ? `${BINARY_EVENT}1-` : EVENT}${this.#namespace},${id}${JSON.stringify([name, argument])}`);
      if (!file) return;
      web.send(file);
      // What is still in the browser's buffer has not left: the only measure there is for a message under way.
      const timer = setInterval(() => {
        if (this.#answers.has(id)) onProgress(Math.max(0, file.size - web.bufferedAmount), file.size);
        if (web.bufferedAmount === 0 || !this.#answers.has(id)) clearInterval(timer);
      }, PROGRESS_MS);
    });
  }

  // MARK: The connection

  #connect() {
    this.#tell("connecting");
    const url = new URL("/socket.io/?EIO=4&transport=websocket", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const web = this.#web = new WebSocket(url);
    let wasHeard = false;
    web.onmessage = ({ data }) => {
      if (web !== this.#web) return;
      wasHeard = true;
      // The console's answers and pushes are JSON; attachments of others' making are let pass.
      if (typeof data !== "string") return;
      try { this.#read(data); } catch { this.#lose("The server sent something that is no Socket.IO"); }
      this.#listen();
    };
    web.onclose = () => {
      if (web === this.#web) this.#lose(wasHeard ? "The connection to the server was lost" : "The server does not answer");
    };
    this.#silence = OPEN_MS;
    this.#listen();
  }

  /// A connection on which nothing comes is lost, whatever the operating system thinks of it.
  #listen() {
    clearTimeout(this.#watch);
    if (this.#web) this.#watch = setTimeout(() => this.#lose("The server went silent"), this.#silence);
  }

  #leave(reason) {
    clearTimeout(this.#retry);
    clearTimeout(this.#watch);
    const web = this.#web;
    this.#web = undefined;
    web?.close();
    for (const { reject } of this.#answers.values()) reject(new Error(reason));
    this.#answers.clear();
  }

  #lose(reason) {
    this.#leave(reason);
    // Many pages of one server must not come back in the same moment.
    const pause = this.#pause * (0.75 + Math.random() / 2);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
    this.#retry = setTimeout(() => this.#connect(), pause);
    this.#tell("waiting", reason, performance.now() + pause);
  }

  #tell(state, reason, retryAt) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, reason, retryAt } }));
  }

  // MARK: Packets

  #read(text) {
    switch (text[0]) {
      case "0": {
        const { pingInterval, pingTimeout } = JSON.parse(text.slice(1));
        this.#silence = pingInterval + pingTimeout;
        this.#web.send(`4${CONNECT}${this.#namespace},${JSON.stringify(this.#token ? { token: this.#token } : {})}`);
        break;
      }
      case "1": this.#lose("The server closed the connection"); break;
      case "2": this.#web.send(`3${text.slice(1)}`); break;
      case "4": this.#readPacket(text); break;
    }
  }

  #readPacket(text) {
    const [head, type, namespace = "/", id] = HEAD.exec(text);
    if (namespace !== this.#namespace) return;
    const payload = text.length > head.length ? JSON.parse(text.slice(head.length)) : undefined;
    switch (type) {
      case CONNECT:
        this.#pause = FIRST_PAUSE_MS;
        this.#tell("open");
        break;
      case DISCONNECT: this.#lose("The server ended this page's connection"); break;
      case EVENT: case BINARY_EVENT:
        this.dispatchEvent(new CustomEvent("message", { detail: { name: String(payload[0]), data: payload[1] } }));
        break;
      case ANSWER: case BINARY_ANSWER:
        this.#answers.get(Number(id))?.resolve(payload[0]);
        this.#answers.delete(Number(id));
        break;
      case REFUSAL:
        if (payload?.message !== "Authentication failed") { this.#lose(payload?.message ?? "The server refused this page"); break; }
        this.#leave(payload.message);
        this.#tell("refused", payload.message);
        break;
    }
  }
}
