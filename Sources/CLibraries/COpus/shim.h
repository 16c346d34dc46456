// libopus (used by MediaPipeline/Audio).
#pragma once
#include <opus/opus.h>
