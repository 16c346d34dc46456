// A viewer for tests: what the existing front end does, with its observations kept.
// viewer.connect({http, policy, servers, videoOnly, hostileCandidates}) -> {pc, log, ...}
window.viewers = [];

async function configuration(http) {
  return (await fetch(`${http}/api/webrtc/config`)).json();
}

async function connectViewer(options) {
  const seen = { serverCandidates: [], states: [], messages: [], errors: [], times: {} };
  const start = performance.now();
  const config = await configuration(options.http);
  const session = await (await fetch(`${options.http}/v1/sessions`, {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ tutor_id: 1, student_id: window.viewers.length + 1, kb_id: null }),
  })).json();
  let servers = options.servers ?? config.iceServers;
  if (options.tcp) {
    servers = servers.filter((server) => server.username)
      .map((server) => ({ ...server, urls: server.urls.map((url) => url + "?transport=tcp") }));
  }
  const pc = new RTCPeerConnection({
    iceServers: servers, iceTransportPolicy: options.policy ?? config.iceTransportPolicy, bundlePolicy: "max-bundle",
  });
  const stream = new MediaStream();
  pc.ontrack = (event) => stream.addTrack(event.track);
  pc.addTransceiver("video", { direction: "recvonly" });
  pc.addTransceiver("audio", { direction: "recvonly" });
  pc.onconnectionstatechange = () => seen.states.push(pc.connectionState);
  const video = document.createElement("video");
  video.autoplay = true; video.muted = options.muted ?? true; video.srcObject = stream; video.width = 256;
  document.body.append(video);
  // A fresh stream shows a blank picture first; only those from the wire have an RTP timestamp.
  const firstFrame = new Promise((resolve) => {
    const look = (_, { rtpTimestamp }) => {
      if (rtpTimestamp === undefined) return video.requestVideoFrameCallback(look);
      seen.times.firstFrame = performance.now() - start;
      resolve();
    };
    video.requestVideoFrameCallback(look);
  });
  const socket = new WebSocket(`${session.engine_url}?token=${session.engine_token}`);
  await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = () => reject(new Error("no socket")); });
  const send = (message) => socket.send(JSON.stringify(message));
  const early = [];
  let answered = false;
  const listeners = [];
  socket.onmessage = async (event) => {
    const message = JSON.parse(event.data);
    seen.messages.push({ at: performance.now(), ...message, sdp: undefined });
    if (message.type === "webrtc_answer") {
      seen.answer = message.sdp;
      await pc.setRemoteDescription({ type: "answer", sdp: message.sdp });
      answered = true;
      for (const candidate of early) await pc.addIceCandidate(candidate);
    } else if (message.type === "webrtc_ice_candidate") {
      seen.serverCandidates.push(message.candidate.candidate);
      if (answered) await pc.addIceCandidate(message.candidate); else early.push(message.candidate);
    } else if (message.type === "error") {
      seen.errors.push(message.content);
    }
    for (const listener of listeners) listener(message);
  };
  pc.onicecandidate = (event) => {
    if (event.candidate && event.candidate.candidate) {
      send({ type: "webrtc_ice_candidate", user_id: 1, candidate: event.candidate.toJSON() });
    }
  };
  const offer = await pc.createOffer();
  await pc.setLocalDescription(offer);
  for (const candidate of options.hostileCandidates ?? []) {
    send({ type: "webrtc_ice_candidate", user_id: 1, candidate: { candidate, sdpMid: "0", sdpMLineIndex: 0 } });
  }
  send({ type: "webrtc_offer", sdp: offer.sdp, user_id: 1, avatar_id: "avatar_tutor_1", tutor_id: 1 });
  for (const candidate of options.hostileCandidates ?? []) {
    send({ type: "webrtc_ice_candidate", user_id: 1, candidate: { candidate, sdpMid: "0", sdpMLineIndex: 0 } });
  }
  const viewer = { pc, socket, seen, session, video, firstFrame, send, stream, listeners };
  window.viewers.push(viewer);
  return window.viewers.length - 1;
}

async function viewerReport(index) {
  const { pc, seen, video } = window.viewers[index];
  const stats = await pc.getStats();
  const report = { ...seen, connectionState: pc.connectionState, currentTime: video.currentTime };
  for (const entry of stats.values()) {
    if (entry.type === "inbound-rtp") {
      report[entry.kind] = {
        packets: entry.packetsReceived, lost: entry.packetsLost, bytes: entry.bytesReceived,
        framesDecoded: entry.framesDecoded, keyFrames: entry.keyFramesDecoded, freezes: entry.freezeCount,
        concealed: entry.concealedSamples, width: entry.frameWidth, samples: entry.totalSamplesReceived,
        nacks: entry.nackCount, plis: entry.pliCount,
      };
    } else if (entry.type === "candidate-pair" && entry.nominated && entry.state === "succeeded") {
      const local = stats.get(entry.localCandidateId), remote = stats.get(entry.remoteCandidateId);
      report.pair = {
        local: local && { type: local.candidateType, address: local.address, port: local.port, relay: local.relayProtocol, url: local.url },
        remote: remote && { type: remote.candidateType, address: remote.address, port: remote.port },
        rtt: entry.currentRoundTripTime,
      };
    }
  }
  return report;
}

// Resolves when `count` more pictures were presented than now.
function presentFrames(index, count) {
  const { video } = window.viewers[index];
  return new Promise((resolve) => {
    let first;
    const look = (_, { presentedFrames }) => {
      first ??= presentedFrames;
      if (presentedFrames - first >= count) resolve(); else video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  });
}

// Resolves when a picture was shown and the browser has nominated the pair that it came on.
async function havePicture(index) {
  await window.viewers[index].firstFrame;
  while (!(await viewerReport(index)).pair) await presentFrames(index, 1);
}
