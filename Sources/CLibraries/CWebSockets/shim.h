// libwebsockets: HTTP and WebSocket (used by WebServer/LibWebSockets).
#pragma once
#include <libwebsockets.h>
