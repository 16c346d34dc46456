// Flite: the built-in voice (used by MediaPipeline/Voice).
#pragma once
#include <flite/flite.h>
#include <flite/flite_version.h>

// No header of Flite declares its voices.
cst_voice *register_cmu_us_slt(const char *voxdir);
