/* The blocking client of batchd: connects, calls a method, follows a stream. What batchctl uses,
 * and what a C program may: #include <batchd/client.h>, pkg-config --cflags --libs batchd-client.
 *
 * One connection, one call at a time. A struct batchd_client is not to be shared between threads.
 */
#ifndef BATCHD_COMMON_CLIENT_H
#define BATCHD_COMMON_CLIENT_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct batchd_client;

/* Where the daemon is: `path` if given, else BATCHD_SOCKET, else the user daemon's socket if it is
 * there, else the system's. The caller frees. */
char *batchd_find_socket(const char *path);

/* Connects. NULL with ERROR_UNREACHABLE or ERROR_DENIED. `timeout_ms` bounds every later wait for a
 * reply; 0 = none. */
struct batchd_client *batchd_connect(const char *path, uint64_t timeout_ms, struct error *err);
void batchd_close(struct batchd_client *client);

/* Calls a method and waits for its reply. Takes `parameters` (NULL = {}). Returns the reply's
 * parameters (owned), or NULL with err: ERROR_UNREACHABLE when the connection broke,
 * ERROR_PROTOCOL, ERROR_BUSY on timeout; for an error reply ERROR_CONFLICT, with the name and
 * parameters below. */
json_t *batchd_call(struct batchd_client *client, const char *method, json_t *parameters,
                    struct error *err);

/* Calls a method that streams: `each` gets every reply's parameters but the last (borrowed); a
 * non-zero result ends the stream, and the connection must then be closed. Returns the last reply's
 * parameters, or NULL with err, or NULL with err->code ERROR_NONE when `each` ended it. */
typedef int (*batchd_part_fn)(void *arg, const json_t *parameters);
json_t *batchd_stream(struct batchd_client *client, const char *method, json_t *parameters,
                      batchd_part_fn each, void *arg, struct error *err);

/* Of the last error reply: its name ("io.batchd.NoSuchJob") and parameters, borrowed; NULL if the
 * last call had none. */
const char *batchd_error_name(const struct batchd_client *client);
const json_t *batchd_error_parameters(const struct batchd_client *client);

#endif
