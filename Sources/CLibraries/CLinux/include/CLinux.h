// Linux socket calls that Swift's Glibc overlay hides: epoll, eventfd, timerfd, accept4, recvmmsg, sendmmsg, UDP_SEGMENT.
// This header defines no feature-test macro; CLinux.c does.
#pragma once
#include <stdint.h>

/// Placeholder so that the module has a symbol; replaced by Networking's shims.
static inline int clinux_abi_version(void) { return 1; }
