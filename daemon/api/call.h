/* One request on its way: who asks, with what, and where the answers go. */
#ifndef BATCHD_DAEMON_API_CALL_H
#define BATCHD_DAEMON_API_CALL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api;
struct gpu_watch;
struct meters;
struct monitor;
struct program;
struct verb_meters;

struct api_options {
    const char *state_dir, *socket_path; /* borrowed for life */
    const char *const *processor_dirs;   /* NULL-terminated, searched in order */
    uint32_t owner_uid;                  /* may see and do everything, as root may */
    uint32_t uid_min;                    /* jobs of lower uids are refused; 0: none */
    bool system;                         /* the system daemon */
    struct meters *meters;               /* what is counted; borrowed for life */
    const struct monitor *monitor;       /* of the machine; borrowed for life */
    const struct gpu_watch *gpus;        /* NULL: they are not looked at; borrowed for life */
    const struct program *program;       /* borrowed for life */
};

/* Where replies go. */
struct api_sink {
    /* Takes the reference. `last` ends the call: after it the call must not be used. */
    void (*send)(void *arg, json_t *message, bool last);
    /* The last message as JSON, borrowed (NULL: there is none). */
    void (*send_text)(void *arg, const char *text, size_t bytes);
    /* Bytes sent that the reader has not taken; streams look at it so as not to grow for ever. */
    size_t (*backlog)(void *arg);
};

/* A stream that has this much unsent ends with StaleCursor instead of growing. */
#define API_BACKLOG_MAX ((size_t)1 << 20)

struct api_call {
    struct api *api;
    const struct api_sink *sink;
    void *sink_arg;
    uint32_t uid, gid;          /* of the connection, from the kernel */
    json_t *params;             /* owned */
    struct verb_meters *meters; /* where its answer is counted */
    int64_t began_at;           /* monotonic: when it came */
    bool submits;               /* it is to make jobs: refused, it is counted by why */
    bool more;
    bool oneway;
    /* Set by a verb that answers later: releases what it waits on. Called when the caller went
     * away; a verb clears it before its last reply. */
    void (*cancel)(struct api_call *call);
    void *state;
};

#endif
