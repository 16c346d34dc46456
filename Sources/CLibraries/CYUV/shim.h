// libyuv: pixel format conversion (used by MediaPipeline/Video).
#pragma once
#include <libyuv.h>
