// The viewer's microphone: off, held open by a key (push to talk), or open. Emits "level" (0 to 1), "mode" and "problem".

export class Microphone extends EventTarget {
  #stream; #context; #analyser; #timer; #opening; #mode = "off";

  get mode() { return this.#mode; }
  /// The track to send; null while the microphone is off.
  get track() { return this.#mode === "off" ? null : this.#stream?.getAudioTracks()[0] ?? null; }
  /// False where the browser offers no microphone: pages from other machines need HTTPS.
  static get isAvailable() { return Boolean(navigator.mediaDevices?.getUserMedia); }

  /// "off", "hold" or "open". Resolves to the track to send.
  async set(mode) {
    if (mode === this.#mode) return this.track;
    this.#mode = mode;
    if (mode !== "off") await this.#open();
    // The key may have been let go, or the page left, while the browser asked for permission.
    if (this.#mode === "off") this.#close();
    this.#emit("mode", this.#mode);
    return this.track;
  }

  #open() {
    this.#opening ??= this.#start().finally(() => { this.#opening = undefined; });
    return this.#opening;
  }

  async #start() {
    if (this.#stream) return;
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
      });
    } catch (error) {
      this.#mode = "off";
      this.#emit("problem", error.name === "NotAllowedError"
        ? "The browser was not allowed to use the microphone" : `No microphone: ${error.message}`);
      return;
    }
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 512;
    this.#context.createMediaStreamSource(this.#stream).connect(this.#analyser);
    const samples = new Float32Array(this.#analyser.fftSize);
    this.#timer = setInterval(() => {
      this.#analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
      // -60 dB and below is nothing, 0 dB is all.
      this.#emit("level", Math.max(0, 1 + Math.log10(power + 1e-9) / 6));
    }, 66);
  }

  #close() {
    clearInterval(this.#timer);
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#context?.close();
    this.#stream = this.#context = undefined;
    this.#emit("level", 0);
  }

  #emit(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}
