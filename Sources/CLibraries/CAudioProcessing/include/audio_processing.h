// WebRTC's audio processing behind a C interface (used by Conversation/Hearing).
#pragma once
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// One voice activity detector: high-pass, noise suppression and WebRTC's detector, 10 ms of 16 kHz mono a call.
struct cap_detector;

/// NULL where the library refuses. `likelihood` 0...3: how readily a frame counts as speech (0: only what is surely speech; 3: clips
/// no speech, and takes some noise for it).
struct cap_detector *cap_detector_create(int likelihood);
void cap_detector_destroy(struct cap_detector *detector);
/// Cleans the 160 samples in place. 1: voice, 0: none, negative: the library's error.
int cap_detector_process(struct cap_detector *detector, int16_t *samples);

#ifdef __cplusplus
}
#endif
