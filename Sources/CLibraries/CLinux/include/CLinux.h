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

// MARK: Processes

/// A descriptor that is readable once the process has ended, close-on-exec.
int clinux_process_descriptor(int process);
/// A pipe, close-on-exec at both ends; the end that is ours does not block. `ours` is 0 (to read) or 1 (to write).
int clinux_pipe(int ends[2], int ours);
/// Two connected stream sockets, close-on-exec; the first does not block.
int clinux_stream_pair(int ends[2]);

/// How a program is started. Limits below 0 are not set.
typedef struct {
    /// Where it runs; NULL: where we do.
    const char *directory;
    /// A session of its own, SIGKILL when the thread that starts it ends, no new privileges, no core files, and its
    /// orphans stay its children.
    bool is_confined;
    int64_t address_space, processes, open_files, file_bytes, cpu_seconds;
    /// The hard limit of file locks, which nothing obeys since Linux 2.4: it marks the program and all that it starts. 0: none.
    uint64_t mark;
    /// Of clinux_landlock_rules, and of a control group's cgroup.procs; -1: none.
    int landlock, control_group;
} clinux_spawn_options;

/// Starts a program in a process group of its own with these descriptors as 0, 1 and 2, no other, and none of our signal
/// settings. `arguments` and `environment` end with NULL; the program is looked for on our PATH. Its number, or -errno;
/// `place` then says what failed.
int clinux_spawn(
    char *const arguments[], char *const environment[], const int standard[3], const clinux_spawn_options *options,
    const char **place);

/// The version of Landlock that the kernel has; -errno where it has none.
int clinux_landlock_version(void);
/// Rules that allow writing in these files and folders alone (and to /dev/null, /dev/zero and /dev/full), and signals only
/// to programs under the same rules (from version 6 on).
int clinux_landlock_rules(const char *const writable[], int count);

/// Adds up the disk blocks of everything in a folder. -E2BIG past `most_entries` files, -ELOOP past 60 folders in each other.
int clinux_folder_bytes(const char *path, int64_t most_entries, int64_t *bytes);
/// Removes a folder and everything in it, however deep; links are not followed.
int clinux_remove_folder(const char *path);

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
/// The interface that IPv4 multicasts leave by from now on, by its name.
int clinux_send_multicasts_through(int descriptor, const char *interface);
/// Receives what is sent to an IPv4 group on that interface.
int clinux_join_group(int descriptor, clinux_endpoint group, const char *interface);

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
