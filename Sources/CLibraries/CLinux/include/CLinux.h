// Linux calls that Swift's Glibc overlay hides: epoll, eventfd, accept4, recvmmsg, sendmmsg, UDP_SEGMENT.
//
// Structures with pointers inside (mmsghdr, iovec, cmsghdr) stay in CLinux.c, so that Swift sees plain values only.
// Every call that can fail returns -errno. This header defines no feature-test macro; CLinux.c does.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// MARK: Addresses

/// An address and a port in host byte order. IPv4 has `is_v6 == 0` and its 32 bits in `low`.
typedef struct {
    uint64_t high;
    uint64_t low;
    uint16_t port;
    uint8_t is_v6;
} clinux_endpoint;

// MARK: epoll and eventfd

enum {
    CLINUX_READABLE = 1,
    CLINUX_WRITABLE = 2,
    /// The peer hung up, or the socket has an error; always reported.
    CLINUX_HANGUP = 4,
};

typedef struct {
    uint64_t token;
    uint32_t events;
} clinux_event;

int clinux_epoll_create(void);
int clinux_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t token);
int clinux_epoll_modify(int epoll, int descriptor, uint32_t events, uint64_t token);
int clinux_epoll_remove(int epoll, int descriptor);
/// Waits `timeout_ns` nanoseconds, for ever where it is negative. At most 64 events a call.
int clinux_epoll_wait(int epoll, clinux_event *events, int capacity, int64_t timeout_ns);

int clinux_eventfd(void);
void clinux_eventfd_signal(int descriptor);
void clinux_eventfd_drain(int descriptor);

/// Names the calling thread for ps and debuggers; the kernel keeps 15 bytes.
void clinux_name_thread(const char *name);

/// A descriptor that is readable once the process has ended, close-on-exec.
int clinux_process_descriptor(int process);
/// A pipe, close-on-exec at both ends; the end that is ours does not block. `ours` is 0 (to read) or 1 (to write).
int clinux_pipe(int ends[2], int ours);
/// Starts a program in a process group of its own with these descriptors as 0, 1 and 2, and with none of our signal
/// settings. `arguments` and `environment` end with NULL; the program is looked for on the PATH. Its number, or -errno.
int clinux_spawn(char *const arguments[], char *const environment[], const int standard[3]);

// MARK: Sockets (all non-blocking and close-on-exec)

/// A bound UDP socket. `reuse_port` shares the port among sockets of this process.
int clinux_udp_socket(clinux_endpoint local, int receive_buffer, int send_buffer, bool reuse_port);
/// A listening TCP socket with SO_REUSEADDR.
int clinux_tcp_listen(clinux_endpoint local, int backlog);
/// Accepts one connection, with TCP_NODELAY set.
int clinux_tcp_accept(int descriptor, clinux_endpoint *remote);
/// Starts to connect from `local` (port 0: any; NULL: any address); writable means done, see clinux_socket_error.
int clinux_tcp_connect(clinux_endpoint remote, const clinux_endpoint *local);
int clinux_socket_error(int descriptor);
int clinux_local_endpoint(int descriptor, clinux_endpoint *local);
/// The receive buffer that the kernel granted, in bytes of its own accounting.
int clinux_receive_buffer(int descriptor);
bool clinux_supports_udp_segment(int descriptor);
void clinux_close(int descriptor);

/// recv and send without SIGPIPE.
long clinux_receive(int descriptor, void *bytes, size_t capacity);
long clinux_send(int descriptor, const void *bytes, size_t count);
long clinux_send_to(int descriptor, const void *bytes, size_t count, clinux_endpoint remote, bool v6_socket);

// MARK: Batches

typedef struct clinux_receive_batch clinux_receive_batch;
clinux_receive_batch *clinux_receive_batch_make(int count, int datagram_capacity);
void clinux_receive_batch_free(clinux_receive_batch *batch);
/// recvmmsg: how many datagrams arrived.
int clinux_receive_batch_receive(clinux_receive_batch *batch, int descriptor);
uint8_t *clinux_receive_batch_bytes(clinux_receive_batch *batch, int index);
/// The datagram's length; -1 where it was longer than the capacity.
int clinux_receive_batch_length(const clinux_receive_batch *batch, int index);
clinux_endpoint clinux_receive_batch_source(const clinux_receive_batch *batch, int index);

typedef struct clinux_send_batch clinux_send_batch;
clinux_send_batch *clinux_send_batch_make(int count);
void clinux_send_batch_free(clinux_send_batch *batch);
/// Fills one message. With `segment_size` > 0 the kernel cuts it into datagrams of that size (UDP_SEGMENT).
void clinux_send_batch_set(
    clinux_send_batch *batch, int index, const uint8_t *bytes, int count, int segment_size, clinux_endpoint remote,
    bool v6_socket);
/// sendmmsg from message `first`: how many messages were taken.
int clinux_send_batch_send(clinux_send_batch *batch, int descriptor, int first, int count);
