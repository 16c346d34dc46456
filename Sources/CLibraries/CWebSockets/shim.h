// libwebsockets: HTTP and WebSocket (used by WebServer/LibWebSockets).
#pragma once
#include <libwebsockets.h>
#include <stdint.h>

// Macros that Swift does not see.
enum {
    /// Bytes that lws_write may use before its buffer.
    CLWS_PRE = LWS_PRE,
};
static const uint64_t CLWS_OPTIONS = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_VALIDATE_UTF8;

/// Our number of the connection; 0 where lws made the instance for itself.
static inline uint64_t clws_number(const struct lws *wsi) { return (uintptr_t)lws_get_opaque_user_data(wsi); }

/// Hands an accepted socket over (the descriptor is inside a union there). NULL: lws closed it.
static inline struct lws *clws_adopt_connection(struct lws_vhost *vhost, int descriptor, uint64_t number) {
    lws_adopt_desc_t info = {.vh = vhost, .type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP, .opaque = (void *)(uintptr_t)number};
    info.fd.sockfd = descriptor;
    return lws_adopt_descriptor_vhost_via_info(&info);
}

/// Lets lws watch a listening socket, which it then reports by LWS_CALLBACK_RAW_RX_FILE and closes at the end.
static inline struct lws *clws_adopt_listener(
    struct lws_vhost *vhost, int descriptor, const char *protocol, uint64_t number) {
    lws_adopt_desc_t info = {
        .vh = vhost, .type = LWS_ADOPT_RAW_FILE_DESC, .vh_prot_name = protocol, .opaque = (void *)(uintptr_t)number};
    info.fd.filefd = descriptor;
    return lws_adopt_descriptor_vhost_via_info(&info);
}

/// Ends a connection from outside its own callbacks, as soon as the service thread is back in its loop.
static inline void clws_kill(struct lws *wsi) {
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
}
