// Between our endpoints and the kernel's socket addresses; private to CLinux, included after _GNU_SOURCE.
#pragma once
#include "CLinux.h"

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static inline socklen_t clinux_to_sockaddr(clinux_endpoint endpoint, bool v6_socket, struct sockaddr_storage *out) {
    if (!endpoint.is_v6 && !v6_socket) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        memset(v4, 0, sizeof *v4);
        v4->sin_family = AF_INET;
        v4->sin_port = htons(endpoint.port);
        v4->sin_addr.s_addr = htonl((uint32_t)endpoint.low);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    memset(v6, 0, sizeof *v6);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint.port);
    uint64_t high = endpoint.high, low = endpoint.low;
    if (!endpoint.is_v6) {  // An IPv6 socket reaches IPv4 through the mapped form.
        high = 0;
        low = 0xFFFF00000000ull | (endpoint.low & 0xFFFFFFFFull);
    }
    high = htobe64(high);
    low = htobe64(low);
    memcpy(v6->sin6_addr.s6_addr, &high, 8);
    memcpy(v6->sin6_addr.s6_addr + 8, &low, 8);
    return sizeof *v6;
}

static inline clinux_endpoint clinux_from_sockaddr(const struct sockaddr_storage *address) {
    clinux_endpoint endpoint = {0};
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        endpoint.low = ntohl(v4->sin_addr.s_addr);
        endpoint.port = ntohs(v4->sin_port);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        memcpy(&endpoint.high, v6->sin6_addr.s6_addr, 8);
        memcpy(&endpoint.low, v6->sin6_addr.s6_addr + 8, 8);
        endpoint.high = be64toh(endpoint.high);
        endpoint.low = be64toh(endpoint.low);
        endpoint.port = ntohs(v6->sin6_port);
        endpoint.is_v6 = 1;
        if (endpoint.high == 0 && endpoint.low >> 32 == 0xFFFF) {  // IPv4-mapped: an IPv4 peer of a dual-stack socket.
            endpoint.low &= 0xFFFFFFFFull;
            endpoint.is_v6 = 0;
        }
    }
    return endpoint;
}
