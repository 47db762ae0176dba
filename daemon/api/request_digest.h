/* What a client asked for, in 64 hexadecimal digits: two requests with one key are the same when
 * their digests are. It is of the request as it came, before any default: what a queue's defaults
 * are, or whether the queue is still there, makes no other request of it. */
#ifndef BATCHD_DAEMON_API_REQUEST_DIGEST_H
#define BATCHD_DAEMON_API_REQUEST_DIGEST_H

#include "daemon/api/verb.h"

/* SHA-256 over the method and the members, in the order of their names and without those that are
 * null and the key; values that were uploaded before count by their content. The caller frees. */
char *request_digest(const struct api_call *call, const char *method);

#endif
