// Cyclone DDS as numbers and bytes, for Go2Bridge/DDS.
//
// Everything that is open is named by a number above 0; functions that open or act return a negative code where they
// fail, which cdds_reason puts into words. Samples are CDR as it is on the wire, with its four bytes of encapsulation; the
// library has checked those it received against their type.
#pragma once
#include <stddef.h>
#include <stdint.h>

// The types of topics, in the order of cdds.c's table.
enum cdds_type {
    CDDS_REQUEST,
    CDDS_RESPONSE,
    CDDS_LOW_STATE,
    CDDS_SPORT_MODE_STATE,
    CDDS_WEBRTC_REQUEST,
    CDDS_STRING,
    CDDS_POSE_STAMPED,
    CDDS_TWIST,
    CDDS_ODOMETRY,
    CDDS_JOINT_STATE,
    CDDS_IMU,
    CDDS_TYPES
};

// Descriptors from this on end the process where the library watches them: select() knows no larger ones.
enum { CDDS_MAXIMUM_DESCRIPTORS = 1024 };

// A domain exists once in a process; `configuration` is the library's XML. Opens `participant` in it as well: all descriptors that the
// library takes are taken here, and where there is none below the maximum it fails. While it runs nobody else in the process gets a larger
// one either.
int32_t cdds_open_domain(uint32_t domain, const char *configuration, int32_t *participant);
// Keeps the newest `depth` samples.
int32_t cdds_open_reader(int32_t participant, const char *topic, int32_t type, int32_t is_reliable, int32_t depth);
int32_t cdds_open_writer(int32_t participant, const char *topic, int32_t type, int32_t is_reliable, int32_t depth);
// Closes whatever it is, and all that was opened under it.
void cdds_close(int32_t entity);

int32_t cdds_open_waitset(int32_t participant);
// What cdds_wake wakes.
int32_t cdds_open_bell(int32_t participant, int32_t waitset);
int32_t cdds_watch(int32_t waitset, int32_t reader);
void cdds_wake(int32_t bell);
// Returns when something came, when the bell rang, or after that time.
void cdds_wait(int32_t waitset, int32_t bell, int64_t nanoseconds);

enum cdds_take_result { CDDS_NOTHING = 0, CDDS_NO_DATA = -10001, CDDS_TOO_LARGE = -10002 };
// Copies the next sample. Its length, or a cdds_take_result; CDDS_NO_DATA is news of a writer alone.
int64_t cdds_take(int32_t reader, void *bytes, size_t capacity);
int32_t cdds_write(int32_t writer, int32_t type, const void *bytes, size_t length);

// How many writers a reader has, and readers a writer.
int32_t cdds_writers_of(int32_t reader);
int32_t cdds_readers_of(int32_t writer);
// Participants that were found in the domain, without those of this process.
int32_t cdds_open_census(int32_t participant);
int32_t cdds_count_others(int32_t census, int32_t participant);

const char *cdds_reason(int32_t code);
