#include "cdds.h"

#include <dds/dds.h>
#include <dds/ddsi/ddsi_cdrstream.h>
#include <dds/ddsi/ddsi_serdata.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>

#include "generated/robot.h"
#include "generated/ros2.h"

static const dds_topic_descriptor_t *const types[CDDS_TYPES] = {
    &unitree_api_msg_dds__Request__desc,       &unitree_api_msg_dds__Response__desc,
    &unitree_go_msg_dds__LowState__desc,       &unitree_go_msg_dds__SportModeState__desc,
    &unitree_go_msg_dds__WebRtcReq__desc,      &std_msgs_msg_dds__String__desc,
    &geometry_msgs_msg_dds__PoseStamped__desc, &geometry_msgs_msg_dds__Twist__desc,
    &nav_msgs_msg_dds__Odometry__desc,         &sensor_msgs_msg_dds__JointState__desc,
    &sensor_msgs_msg_dds__Imu__desc,
};

_Static_assert(CDDS_MAXIMUM_DESCRIPTORS <= FD_SETSIZE, "select()");

static int32_t open_domain(uint32_t domain, const char *configuration, int32_t *participant) {
    dds_entity_t opened = dds_create_domain(domain, configuration);
    if (opened < 0) return opened;
    *participant = dds_create_participant(domain, NULL, NULL);
    if (*participant > 0) return opened;
    dds_delete(opened);
    return *participant;
}

int32_t cdds_open_domain(uint32_t domain, const char *configuration, int32_t *participant) {
    static pthread_mutex_t limits = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&limits);
    struct rlimit usual, low;
    int known = getrlimit(RLIMIT_NOFILE, &usual);
    low = usual;
    if (low.rlim_cur > CDDS_MAXIMUM_DESCRIPTORS) low.rlim_cur = CDDS_MAXIMUM_DESCRIPTORS;
    int32_t opened = DDS_RETCODE_OUT_OF_RESOURCES;
    if (known == 0 && setrlimit(RLIMIT_NOFILE, &low) == 0) {
        opened = open_domain(domain, configuration, participant);
        (void)setrlimit(RLIMIT_NOFILE, &usual);
    }
    pthread_mutex_unlock(&limits);
    return opened;
}

static int32_t open_end(int32_t participant, const char *name, int32_t type, int32_t is_reliable, int32_t depth, bool writes) {
    if (type < 0 || type >= CDDS_TYPES) return DDS_RETCODE_BAD_PARAMETER;
    dds_entity_t topic = dds_create_topic(participant, types[type], name, NULL, NULL);
    if (topic < 0) return topic;
    dds_qos_t *qos = dds_create_qos();
    dds_qset_reliability(qos, is_reliable ? DDS_RELIABILITY_RELIABLE : DDS_RELIABILITY_BEST_EFFORT, DDS_MSECS(100));
    dds_qset_durability(qos, DDS_DURABILITY_VOLATILE);
    dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, depth);
    dds_entity_t end = writes ? dds_create_writer(participant, topic, qos, NULL)
                              : dds_create_reader(participant, topic, qos, NULL);
    dds_delete_qos(qos);
    // The end keeps its topic.
    dds_delete(topic);
    return end;
}

int32_t cdds_open_reader(int32_t participant, const char *topic, int32_t type, int32_t is_reliable, int32_t depth) {
    return open_end(participant, topic, type, is_reliable, depth, false);
}

int32_t cdds_open_writer(int32_t participant, const char *topic, int32_t type, int32_t is_reliable, int32_t depth) {
    return open_end(participant, topic, type, is_reliable, depth, true);
}

void cdds_close(int32_t entity) {
    if (entity > 0) dds_delete(entity);
}

int32_t cdds_open_waitset(int32_t participant) {
    return dds_create_waitset(participant);
}

int32_t cdds_open_bell(int32_t participant, int32_t waitset) {
    dds_entity_t bell = dds_create_guardcondition(participant);
    if (bell < 0) return bell;
    dds_return_t attached = dds_waitset_attach(waitset, bell, 0);
    if (attached < 0) {
        dds_delete(bell);
        return attached;
    }
    return bell;
}

int32_t cdds_watch(int32_t waitset, int32_t reader) {
    dds_entity_t condition = dds_create_readcondition(reader, DDS_ANY_STATE);
    if (condition < 0) return condition;
    return dds_waitset_attach(waitset, condition, 0);
}

void cdds_wake(int32_t bell) {
    dds_set_guardcondition(bell, true);
}

void cdds_wait(int32_t waitset, int32_t bell, int64_t nanoseconds) {
    dds_waitset_wait(waitset, NULL, 0, nanoseconds);
    dds_set_guardcondition(bell, false);
}

int64_t cdds_take(int32_t reader, void *bytes, size_t capacity) {
    struct ddsi_serdata *sample = NULL;
    dds_sample_info_t info;
    dds_return_t count = dds_takecdr(reader, &sample, 1, &info, DDS_ANY_STATE);
    if (count < 0) return count;
    if (count == 0 || !sample) return CDDS_NOTHING;
    int64_t result = CDDS_NO_DATA;
    if (info.valid_data) {
        size_t length = ddsi_serdata_size(sample);
        if (length > capacity) {
            result = CDDS_TOO_LARGE;
        } else if (length > 0) {
            ddsi_serdata_to_ser(sample, 0, length, bytes);
            result = (int64_t)length;
        }
    }
    ddsi_serdata_unref(sample);
    return result;
}

int32_t cdds_write(int32_t writer, int32_t type, const void *bytes, size_t length) {
    static const unsigned char plain[] = {0, 1};
    if (type < 0 || type >= CDDS_TYPES || length <= 4 || length > UINT32_MAX - 8) return DDS_RETCODE_BAD_PARAMETER;
    if (memcmp(bytes, plain, sizeof plain) != 0) return DDS_RETCODE_BAD_PARAMETER;
    const dds_topic_descriptor_t *descriptor = types[type];
    uint32_t size = (uint32_t)length - 4, offset = 0;
    char *body = malloc(size);
    void *sample = calloc(1, descriptor->m_size);
    int32_t result = DDS_RETCODE_OUT_OF_RESOURCES;
    if (body && sample) {
        memcpy(body, (const char *)bytes + 4, size);
        // The stream reader trusts its input, so the input is checked first.
        if (dds_stream_normalize_data(body, &offset, size, false, 1, descriptor->m_ops)) {
            dds_istream_t stream;
            dds_istream_init(&stream, size, body, 1);
            dds_stream_read(&stream, sample, descriptor->m_ops);
            result = dds_write(writer, sample);
            dds_sample_free(sample, descriptor, DDS_FREE_CONTENTS);
        } else {
            result = DDS_RETCODE_BAD_PARAMETER;
        }
    }
    free(sample);
    free(body);
    return result;
}

int32_t cdds_writers_of(int32_t reader) {
    return dds_get_matched_publications(reader, NULL, 0);
}

int32_t cdds_readers_of(int32_t writer) {
    return dds_get_matched_subscriptions(writer, NULL, 0);
}

int32_t cdds_open_census(int32_t participant) {
    return dds_create_reader(participant, DDS_BUILTIN_TOPIC_DCPSPARTICIPANT, NULL, NULL);
}

int32_t cdds_count_others(int32_t census, int32_t participant) {
    enum { MOST = 64 };
    void *samples[MOST] = {0};
    dds_sample_info_t infos[MOST];
    dds_guid_t own;
    dds_return_t known = dds_get_guid(participant, &own);
    if (known < 0) return known;
    dds_return_t count = dds_read_mask(census, samples, infos, MOST, MOST, DDS_ALIVE_INSTANCE_STATE);
    if (count < 0) return count;
    int32_t others = 0;
    for (dds_return_t index = 0; index < count; index++) {
        const dds_builtintopic_participant_t *found = samples[index];
        if (infos[index].valid_data && memcmp(&found->key, &own, sizeof own) != 0) others++;
    }
    if (count > 0) dds_return_loan(census, samples, count);
    return others;
}

const char *cdds_reason(int32_t code) {
    return dds_strretcode(code);
}
