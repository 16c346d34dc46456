// libsrtp2: the receive side and the profiles that are not hot (used by PeerConnection/SRTP).
#pragma once
#include <srtp2/srtp.h>
