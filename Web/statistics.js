// Reads getStats() once a second and shows it: plots for what moves, a list for what is.

import { Plot } from "./plot.js";

export class Statistics {
  #facts; #plots; #last;

  constructor(plots, facts) {
    this.#facts = facts;
    this.#plots = {
      fps: new Plot(plots, "Frames", "fps", "#3c7dd9"),
      bitrate: new Plot(plots, "Bit rate", "kbit/s", "#2f9e62"),
      rtt: new Plot(plots, "Round trip", "ms", "#c98a1b", 1),
      loss: new Plot(plots, "Loss", "%", "#d2453d", 1),
      jitter: new Plot(plots, "Jitter buffer", "ms", "#8a63d2"),
    };
  }

  reset() { this.#last = undefined; }

  async update(peer) {
    const stats = await peer.getStats();
    const now = { at: performance.now(), bytes: 0, packets: 0, lost: 0 };
    let video, audio, pair;
    for (const entry of stats.values()) {
      if (entry.type === "inbound-rtp") {
        if (entry.kind === "video") video = entry; else audio = entry;
        now.bytes += entry.bytesReceived;
        now.packets += entry.packetsReceived;
        now.lost += entry.packetsLost;
      } else if (entry.type === "candidate-pair" && entry.nominated && entry.state === "succeeded") {
        pair = entry;
      }
    }
    const last = this.#last;
    this.#last = now;
    this.#plots.fps.add(video?.framesPerSecond);
    if (last) {
      this.#plots.bitrate.add((now.bytes - last.bytes) * 8 / (now.at - last.at));
      const packets = now.packets - last.packets, lost = Math.max(0, now.lost - last.lost);
      if (packets + lost > 0) this.#plots.loss.add(100 * lost / (packets + lost));
    }
    this.#plots.rtt.add(pair?.currentRoundTripTime * 1000);
    if (video?.jitterBufferEmittedCount) this.#plots.jitter.add(1000 * video.jitterBufferDelay / video.jitterBufferEmittedCount);
    const local = pair && stats.get(pair.localCandidateId), remote = pair && stats.get(pair.remoteCandidateId);
    this.#show({
      "Path": local && remote && `${describe(local)} → ${describe(remote)}`,
      "Picture": video?.frameWidth && `${video.frameWidth}×${video.frameHeight}, ${codec(stats, video)}`,
      "Sound": audio && `${codec(stats, audio)}, ${audio.concealmentEvents ?? 0} gaps concealed`,
      "Frames": video && `${video.framesDecoded} decoded, ${video.framesDropped ?? 0} dropped, ${video.keyFramesDecoded} key`,
      "Freezes": video && `${video.freezeCount ?? 0} (${(video.totalFreezesDuration ?? 0).toFixed(1)} s)`,
      "Repairs": video && `${video.nackCount ?? 0} NACK, ${video.pliCount ?? 0} PLI`,
    });
  }

  #show(facts) {
    this.#facts.replaceChildren(...Object.entries(facts).filter(([, value]) => value).flatMap(([name, value]) => {
      const term = document.createElement("dt"), description = document.createElement("dd");
      term.textContent = name;
      description.textContent = value;
      return [term, description];
    }));
  }
}

function describe(candidate) {
  const relay = candidate.relayProtocol ? ` over ${candidate.relayProtocol}` : "";
  return `${candidate.candidateType}${relay} ${candidate.address ?? ""}:${candidate.port ?? ""}`;
}

function codec(stats, entry) {
  return stats.get(entry.codecId)?.mimeType.split("/")[1] ?? "";
}
