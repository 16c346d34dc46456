#define _GNU_SOURCE
#include "CLinux.h"
#include "Addresses.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

// MARK: epoll and eventfd

int clinux_epoll_create(void) {
    int descriptor = epoll_create1(EPOLL_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

static uint32_t epoll_events(uint32_t events) {
    return (events & CLINUX_READABLE ? EPOLLIN | EPOLLRDHUP : 0) | (events & CLINUX_WRITABLE ? EPOLLOUT : 0);
}

static int control(int epoll, int operation, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = epoll_events(events), .data.u64 = token};
    return epoll_ctl(epoll, operation, descriptor, &event) < 0 ? -errno : 0;
}

int clinux_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t token) {
    return control(epoll, EPOLL_CTL_ADD, descriptor, events, token);
}

int clinux_epoll_modify(int epoll, int descriptor, uint32_t events, uint64_t token) {
    return control(epoll, EPOLL_CTL_MOD, descriptor, events, token);
}

int clinux_epoll_remove(int epoll, int descriptor) {
    return control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0);
}

int clinux_epoll_wait(int epoll, clinux_event *events, int capacity, int64_t timeout_ns) {
    struct epoll_event found[64];
    if (capacity > 64) capacity = 64;
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    int count = epoll_pwait2(epoll, found, capacity, timeout_ns < 0 ? NULL : &timeout, NULL);
    if (count < 0 && errno == ENOSYS) {  // Linux before 5.11: whole milliseconds, rounded up.
        int64_t milliseconds = timeout_ns < 0 ? -1 : (timeout_ns + 999999) / 1000000;
        count = epoll_wait(epoll, found, capacity, milliseconds > 60000 ? 60000 : (int)milliseconds);
    }
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int index = 0; index < count; index++) {
        uint32_t kind = found[index].events;
        events[index].token = found[index].data.u64;
        events[index].events = (kind & (EPOLLIN | EPOLLRDHUP) ? CLINUX_READABLE : 0)
            | (kind & EPOLLOUT ? CLINUX_WRITABLE : 0) | (kind & (EPOLLHUP | EPOLLERR) ? CLINUX_HANGUP : 0);
    }
    return count;
}

int clinux_eventfd(void) {
    int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

void clinux_eventfd_signal(int descriptor) {
    uint64_t one = 1;
    (void)!write(descriptor, &one, sizeof one);
}

void clinux_eventfd_drain(int descriptor) {
    uint64_t count;
    (void)!read(descriptor, &count, sizeof count);
}

void clinux_name_thread(const char *name) { (void)pthread_setname_np(pthread_self(), name); }

// MARK: Sockets

static int failed(int descriptor) {
    int code = errno;
    if (descriptor >= 0) close(descriptor);
    return -code;
}

static void grow_buffer(int descriptor, int forced, int option, int bytes) {
    if (bytes <= 0) return;
    // The forced option passes net.core.rmem_max and needs CAP_NET_ADMIN; the plain one is the fallback.
    if (setsockopt(descriptor, SOL_SOCKET, forced, &bytes, sizeof bytes) < 0)
        (void)setsockopt(descriptor, SOL_SOCKET, option, &bytes, sizeof bytes);
}

static int bound_socket(clinux_endpoint local, int type, bool reuse_address, bool reuse_port) {
    int descriptor = socket(local.is_v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    int on = 1, off = 0;
    if (local.is_v6 && setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0)
        return failed(descriptor);
    if (reuse_address && setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return failed(descriptor);
    if (reuse_port && setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
        return failed(descriptor);
    struct sockaddr_storage address;
    socklen_t length = clinux_to_sockaddr(local, local.is_v6, &address);
    if (bind(descriptor, (struct sockaddr *)&address, length) < 0) return failed(descriptor);
    return descriptor;
}

int clinux_udp_socket(clinux_endpoint local, int receive_buffer, int send_buffer, bool reuse_port) {
    int descriptor = bound_socket(local, SOCK_DGRAM, false, reuse_port);
    if (descriptor < 0) return descriptor;
    grow_buffer(descriptor, SO_RCVBUFFORCE, SO_RCVBUF, receive_buffer);
    grow_buffer(descriptor, SO_SNDBUFFORCE, SO_SNDBUF, send_buffer);
    return descriptor;
}

int clinux_tcp_listen(clinux_endpoint local, int backlog) {
    int descriptor = bound_socket(local, SOCK_STREAM, true, false);
    if (descriptor < 0) return descriptor;
    return listen(descriptor, backlog) < 0 ? failed(descriptor) : descriptor;
}

int clinux_tcp_accept(int descriptor, clinux_endpoint *remote) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int accepted = accept4(descriptor, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0) return -errno;
    *remote = clinux_from_sockaddr(&address);
    int on = 1;
    (void)setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return accepted;
}

int clinux_tcp_connect(clinux_endpoint remote, const clinux_endpoint *local) {
    clinux_endpoint any = {.is_v6 = remote.is_v6};
    int descriptor = bound_socket(local ? *local : any, SOCK_STREAM, true, false);
    if (descriptor < 0) return descriptor;
    int on = 1;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_storage address;
    socklen_t length = clinux_to_sockaddr(remote, local ? local->is_v6 : remote.is_v6, &address);
    if (connect(descriptor, (struct sockaddr *)&address, length) < 0 && errno != EINPROGRESS)
        return failed(descriptor);
    return descriptor;
}

int clinux_socket_error(int descriptor) {
    int code = 0;
    socklen_t length = sizeof code;
    return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) < 0 ? errno : code;
}

int clinux_local_endpoint(int descriptor, clinux_endpoint *local) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(descriptor, (struct sockaddr *)&address, &length) < 0) return -errno;
    *local = clinux_from_sockaddr(&address);
    return 0;
}

int clinux_receive_buffer(int descriptor) {
    int bytes = 0;
    socklen_t length = sizeof bytes;
    return getsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, &length) < 0 ? -errno : bytes;
}

bool clinux_supports_udp_segment(int descriptor) {
    int size = 0;
    socklen_t length = sizeof size;
    return getsockopt(descriptor, IPPROTO_UDP, UDP_SEGMENT, &size, &length) == 0;
}

void clinux_close(int descriptor) { close(descriptor); }

long clinux_receive(int descriptor, void *bytes, size_t capacity) {
    long count = recv(descriptor, bytes, capacity, 0);
    return count < 0 ? -errno : count;
}

long clinux_send(int descriptor, const void *bytes, size_t count) {
    long sent = send(descriptor, bytes, count, MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

long clinux_send_to(int descriptor, const void *bytes, size_t count, clinux_endpoint remote, bool v6_socket) {
    struct sockaddr_storage address;
    socklen_t length = clinux_to_sockaddr(remote, v6_socket, &address);
    long sent = sendto(descriptor, bytes, count, MSG_NOSIGNAL, (struct sockaddr *)&address, length);
    return sent < 0 ? -errno : sent;
}

int clinux_send_multicasts_through(int descriptor, const char *interface) {
    unsigned index = if_nametoindex(interface);
    if (index == 0) return -errno;
    struct ip_mreqn request = {.imr_ifindex = (int)index};
    return setsockopt(descriptor, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) < 0 ? -errno : 0;
}

int clinux_join_group(int descriptor, clinux_endpoint group, const char *interface) {
    unsigned index = if_nametoindex(interface);
    if (index == 0) return -errno;
    struct ip_mreqn request = {
        .imr_multiaddr.s_addr = htonl((uint32_t)group.low), .imr_ifindex = (int)index};
    return setsockopt(descriptor, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) < 0 ? -errno : 0;
}
