// libvpx: VP8 (used by MediaPipeline/Video).
#pragma once
#include <vpx/vpx_encoder.h>
#include <vpx/vp8cx.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vp8dx.h>

// vpx_codec_enc_init and vpx_codec_dec_init are macros that add the ABI version.
static inline vpx_codec_err_t cvpx_vp8_encoder_init(vpx_codec_ctx_t *context, const vpx_codec_enc_cfg_t *configuration) {
    return vpx_codec_enc_init(context, vpx_codec_vp8_cx(), configuration, 0);
}
static inline vpx_codec_err_t cvpx_vp8_encoder_defaults(vpx_codec_enc_cfg_t *configuration) {
    return vpx_codec_enc_config_default(vpx_codec_vp8_cx(), configuration, 0);
}
static inline vpx_codec_err_t cvpx_vp8_decoder_init(vpx_codec_ctx_t *context) {
    return vpx_codec_dec_init(context, vpx_codec_vp8_dx(), NULL, 0);
}
// vpx_codec_control is a macro over a variadic function.
static inline vpx_codec_err_t cvpx_set_cpu_used(vpx_codec_ctx_t *context, int value) {
    return vpx_codec_control(context, VP8E_SET_CPUUSED, value);
}
static inline vpx_codec_err_t cvpx_set_static_threshold(vpx_codec_ctx_t *context, unsigned int value) {
    return vpx_codec_control(context, VP8E_SET_STATIC_THRESHOLD, value);
}
static inline vpx_codec_err_t cvpx_set_max_intra_bit_rate(vpx_codec_ctx_t *context, unsigned int percent) {
    return vpx_codec_control(context, VP8E_SET_MAX_INTRA_BITRATE_PCT, percent);
}
static inline vpx_codec_err_t cvpx_set_noise_sensitivity(vpx_codec_ctx_t *context, unsigned int value) {
    return vpx_codec_control(context, VP8E_SET_NOISE_SENSITIVITY, value);
}
static inline vpx_codec_err_t cvpx_set_token_partitions(vpx_codec_ctx_t *context, int value) {
    return vpx_codec_control(context, VP8E_SET_TOKEN_PARTITIONS, value);
}
static inline vpx_codec_err_t cvpx_set_tuning(vpx_codec_ctx_t *context, int value) {
    return vpx_codec_control(context, VP8E_SET_TUNING, value);
}
// The packet's payload lies in an anonymous union.
static inline int cvpx_is_frame(const vpx_codec_cx_pkt_t *packet) { return packet->kind == VPX_CODEC_CX_FRAME_PKT; }
static inline const unsigned char *cvpx_frame_bytes(const vpx_codec_cx_pkt_t *packet) {
    return (const unsigned char *)packet->data.frame.buf;
}
static inline size_t cvpx_frame_size(const vpx_codec_cx_pkt_t *packet) { return packet->data.frame.sz; }
static inline int cvpx_frame_is_key(const vpx_codec_cx_pkt_t *packet) {
    return (packet->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
}
