// usrsctp as associations without I/O, for PeerConnection/SCTP.
//
// The library keeps one state for the whole process, which is why every function here takes one mutex. An association is
// named by a number that is never used again; a function that is given the number of a freed one does nothing. Packets
// that the library wants to send wait at their association until csctp_output takes them, whoever's call made them.
//
// Time: every call says what time it is, in microseconds; the library's clock stands at the latest time that anybody
// said, and its timers run before the call does its work.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef uint64_t csctp_association; // 0 is none.

struct csctp_settings {
    uint16_t local_port;
    uint16_t remote_port;
    uint16_t streams;         // Asked for in both directions.
    uint32_t maximum_packet;  // Bytes, SCTP's own header included.
    uint32_t send_buffer;     // Bytes.
    uint32_t receive_buffer;  // Bytes; also the window that the peer sees.
    uint32_t maximum_outputs; // Packets that may wait; more are dropped, as a network would.
};

// Makes an association and sends INIT. 0 where the library refuses.
csctp_association csctp_open(const struct csctp_settings *settings, uint64_t now);
// Ends the association at once; an ABORT is among its outputs.
void csctp_abort(csctp_association association, uint64_t now);
// Frees it, with an ABORT that nobody sees where it still lived.
void csctp_free(csctp_association association, uint64_t now);

void csctp_input(csctp_association association, const void *packet, size_t length, uint64_t now);
void csctp_advance(uint64_t now);
// Copies the next packet to be sent. Its length, or 0 where none waits or it does not fit.
size_t csctp_output(csctp_association association, void *packet, size_t capacity);

enum csctp_send_result { CSCTP_SEND_FAILED = -2, CSCTP_SEND_LATER = -1 };

struct csctp_part {
    uint32_t payload_protocol;
    uint16_t stream;
    uint8_t is_unordered;
    uint8_t is_end;                  // The message ends with this part.
    uint8_t limits_retransmissions;  // By limit.
    uint8_t limits_lifetime;         // By limit, in milliseconds.
    uint32_t limit;
};

// Hands over a part of a message. The bytes that were taken, which may be fewer, or a csctp_send_result.
int64_t csctp_send(
    csctp_association association, const void *bytes, size_t length, const struct csctp_part *part, uint64_t now);

enum csctp_reset_result { CSCTP_RESET_REFUSED = -2, CSCTP_RESET_LATER = -1, CSCTP_RESET_REQUESTED = 0 };

// Asks to reset our direction of a stream; later where another reset is on its way.
int csctp_reset_stream(csctp_association association, uint16_t stream, uint64_t now);

enum csctp_arrival_kind {
    CSCTP_NOTHING,
    CSCTP_DATA,               // A part of a message.
    CSCTP_PARTIAL_ABANDONED,  // The rest of a message that has begun on `stream` will not come.
    CSCTP_UP,                 // `outbound_streams` of them.
    CSCTP_RESTARTED,          // The peer began anew: no stream of before is left.
    CSCTP_NOT_ANSWERED,       // INIT, as often as allowed, or refused by an ABORT.
    CSCTP_LOST,               // Aborted by the peer, or no answer to data.
    CSCTP_SHUT_DOWN,          // By the peer's SHUTDOWN.
    CSCTP_INCOMING_RESET,     // The peer's direction of the streams in the buffer (uint16_t each; none means all).
    CSCTP_OUTGOING_RESET,     // Ours.
    CSCTP_RESET_DENIED,       // By the peer; it stays as it was.
    CSCTP_OTHER,              // Nothing that matters.
};

struct csctp_arrival {
    uint8_t kind;
    uint8_t is_unordered;
    uint8_t is_end;
    uint16_t stream;
    uint16_t outbound_streams;
    uint32_t payload_protocol;
    size_t length;  // Bytes in the buffer.
};

// Takes the next thing that came; at least 4,096 bytes of room.
void csctp_receive(csctp_association association, void *buffer, size_t capacity, struct csctp_arrival *arrival);

struct csctp_figures {
    uint8_t is_busy;  // Something awaits an answer, so that a timer runs.
    uint64_t inits_sent;
    uint64_t outputs_dropped;
};

void csctp_read_figures(csctp_association association, struct csctp_figures *figures);
// Messages that were given up by their limits.
uint64_t csctp_abandoned(csctp_association association);
