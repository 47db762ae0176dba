/* The verbs: one JSON request in, one or more JSON replies out. The api decodes and checks form,
 * authorises by the caller's kernel-checked uid, and turns the request into calls of the engine and
 * reads of the store. It knows nothing of sockets: replies go to the call's sink, which holds them
 * until the turn's commit. One row of a table and one file for each verb family. */
#ifndef BATCHD_DAEMON_API_API_H
#define BATCHD_DAEMON_API_API_H

#include "daemon/api/call.h"
#include "daemon/engine/engine.h"

#include <stddef.h>
#include <stdint.h>

struct api;

struct api *api_new(struct event_base *base, struct engine *engine,
                    const struct api_options *options);
void api_free(struct api *api);

/* The name of a method by its place in the table; NULL behind the last. */
const char *api_method(size_t number);

/* Answers one request text. The call belongs to the api until its last reply or api_abort. */
struct api_call *api_begin(struct api *api, const struct api_sink *sink, void *sink_arg,
                           uint32_t uid, uint32_t gid);
void api_request(struct api_call *call, const char *text, size_t bytes);
/* After each turn's commit: what needs the store to itself for a moment. */
void api_committed(struct api *api);
/* The connection of this sink is gone, and what was handed over in parts with it. */
void api_gone(struct api *api, const void *sink_arg);
/* The caller is gone: no reply is wanted any more. */
void api_abort(struct api_call *call);

#endif
