// PocketSphinx: the built-in recogniser (used by Conversation/Hearing).
#pragma once
#include <pocketsphinx.h>
#include <sphinxbase/err.h>
#include <sphinxbase/ngram_model.h>

// cmd_ln_init is variadic and its flag is a macro. The language model is added later: decoders share it.
static inline cmd_ln_t *cps_settings(const char *acoustic_model, const char *dictionary) {
    return cmd_ln_init(NULL, ps_args(), 1, "-hmm", acoustic_model, "-dict", dictionary, NULL);
}

// The running mean that a decoder normalises by lies in structures whose layout is the library's own affair.
enum { cps_mean_size = 13 };
// 0 where the model's features are of another size.
static inline int cps_get_mean(ps_decoder_t *decoder, mfcc_t *mean) {
    feat_t *features = ps_get_feat(decoder);
    if (!features || !features->cmn_struct || feat_cepsize(features) != cps_mean_size) return 0;
    cmn_live_get(features->cmn_struct, mean);
    return 1;
}
static inline void cps_set_mean(ps_decoder_t *decoder, const mfcc_t *mean) {
    feat_t *features = ps_get_feat(decoder);
    if (features && features->cmn_struct) cmn_live_set(features->cmn_struct, mean);
}
