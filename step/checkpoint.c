/* What a processor asked for by a line is made its newest checkpoint. The processor goes on
 * meanwhile, so what changes while it is copied is not taken. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/own_checkpoint.h"
#include "step/notes.h"
#include "step/steps.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define TRIES_MAX 5

/* Signals to the job's tree are the processor's. What ends the tree for good ends this, too. */
static void outlive_signals(void)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
}

/* Owned; NULL with err. */
static char *path_in(const char *line, struct error *err)
{
    char *path = NULL;
    size_t length = strlen(line);
    if (length >= CHECKPOINT_LINE_MAX) {
        (void)error_set(err, ERROR_LIMIT, "its line is longer than %u bytes",
                        CHECKPOINT_LINE_MAX - 1);
        return NULL;
    }
    CLEANUP_JSON json_t *object = json_load_limited(line, length, err);
    if (object == NULL)
        return NULL;
    return json_get_bytes(object, "path", true, PATH_MAX - 1, &path, err) < 0 ? NULL : path;
}

/* In the job's own folder of checkpoints, where processors keep what they go on from. */
static bool is_in_own_folder(const char *path)
{
    struct error ignored;
    const char *folder = own_checkpoint_folder(&ignored);
    const size_t length = folder == NULL ? 0 : strlen(folder);
    return length > 0 && strncmp(path, folder, length) == 0 && path[length] == '/';
}

/* What is replaced now and then stands still the next time. What was there and is removed while it
 * is copied is of no use to its processor any more: that is no failure. In its own folder it may
 * have gone before this process looked. */
static int commit(const char *path, struct error *err)
{
    const bool was_there = is_in_own_folder(path) || access(path, F_OK) == 0;
    for (int tries = 1;; tries++) {
        struct checkpoint made = {0};
        int result = own_checkpoint_commit(NULL, path, CHECKPOINT_OF_MOVING, &made, err);
        checkpoint_done(&made);
        if (result < 0 && was_there && access(path, F_OK) < 0 && errno == ENOENT)
            return 0;
        if (result == 0 || err->code != ERROR_CONFLICT || tries == TRIES_MAX)
            return result;
    }
}

int step_checkpoint(const struct step *step)
{
    struct error err;
    outlive_signals();
    CLEANUP_FREE char *path = path_in(step->rest[0], &err);
    if (path != NULL && commit(path, &err) == 0)
        return EX_OK;
    (void)fprintf(stderr, "batchd: no checkpoint was made: %s\n", err.text);
    notes_add("note no checkpoint was made: %s", err.text);
    return EX_CANTCREAT;
}
