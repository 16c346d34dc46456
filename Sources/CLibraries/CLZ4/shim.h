// liblz4: block decompression of LiDAR frames (used by Go2Bridge/LiDAR).
#pragma once
#include <lz4.h>
