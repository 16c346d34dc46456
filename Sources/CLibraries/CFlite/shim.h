// Flite: the built-in voice (used by MediaPipeline/Voice).
#pragma once
#include <flite/flite.h>
