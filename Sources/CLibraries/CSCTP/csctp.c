#include "csctp.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <usrsctp.h>

// Chunk types by their number (RFC 9260 §3.2).
enum { CHUNK_OFFSET = 12, CHUNK_INIT = 1 };
// The low bits of an association's number are its place in the table, the others count the associations made.
enum { INDEX_BITS = 20 };
// First timeout of INIT, data's shortest and longest, in milliseconds. ICE has measured the path before; a peer delays its
// acknowledgements by at most 200 ms.
enum { RTO_INITIAL = 500, RTO_MIN = 400, RTO_MAX = 10000, INIT_RTO_MAX = 4000 };
// INIT is sent once and repeated ten times: 0.5 + 1 + 2 + 8 x 4 = 35.5 s.
enum { INIT_REPETITIONS = 10 };

struct packet {
    struct packet *next;
    size_t length;
    uint8_t bytes[];
};

struct association {
    csctp_association number;
    struct socket *socket; // NULL once it is over.
    struct packet *first, *last;
    uint32_t waiting, maximum_waiting;
    uint64_t inits_sent, dropped;
};

// Guards everything below and every call into the library; the library's callback runs inside such a call. So our lock is
// always taken before the library's.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct association **table;
static uint32_t table_size;
static uint64_t made;
static uint64_t clock_us;
static int is_running;

// Whether this thread is inside a call of ours, and so holds the mutex.
static _Thread_local int is_inside;

static void lock(void) {
    pthread_mutex_lock(&mutex);
    is_inside = 1;
}

static void unlock(void) {
    is_inside = 0;
    pthread_mutex_unlock(&mutex);
}

// The library ages what it sent and measures round trips by the machine's wall clock, which may be set: back by an hour,
// and nothing is sent again for an hour. This stands in front of libc's function, and inside our calls it tells the
// callers' time; everybody else gets the wall clock as ever.
int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    if (zone != NULL) memset(zone, 0, sizeof(struct timezone));
    if (is_inside) {
        time->tv_sec = (time_t)(clock_us / 1000000);
        time->tv_usec = (suseconds_t)(clock_us % 1000000);
        return 0;
    }
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = (suseconds_t)(now.tv_nsec / 1000);
    return 0;
}

static struct association *find(csctp_association number) {
    uint64_t index = number & ((1u << INDEX_BITS) - 1);
    if (number == 0 || index >= table_size) return NULL;
    struct association *found = table[index];
    return found != NULL && found->number == number ? found : NULL;
}

// The library's address of an association is its number: nothing to dangle.
static void *address_of(csctp_association number) { return (void *)(uintptr_t)number; }

static int output(void *address, void *bytes, size_t length, uint8_t tos, uint8_t set_df) {
    (void)tos;
    (void)set_df;
    struct association *association = find((uintptr_t)address);
    if (association == NULL || length <= CHUNK_OFFSET) return 0;
    if (((const uint8_t *)bytes)[CHUNK_OFFSET] == CHUNK_INIT) association->inits_sent++;
    struct packet *packet =
        association->waiting < association->maximum_waiting ? malloc(sizeof *packet + length) : NULL;
    if (packet == NULL) {
        association->dropped++;
        return 0;
    }
    packet->next = NULL;
    packet->length = length;
    memcpy(packet->bytes, bytes, length);
    if (association->last == NULL) association->first = packet;
    else association->last->next = packet;
    association->last = packet;
    association->waiting++;
    return 0;
}

static void run(uint64_t now) {
    if (!is_running) {
        is_running = 1;
        clock_us = now;
        usrsctp_init_nothreads(0, output, NULL);
        // Checksums always; nothing that a data channel has no use for.
        usrsctp_sysctl_set_sctp_no_csum_on_loopback(0);
        usrsctp_sysctl_set_sctp_ecn_enable(0);
        usrsctp_sysctl_set_sctp_asconf_enable(0);
        usrsctp_sysctl_set_sctp_auto_asconf(0);
        usrsctp_sysctl_set_sctp_auth_enable(0);
        usrsctp_sysctl_set_sctp_nrsack_enable(0);
        usrsctp_sysctl_set_sctp_pktdrop_enable(0);
        usrsctp_sysctl_set_sctp_pr_enable(1);
        usrsctp_sysctl_set_sctp_reconfig_enable(1);
        usrsctp_sysctl_set_sctp_initial_cwnd(10);
        usrsctp_sysctl_set_sctp_max_chunks_on_queue(2048);
    }
    if (now <= clock_us) return;
    uint64_t elapsed = now / 1000 - clock_us / 1000;
    clock_us = now;
    if (elapsed > 0) usrsctp_handle_timers(elapsed < UINT32_MAX / 4 ? (uint32_t)elapsed : UINT32_MAX / 4);
}

static int set(struct socket *socket, int option, const void *value, socklen_t length) {
    return usrsctp_setsockopt(socket, IPPROTO_SCTP, option, value, length);
}

static int listen_for(struct socket *socket, uint16_t type) {
    struct sctp_event event = {.se_assoc_id = SCTP_ALL_ASSOC, .se_type = type, .se_on = 1};
    return set(socket, SCTP_EVENT, &event, sizeof event);
}

static int configure(struct socket *socket, const struct csctp_settings *settings) {
    int on = 1;
    int send_buffer = (int)settings->send_buffer, receive_buffer = (int)settings->receive_buffer;
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    struct sctp_initmsg init = {
        .sinit_num_ostreams = settings->streams,
        .sinit_max_instreams = settings->streams,
        .sinit_max_attempts = INIT_REPETITIONS,
        .sinit_max_init_timeo = INIT_RTO_MAX,
    };
    struct sctp_rtoinfo rto = {.srto_initial = RTO_INITIAL, .srto_min = RTO_MIN, .srto_max = RTO_MAX};
    struct sctp_assoc_value resets = {
        .assoc_id = SCTP_ALL_ASSOC,
        .assoc_value = SCTP_ENABLE_RESET_STREAM_REQ | SCTP_ENABLE_CHANGE_ASSOC_REQ,
    };
    // The library's path MTU leaves the common header out.
    struct sctp_paddrparams path = {
        .spp_flags = SPP_PMTUD_DISABLE | SPP_HB_DISABLE,
        .spp_pathmtu = settings->maximum_packet - CHUNK_OFFSET,
    };
    return usrsctp_set_non_blocking(socket, 1) |
           usrsctp_setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) |
           usrsctp_setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer) |
           usrsctp_setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer) |
           set(socket, SCTP_NODELAY, &on, sizeof on) | set(socket, SCTP_EXPLICIT_EOR, &on, sizeof on) |
           set(socket, SCTP_RECVRCVINFO, &on, sizeof on) | set(socket, SCTP_INITMSG, &init, sizeof init) |
           set(socket, SCTP_RTOINFO, &rto, sizeof rto) | set(socket, SCTP_ENABLE_STREAM_RESET, &resets, sizeof resets) |
           set(socket, SCTP_PEER_ADDR_PARAMS, &path, sizeof path) | listen_for(socket, SCTP_ASSOC_CHANGE) |
           listen_for(socket, SCTP_STREAM_RESET_EVENT) | listen_for(socket, SCTP_PARTIAL_DELIVERY_EVENT);
}

static struct association *add(uint32_t maximum_outputs) {
    uint32_t index = 0;
    while (index < table_size && table[index] != NULL) index++;
    if (index == table_size) {
        uint32_t size = table_size == 0 ? 16 : table_size * 2;
        struct association **larger = size <= 1u << INDEX_BITS ? realloc(table, size * sizeof *table) : NULL;
        if (larger == NULL) return NULL;
        memset(larger + table_size, 0, (size - table_size) * sizeof *table);
        table = larger;
        table_size = size;
    }
    struct association *association = calloc(1, sizeof *association);
    if (association == NULL) return NULL;
    association->number = ++made << INDEX_BITS | index;
    association->maximum_waiting = maximum_outputs;
    table[index] = association;
    return association;
}

static void end(struct association *association) {
    if (association->socket == NULL) return;
    usrsctp_close(association->socket);
    association->socket = NULL;
    usrsctp_deregister_address(address_of(association->number));
}

static void release(struct association *association) {
    end(association);
    while (association->first != NULL) {
        struct packet *next = association->first->next;
        free(association->first);
        association->first = next;
    }
    table[association->number & ((1u << INDEX_BITS) - 1)] = NULL;
    free(association);
}

csctp_association csctp_open(const struct csctp_settings *settings, uint64_t now) {
    lock();
    run(now);
    csctp_association number = 0;
    struct association *association = add(settings->maximum_outputs);
    if (association != NULL) {
        number = association->number;
        void *address = address_of(number);
        usrsctp_register_address(address);
        struct sockaddr_conn local = {AF_CONN, htons(settings->local_port), address};
        struct sockaddr_conn remote = {AF_CONN, htons(settings->remote_port), address};
        association->socket = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
        if (association->socket == NULL) usrsctp_deregister_address(address);
        if (association->socket == NULL || configure(association->socket, settings) != 0 ||
            usrsctp_bind(association->socket, (struct sockaddr *)&local, sizeof local) != 0 ||
            (usrsctp_connect(association->socket, (struct sockaddr *)&remote, sizeof remote) != 0 &&
             errno != EINPROGRESS)) {
            release(association);
            number = 0;
        }
    }
    unlock();
    return number;
}

void csctp_abort(csctp_association number, uint64_t now) {
    lock();
    struct association *association = find(number);
    if (association != NULL) {
        run(now);
        end(association);
    }
    unlock();
}

void csctp_free(csctp_association number, uint64_t now) {
    lock();
    struct association *association = find(number);
    if (association != NULL) {
        run(now);
        release(association);
    }
    unlock();
}

void csctp_input(csctp_association number, const void *packet, size_t length, uint64_t now) {
    lock();
    struct association *association = find(number);
    if (association != NULL && association->socket != NULL) {
        run(now);
        usrsctp_conninput(address_of(number), packet, length, 0);
    }
    unlock();
}

void csctp_advance(uint64_t now) {
    lock();
    if (is_running) run(now);
    unlock();
}

size_t csctp_output(csctp_association number, void *packet, size_t capacity) {
    size_t length = 0;
    lock();
    struct association *association = find(number);
    if (association != NULL && association->first != NULL && association->first->length <= capacity) {
        struct packet *first = association->first;
        length = first->length;
        memcpy(packet, first->bytes, length);
        association->first = first->next;
        if (association->first == NULL) association->last = NULL;
        association->waiting--;
        free(first);
    }
    unlock();
    return length;
}

int64_t csctp_send(
    csctp_association number, const void *bytes, size_t length, const struct csctp_part *part, uint64_t now) {
    int64_t taken = CSCTP_SEND_FAILED;
    struct sctp_sendv_spa how = {
        .sendv_flags = SCTP_SEND_SNDINFO_VALID,
        .sendv_sndinfo =
            {
                .snd_sid = part->stream,
                .snd_flags = (part->is_unordered ? SCTP_UNORDERED : 0) | (part->is_end ? SCTP_EOR : 0),
                .snd_ppid = htonl(part->payload_protocol),
            },
    };
    if (part->limits_retransmissions || part->limits_lifetime) {
        how.sendv_flags |= SCTP_SEND_PRINFO_VALID;
        how.sendv_prinfo.pr_policy = part->limits_retransmissions ? SCTP_PR_SCTP_RTX : SCTP_PR_SCTP_TTL;
        how.sendv_prinfo.pr_value = part->limit;
    }
    lock();
    struct association *association = find(number);
    if (association != NULL && association->socket != NULL) {
        run(now);
        ssize_t result =
            usrsctp_sendv(association->socket, bytes, length, NULL, 0, &how, sizeof how, SCTP_SENDV_SPA, 0);
        if (result > 0) taken = result;
        else if (result == 0 || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM) taken = CSCTP_SEND_LATER;
    }
    unlock();
    return taken;
}

int csctp_reset_stream(csctp_association number, uint16_t stream, uint64_t now) {
    int result = CSCTP_RESET_REFUSED;
    union {
        struct sctp_reset_streams request;
        uint8_t room[sizeof(struct sctp_reset_streams) + sizeof(uint16_t)];
    } reset = {.request = {.srs_flags = SCTP_STREAM_RESET_OUTGOING, .srs_number_streams = 1}};
    memcpy(reset.room + offsetof(struct sctp_reset_streams, srs_stream_list), &stream, sizeof stream);
    lock();
    struct association *association = find(number);
    if (association != NULL && association->socket != NULL) {
        run(now);
        if (set(association->socket, SCTP_RESET_STREAMS, &reset, sizeof reset) == 0) result = CSCTP_RESET_REQUESTED;
        else if (errno == EBUSY || errno == EALREADY || errno == EAGAIN) result = CSCTP_RESET_LATER;
    }
    unlock();
    return result;
}

// A notification's bytes become an arrival; a list of streams moves to the buffer's beginning.
static void read_notification(uint8_t *buffer, size_t length, struct csctp_arrival *arrival) {
    union sctp_notification notification;
    memset(&notification, 0, sizeof notification);
    memcpy(&notification, buffer, length < sizeof notification ? length : sizeof notification);
    arrival->kind = CSCTP_OTHER;
    switch (notification.sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE:
        arrival->outbound_streams = notification.sn_assoc_change.sac_outbound_streams;
        switch (notification.sn_assoc_change.sac_state) {
        case SCTP_COMM_UP: arrival->kind = CSCTP_UP; break;
        case SCTP_COMM_LOST: arrival->kind = CSCTP_LOST; break;
        case SCTP_RESTART: arrival->kind = CSCTP_RESTARTED; break;
        case SCTP_SHUTDOWN_COMP: arrival->kind = CSCTP_SHUT_DOWN; break;
        case SCTP_CANT_STR_ASSOC: arrival->kind = CSCTP_NOT_ANSWERED; break;
        }
        break;
    case SCTP_STREAM_RESET_EVENT: {
        uint16_t flags = notification.sn_strreset_event.strreset_flags;
        size_t head = offsetof(struct sctp_stream_reset_event, strreset_stream_list);
        if (flags & (SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED)) arrival->kind = CSCTP_RESET_DENIED;
        else if (flags & SCTP_STREAM_RESET_INCOMING_SSN) arrival->kind = CSCTP_INCOMING_RESET;
        else if (flags & SCTP_STREAM_RESET_OUTGOING_SSN) arrival->kind = CSCTP_OUTGOING_RESET;
        if (length > head) {
            arrival->length = length - head;
            memmove(buffer, buffer + head, arrival->length);
        }
        break;
    }
    case SCTP_PARTIAL_DELIVERY_EVENT:
        arrival->kind = CSCTP_PARTIAL_ABANDONED;
        arrival->stream = (uint16_t)notification.sn_pdapi_event.pdapi_stream;
        break;
    }
}

void csctp_receive(csctp_association number, void *buffer, size_t capacity, struct csctp_arrival *arrival) {
    memset(arrival, 0, sizeof *arrival);
    lock();
    struct association *association = find(number);
    if (association != NULL && association->socket != NULL) {
        struct sctp_rcvinfo information;
        socklen_t address_length = 0, length = sizeof information;
        unsigned int type = SCTP_RECVV_NOINFO;
        int flags = 0;
        ssize_t count = usrsctp_recvv(
            association->socket, buffer, capacity, NULL, &address_length, &information, &length, &type, &flags);
        if (count > 0 && flags & MSG_NOTIFICATION) {
            read_notification(buffer, (size_t)count, arrival);
        } else if (count > 0 && type == SCTP_RECVV_RCVINFO) {
            arrival->kind = CSCTP_DATA;
            arrival->length = (size_t)count;
            arrival->stream = information.rcv_sid;
            arrival->payload_protocol = ntohl(information.rcv_ppid);
            arrival->is_unordered = (information.rcv_flags & SCTP_UNORDERED) != 0;
            arrival->is_end = (flags & MSG_EOR) != 0;
        } else if (count > 0) {
            arrival->kind = CSCTP_OTHER;
        }
    }
    unlock();
}

void csctp_read_figures(csctp_association number, struct csctp_figures *figures) {
    memset(figures, 0, sizeof *figures);
    lock();
    struct association *association = find(number);
    if (association != NULL) {
        figures->inits_sent = association->inits_sent;
        figures->outputs_dropped = association->dropped;
        struct sctp_status status;
        socklen_t length = sizeof status;
        memset(&status, 0, sizeof status);
        if (association->socket != NULL &&
            usrsctp_getsockopt(association->socket, IPPROTO_SCTP, SCTP_STATUS, &status, &length) == 0) {
            figures->is_busy =
                status.sstat_state != SCTP_ESTABLISHED || status.sstat_unackdata > 0 || status.sstat_penddata > 0;
        }
    }
    unlock();
}

uint64_t csctp_abandoned(csctp_association number) {
    static const uint16_t policies[] = {SCTP_PR_SCTP_TTL, SCTP_PR_SCTP_RTX};
    uint64_t count = 0;
    lock();
    struct association *association = find(number);
    for (size_t index = 0; association != NULL && association->socket != NULL && index < 2; index++) {
        struct sctp_prstatus status;
        socklen_t length = sizeof status;
        memset(&status, 0, sizeof status);
        status.sprstat_assoc_id = SCTP_CURRENT_ASSOC;
        status.sprstat_policy = policies[index];
        if (usrsctp_getsockopt(association->socket, IPPROTO_SCTP, SCTP_PR_ASSOC_STATUS, &status, &length) == 0)
            count += status.sprstat_abandoned_unsent + status.sprstat_abandoned_sent;
    }
    unlock();
    return count;
}
