/* Where things are (CLI.md, "Places"): state folder, socket, configuration, processors. */
#ifndef BATCHD_DAEMON_PLACES_H
#define BATCHD_DAEMON_PLACES_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

#define PLACES_HTTP_MAX 2U /* a Unix socket and one of loopback */

struct places {
    int socket_fd; /* the socket that systemd handed over; -1: none. Not owned, as the next. */
    int http_fds[PLACES_HTTP_MAX]; /* those for HTTP */
    size_t http_count;
    char *state_dir;
    char *socket_path;
    char *config_path;     /* NULL: none */
    bool config_required;  /* given by --config */
    char *worker_binary;   /* beside this program, or PREFIX/libexec/batchd */
    char *gpu_binary;      /* batchd-gpu, as it */
    char **processor_dirs; /* NULL-terminated */
    bool system;           /* the system daemon: workers have their own unit */
};

struct places_options {
    const char *state, *socket, *config; /* from the command line, NULL: not given */
    bool user;                           /* --user */
    bool system;                         /* --system */
};

/* With --state alone everything lives in that folder. The folders are made (0700). */
int places_find(const struct places_options *options, struct places *ret, struct error *err);
void places_add_processors(struct places *places, const char *dir); /* searched first */
void places_done(struct places *places);

#endif
