#include "audio_processing.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>

#include <webrtc/modules/audio_processing/include/audio_processing.h>

namespace {
constexpr int kRate = 16000;
constexpr int kSamples = 160;
}  // namespace

struct cap_detector {
    std::unique_ptr<webrtc::AudioProcessing> processing;
};

extern "C" struct cap_detector *cap_detector_create(int likelihood) {
    if (likelihood < 0 || likelihood > 3) return nullptr;
    std::unique_ptr<cap_detector> detector(new (std::nothrow) cap_detector);
    if (!detector) return nullptr;
    detector->processing.reset(webrtc::AudioProcessing::Create());
    if (!detector->processing) return nullptr;
    auto &processing = *detector->processing;
    processing.high_pass_filter()->Enable(true);
    processing.noise_suppression()->set_level(webrtc::NoiseSuppression::kModerate);
    processing.noise_suppression()->Enable(true);
    processing.voice_detection()->set_likelihood(static_cast<webrtc::VoiceDetection::Likelihood>(likelihood));
    processing.voice_detection()->Enable(true);
    return detector.release();
}

extern "C" void cap_detector_destroy(struct cap_detector *detector) { delete detector; }

extern "C" int cap_detector_process(struct cap_detector *detector, int16_t *samples) {
    // Debian's headers lack what the 16-bit interface needs, so the samples go through as floats.
    float sound[kSamples];
    std::transform(samples, samples + kSamples, sound, [](int16_t sample) { return sample / 32768.0f; });
    float *channel = sound;
    const webrtc::StreamConfig format(kRate, 1);
    const int error = detector->processing->ProcessStream(&channel, format, format, &channel);
    if (error != 0) return error < 0 ? error : -error;
    std::transform(sound, sound + kSamples, samples, [](float sample) {
        return static_cast<int16_t>(std::lround(std::clamp(sample * 32768.0f, -32768.0f, 32767.0f)));
    });
    return detector->processing->voice_detection()->stream_has_voice() ? 1 : 0;
}
