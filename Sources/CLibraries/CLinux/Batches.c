#define _GNU_SOURCE
#include "CLinux.h"
#include "Addresses.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

// MARK: Receiving

struct clinux_receive_batch {
    int count, capacity;
    struct mmsghdr *messages;
    struct iovec *vectors;
    struct sockaddr_storage *sources;
    uint8_t *bytes;
};

clinux_receive_batch *clinux_receive_batch_make(int count, int datagram_capacity) {
    clinux_receive_batch *batch = calloc(1, sizeof *batch);
    if (!batch) abort();  // Made once at start; there is nothing to go on with.
    batch->count = count;
    batch->capacity = datagram_capacity;
    batch->messages = calloc((size_t)count, sizeof *batch->messages);
    batch->vectors = calloc((size_t)count, sizeof *batch->vectors);
    batch->sources = calloc((size_t)count, sizeof *batch->sources);
    batch->bytes = malloc((size_t)count * (size_t)datagram_capacity);
    if (!batch->messages || !batch->vectors || !batch->sources || !batch->bytes) abort();
    for (int index = 0; index < count; index++) {
        batch->vectors[index].iov_base = batch->bytes + (size_t)index * (size_t)datagram_capacity;
        batch->vectors[index].iov_len = (size_t)datagram_capacity;
        batch->messages[index].msg_hdr.msg_iov = &batch->vectors[index];
        batch->messages[index].msg_hdr.msg_iovlen = 1;
        batch->messages[index].msg_hdr.msg_name = &batch->sources[index];
        batch->messages[index].msg_hdr.msg_namelen = sizeof batch->sources[index];
    }
    return batch;
}

void clinux_receive_batch_free(clinux_receive_batch *batch) {
    free(batch->messages);
    free(batch->vectors);
    free(batch->sources);
    free(batch->bytes);
    free(batch);
}

int clinux_receive_batch_receive(clinux_receive_batch *batch, int descriptor) {
    int count = recvmmsg(descriptor, batch->messages, (unsigned)batch->count, MSG_DONTWAIT, NULL);
    if (count < 0) return -errno;
    // The kernel wrote the name lengths; put them back for the next call.
    for (int index = 0; index < count; index++)
        batch->messages[index].msg_hdr.msg_namelen = sizeof batch->sources[index];
    return count;
}

uint8_t *clinux_receive_batch_bytes(clinux_receive_batch *batch, int index) {
    return batch->bytes + (size_t)index * (size_t)batch->capacity;
}

int clinux_receive_batch_length(const clinux_receive_batch *batch, int index) {
    if (batch->messages[index].msg_hdr.msg_flags & MSG_TRUNC) return -1;
    return (int)batch->messages[index].msg_len;
}

clinux_endpoint clinux_receive_batch_source(const clinux_receive_batch *batch, int index) {
    return clinux_from_sockaddr(&batch->sources[index]);
}

// MARK: Sending

union control {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
};

struct clinux_send_batch {
    struct mmsghdr *messages;
    struct iovec *vectors;
    struct sockaddr_storage *destinations;
    union control *controls;
};

clinux_send_batch *clinux_send_batch_make(int count) {
    clinux_send_batch *batch = calloc(1, sizeof *batch);
    if (!batch) abort();  // Made once at start; there is nothing to go on with.
    batch->messages = calloc((size_t)count, sizeof *batch->messages);
    batch->vectors = calloc((size_t)count, sizeof *batch->vectors);
    batch->destinations = calloc((size_t)count, sizeof *batch->destinations);
    batch->controls = calloc((size_t)count, sizeof *batch->controls);
    if (!batch->messages || !batch->vectors || !batch->destinations || !batch->controls) abort();
    for (int index = 0; index < count; index++) {
        struct msghdr *message = &batch->messages[index].msg_hdr;
        message->msg_iov = &batch->vectors[index];
        message->msg_iovlen = 1;
        message->msg_name = &batch->destinations[index];
        struct cmsghdr *header = &batch->controls[index].header;
        header->cmsg_level = IPPROTO_UDP;
        header->cmsg_type = UDP_SEGMENT;
        header->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    }
    return batch;
}

void clinux_send_batch_free(clinux_send_batch *batch) {
    free(batch->messages);
    free(batch->vectors);
    free(batch->destinations);
    free(batch->controls);
    free(batch);
}

void clinux_send_batch_set(
    clinux_send_batch *batch, int index, const uint8_t *bytes, int count, int segment_size, clinux_endpoint remote,
    bool v6_socket) {
    struct msghdr *message = &batch->messages[index].msg_hdr;
    batch->vectors[index].iov_base = (void *)bytes;
    batch->vectors[index].iov_len = (size_t)count;
    message->msg_namelen = clinux_to_sockaddr(remote, v6_socket, &batch->destinations[index]);
    if (segment_size > 0) {
        uint16_t size = (uint16_t)segment_size;
        memcpy(CMSG_DATA(&batch->controls[index].header), &size, sizeof size);
        message->msg_control = &batch->controls[index];
        message->msg_controllen = sizeof batch->controls[index];
    } else {
        message->msg_control = NULL;
        message->msg_controllen = 0;
    }
}

int clinux_send_batch_send(clinux_send_batch *batch, int descriptor, int first, int count) {
    int sent = sendmmsg(descriptor, batch->messages + first, (unsigned)count, MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}
