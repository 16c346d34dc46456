// libvpx: VP8 (used by MediaPipeline/Video).
#pragma once
#include <vpx/vpx_encoder.h>
#include <vpx/vp8cx.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vp8dx.h>
