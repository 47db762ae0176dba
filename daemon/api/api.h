/* The verbs: one JSON request in, one or more JSON replies out. The api decodes and checks form,
 * authorises by the caller's kernel-checked uid, and turns the request into calls of the engine and
 * reads of the store. It knows nothing of sockets: replies go to the call's sink, which holds them
 * until the turn's commit. One row of a table and one file for each verb family. */
#ifndef BATCHD_DAEMON_API_API_H
#define BATCHD_DAEMON_API_API_H

#include "daemon/engine/engine.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api;
struct api_call;

struct api_options {
    const char *state_dir, *socket_path; /* borrowed for life */
    const char *const *processor_dirs;   /* NULL-terminated, searched in order */
    uint32_t owner_uid;                  /* may see and do everything, as root may */
    uint32_t cpus;
    uint64_t memory_bytes;
};

struct api *api_new(struct event_base *base, struct engine *engine,
                    const struct api_options *options);
void api_free(struct api *api);

/* Where replies go. */
struct api_sink {
    /* Takes the reference. `last` ends the call: after it the call must not be used. */
    void (*send)(void *arg, json_t *message, bool last);
    /* Bytes sent that the reader has not taken; streams look at it so as not to grow for ever. */
    size_t (*backlog)(void *arg);
};

/* A stream that has this much unsent ends with StaleCursor instead of growing. */
#define API_BACKLOG_MAX ((size_t)1 << 20)

struct api_call {
    struct api *api;
    const struct api_sink *sink;
    void *sink_arg;
    uint32_t uid, gid; /* of the connection, from the kernel */
    json_t *params;    /* owned */
    bool more;
    bool oneway;
    /* Set by a verb that answers later: releases what it waits on. Called when the caller went away;
     * a verb clears it before its last reply. */
    void (*cancel)(struct api_call *call);
    void *state;
};

/* Answers one request text. The call belongs to the api until its last reply or api_abort. */
struct api_call *api_begin(struct api *api, const struct api_sink *sink, void *sink_arg,
                           uint32_t uid, uint32_t gid);
void api_request(struct api_call *call, const char *text, size_t bytes);
/* The caller is gone: no reply is wanted any more. */
void api_abort(struct api_call *call);

#endif
