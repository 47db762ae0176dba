/* What a processor asked for by a line is made its newest checkpoint. The processor goes on
 * meanwhile, so what changes while it is copied is not taken. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/manifest.h"
#include "common/own_checkpoint.h"
#include "step/notes.h"
#include "step/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define TRIES_MAX 5

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

static bool is_below(const char *path, const char *folder)
{
    const size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/';
}

/* In the job's own folder of checkpoints, where processors keep what they go on from. */
static bool is_in_own_folder(const char *path)
{
    struct error ignored;
    const char *folder = own_checkpoint_folder(&ignored);
    return folder != NULL && is_below(path, folder);
}

/* A processor that confines itself says so in its manifest ("sandbox"). What it asks for is copied
 * by this process, which is not confined: it may have been taken over by what it read, and ask for
 * what it cannot read itself. One whose manifest is there and cannot be read is held to be. */
static bool is_confined(const char *program)
{
    const char *slash = strrchr(program, '/');
    size_t bytes;
    CLEANUP_FREE char *path =
        slash == NULL ? NULL : xasprintf("%.*s/manifest.json", (int)(slash - program), program);
    CLEANUP_FREE char *text =
        path == NULL ? NULL : fd_read_file(AT_FDCWD, path, MANIFEST_BYTES_MAX, &bytes);
    if (path == NULL || (text == NULL && errno == ENOENT))
        return false;
    CLEANUP_JSON json_t *manifest = text == NULL ? NULL : manifest_load(text, bytes, NULL);
    return manifest == NULL || json_is_true(json_object_get(manifest, "sandbox"));
}

/* Where its sandbox lets it write (processors/lib/journal.h). It can make no links there, so what
 * is looked at now is what is copied. */
static bool is_its_own(const char *path)
{
    struct error ignored;
    const char *folder = own_checkpoint_folder(&ignored);
    CLEANUP_FREE char *work = folder == NULL ? NULL : xasprintf("%s/work", folder);
    CLEANUP_FREE char *real_work = work == NULL ? NULL : realpath(work, NULL);
    CLEANUP_FREE char *real = real_work == NULL ? NULL : realpath(path, NULL);
    if (real != NULL)
        return is_below(real, real_work);
    /* It has gone: commit knows of that. */
    return work != NULL && is_below(path, work) && strstr(path, "/..") == NULL;
}

static int check_place(const char *program, const char *path, struct error *err)
{
    if (!is_confined(program) || is_its_own(path))
        return 0;
    return error_set(err, ERROR_DENIED,
                     "\"%.200s\" is not in BATCHD_CHECKPOINT_DIR/work, and this processor is "
                     "confined to it",
                     path);
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
    CLEANUP_FREE char *path = path_in(step->rest[1], &err);
    if (path != NULL && check_place(step->rest[0], path, &err) == 0 && commit(path, &err) == 0)
        return EX_OK;
    (void)fprintf(stderr, "batchd: no checkpoint was made: %s\n", err.text);
    notes_add("note no checkpoint was made: %s", err.text);
    return EX_CANTCREAT;
}
