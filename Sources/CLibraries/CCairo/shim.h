// Cairo: the drawn avatar (used by MediaPipeline/Avatar).
#pragma once
#include <cairo/cairo.h>
