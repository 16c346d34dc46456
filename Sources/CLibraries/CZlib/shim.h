// zlib: inflating the entries of uploaded projects (used by RobotControl/Archives).
#pragma once
#include <zlib.h>

// A macro that passes the library's version and the structure's size.
static inline int czlib_inflate_init_raw(z_stream *stream) { return inflateInit2(stream, -MAX_WBITS); }
