// One session with the server: the HTTP session, its WebSocket, and the peer connection. Emits what happens as events:
// "phase" {phase, state, detail}, "message" (every server message), "stream" (a MediaStream), "lost" {reason}.

const OPEN_LIMIT_MS = 8000;

export class Session extends EventTarget {
  #socket; #peer; #session; #answered = false; #early = []; #closed = false; #userId; #voice; #track = null;

  constructor(userId, avatarId) {
    super();
    this.#userId = userId;
    this.avatarId = avatarId;
  }

  get peer() { return this.#peer; }
  get id() { return this.#session?.session_id; }

  /// Walks through the phases; throws an Error whose message says what failed in words.
  async open() {
    this.#tell("server", "doing");
    const [config, session] = await Promise.all([this.#get("/api/webrtc/config"), this.#createSession()]);
    this.#session = session;
    this.#tell("server", "done");
    // The offer is made while the socket opens: a round trip saved.
    const offer = this.#createPeer(config);
    this.#tell("signaling", "doing");
    await this.#openSocket();
    this.#tell("signaling", "done");
    this.#tell("path", "doing");
    this.send({ type: "webrtc_offer", sdp: (await offer).sdp, user_id: this.#userId, avatar_id: this.avatarId, tutor_id: 1 });
    for (const candidate of this.#early.splice(0)) this.#sendCandidate(candidate);
  }

  /// What the microphone hears goes to the server; null ends it. No renegotiation: the offer says that we may send.
  async setMicrophone(track) {
    this.#track = track;
    await this.#voice?.replaceTrack(track);
  }

  /// Asks the avatar, which answers aloud.
  ask(text) {
    this.send({ type: "text_webrtc", content: text, avatar_id: this.avatarId, user_id: this.#userId, tutor_id: 1 });
  }

  interrupt() { this.send({ type: "interrupt" }); }

  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /// The network changed: new candidates on both sides, the media goes on meanwhile.
  async restartIce() {
    if (this.#socket?.readyState !== WebSocket.OPEN) throw new Error("The signaling connection is gone");
    this.#answered = false;
    this.#remoteEarly = [];
    const offer = await this.#peer.createOffer({ iceRestart: true });
    await this.#peer.setLocalDescription(offer);
    this.send({ type: "webrtc_offer", sdp: offer.sdp, user_id: this.#userId, avatar_id: this.avatarId, tutor_id: 1 });
  }

  close() {
    this.#closed = true;
    this.send({ type: "bye" });
    this.#socket?.close();
    this.#peer?.close();
    if (this.#session) {
      fetch(`/v1/sessions/${this.#session.session_id}`, { method: "DELETE", keepalive: true }).catch(() => {});
    }
  }

  #remoteEarly = [];

  async #get(path) {
    const answer = await fetch(path, { signal: AbortSignal.timeout(OPEN_LIMIT_MS) }).catch(() => {
      throw new Error("The server does not answer");
    });
    if (!answer.ok) throw new Error(`The server refused ${path} (${answer.status})`);
    return answer.json();
  }

  async #createSession() {
    const answer = await fetch("/v1/sessions", {
      method: "POST", headers: { "Content-Type": "application/json" }, signal: AbortSignal.timeout(OPEN_LIMIT_MS),
      body: JSON.stringify({ tutor_id: 1, student_id: this.#userId, kb_id: null }),
    }).catch(() => { throw new Error("The server does not answer"); });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(body.detail ?? `The server refused a session (${answer.status})`);
    return body;
  }

  async #createPeer(config) {
    const peer = new RTCPeerConnection({
      iceServers: config.iceServers, iceTransportPolicy: config.iceTransportPolicy, bundlePolicy: "max-bundle",
    });
    this.#peer = peer;
    const stream = new MediaStream();
    peer.ontrack = (event) => {
      stream.addTrack(event.track);
      this.#emit("stream", stream);
    };
    peer.onicecandidate = ({ candidate }) => {
      if (!candidate?.candidate) return;
      if (this.#socket?.readyState === WebSocket.OPEN) this.#sendCandidate(candidate); else this.#early.push(candidate);
    };
    peer.oniceconnectionstatechange = () => {
      if (["connected", "completed"].includes(peer.iceConnectionState)) this.#tell("path", "done");
      if (peer.iceConnectionState === "failed") this.#tell("path", "failed", "No UDP path to the server works");
    };
    peer.onconnectionstatechange = () => this.#emit("connection", peer.connectionState);
    peer.addTransceiver("video", { direction: "recvonly" });
    const audio = peer.addTransceiver("audio", { direction: "sendrecv" });
    this.#voice = audio.sender;
    if (this.#track) await this.#voice.replaceTrack(this.#track);
    const offer = await peer.createOffer();
    await peer.setLocalDescription(offer);
    return offer;
  }

  #sendCandidate(candidate) {
    this.send({ type: "webrtc_ice_candidate", user_id: this.#userId, candidate: candidate.toJSON() });
  }

  #openSocket() {
    const url = new URL(this.#session.engine_url, location.href);
    url.searchParams.set("token", this.#session.engine_token);
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`The signaling port (${url.port}) does not answer`)), OPEN_LIMIT_MS);
      socket.onopen = () => { clearTimeout(limit); resolve(); };
      socket.onclose = (event) => {
        clearTimeout(limit);
        reject(new Error(`The signaling connection was refused${event.reason ? `: ${event.reason}` : ` (port ${url.port})`}`));
        if (!this.#closed) this.#emit("lost", { reason: event.reason || "The signaling connection ended" });
      };
    });
  }

  async #receive(message) {
    this.#emit("message", message);
    if (message.type === "webrtc_answer") {
      await this.#peer.setRemoteDescription({ type: "answer", sdp: message.sdp });
      this.#answered = true;
      for (const candidate of this.#remoteEarly.splice(0)) await this.#peer.addIceCandidate(candidate).catch(() => {});
    } else if (message.type === "webrtc_ice_candidate") {
      if (this.#answered) await this.#peer.addIceCandidate(message.candidate).catch(() => {});
      else this.#remoteEarly.push(message.candidate);
    }
  }

  #tell(phase, state, detail) { this.#emit("phase", { phase, state, detail }); }
  #emit(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}
