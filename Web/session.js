// One viewer of the server: a door that is opened over HTTP, its WebSocket, and the peer connection. Emits what happens as events:
// "phase" {phase, state, detail}, "message" (every server message), "stream" (a MediaStream), "lost" {reason}.
//
// A door says whose stage is watched: open() answers the WebSocket's URL, offer holds what the offer says of it, close() leaves.

const OPEN_LIMIT_MS = 8000;

export class Session extends EventTarget {
  #socket; #peer; #door; #answered = false; #early = []; #closed = false; #userId; #voice; #track = null;

  constructor(userId, door) {
    super();
    this.#userId = userId;
    this.#door = door;
  }

  get peer() { return this.#peer; }

  /// Walks through the phases; throws an Error whose message says what failed in words.
  async open() {
    this.#tell("server", "doing");
    const [config, url] = await Promise.all([this.#get("/api/webrtc/config"), this.#door.open()]);
    this.#tell("server", "done");
    // The offer is made while the socket opens: a round trip saved.
    const offer = this.#createPeer(config);
    this.#tell("signaling", "doing");
    await this.#openSocket(url);
    this.#tell("signaling", "done");
    this.#tell("path", "doing");
    this.#sendOffer(await offer);
    for (const candidate of this.#early.splice(0)) this.#sendCandidate(candidate);
  }

  /// What the microphone hears goes to the server; null ends it. No renegotiation: the offer says that we may send.
  async setMicrophone(track) {
    this.#track = track;
    await this.#voice?.replaceTrack(track);
  }

  /// Asks the avatar, which answers aloud.
  ask(text) {
    this.send({ type: "text_webrtc", content: text, user_id: this.#userId, ...this.#door.offer });
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
    this.#sendOffer(offer);
  }

  close() {
    this.#closed = true;
    this.send({ type: "bye" });
    this.#socket?.close();
    this.#peer?.close();
    this.#door.close();
  }

  #remoteEarly = [];

  async #get(path) {
    const answer = await fetch(path, { signal: AbortSignal.timeout(OPEN_LIMIT_MS) }).catch(() => {
      throw new Error("The server does not answer");
    });
    if (!answer.ok) throw new Error(`The server refused ${path} (${answer.status})`);
    return answer.json();
  }

  #sendOffer({ sdp }) { this.send({ type: "webrtc_offer", sdp, user_id: this.#userId, ...this.#door.offer }); }

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
    this.#door.openChannels?.(peer);
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

  #openSocket(url) {
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

/// A session of one's own with an avatar.
export class AvatarDoor {
  #session; #userId;

  constructor(userId, avatarId) {
    this.#userId = userId;
    this.offer = { avatar_id: avatarId, tutor_id: 1 };
  }

  async open() {
    const answer = await fetch("/v1/sessions", {
      method: "POST", headers: { "Content-Type": "application/json" }, signal: AbortSignal.timeout(OPEN_LIMIT_MS),
      body: JSON.stringify({ tutor_id: 1, student_id: this.#userId, kb_id: null }),
    }).catch(() => { throw new Error("The server does not answer"); });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(body.detail ?? `The server refused a session (${answer.status})`);
    this.#session = body;
    const url = new URL(body.engine_url, location.href);
    url.searchParams.set("token", body.engine_token);
    return url;
  }

  close() {
    if (!this.#session) return;
    fetch(`/v1/sessions/${this.#session.session_id}`, { method: "DELETE", keepalive: true }).catch(() => {});
  }
}
