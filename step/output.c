#include "step/output.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

void output_done(struct output *output)
{
    free(output->staged);
    cleanup_close(&output->folder);
}

/* Where it is now. */
static const char *place(const struct output *output)
{
    return output->in_place ? output->path : output->staged;
}

static int open_folder(struct output *output, struct error *err)
{
    const char *name = basename(output->path);
    CLEANUP_FREE char *folder = name == output->path
                                    ? xstrdup(".")
                                    : xasprintf("%.*s", (int)(name - output->path), output->path);
    output->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return output->folder < 0 ? error_set_errno(err, "its folder") : 0;
}

static bool is_kept(const struct stat *info)
{
    return S_ISREG(info->st_mode) || S_ISDIR(info->st_mode);
}

/* The change time, which no program sets: a file that was copied with its old times is new, too. */
static bool changed_since(const struct stat *info, int64_t started_at)
{
    int64_t at =
        (int64_t)info->st_ctim.tv_sec * US_PER_SECOND + (int64_t)info->st_ctim.tv_nsec / 1000;
    return at >= started_at;
}

/* What is in its place is replaced when it is a file, or a link, which is not followed. */
static int check_replaced(const struct stat *there, const struct stat *new, struct error *err)
{
    if (S_ISDIR(there->st_mode))
        return error_set(err, ERROR_CONFLICT, "there is a folder, which is not replaced");
    if (!S_ISREG(there->st_mode) && !S_ISLNK(there->st_mode))
        return error_set(err, ERROR_CONFLICT, "there is something that is no file");
    if (S_ISDIR(new->st_mode))
        return error_set(err, ERROR_CONFLICT, "there is a file, which no folder replaces");
    return 0;
}

int output_find(struct output *output, int64_t started_at, struct error *err)
{
    struct stat new, there;
    if (open_folder(output, err) < 0)
        return -1;
    bool has_new =
        fstatat(output->folder, basename(output->staged), &new, AT_SYMLINK_NOFOLLOW) == 0;
    bool has_old =
        fstatat(output->folder, basename(output->path), &there, AT_SYMLINK_NOFOLLOW) == 0;
    if (!has_new && has_old && changed_since(&there, started_at)) {
        output->in_place = true;
        return is_kept(&there) ? 0 : error_set(err, ERROR_CONFLICT, "it is no file and no folder");
    }
    if (!has_new)
        return error_set(err, ERROR_NOT_FOUND, "it was not written");
    if (!is_kept(&new))
        return error_set(err, ERROR_CONFLICT, "it is no file and no folder");
    return has_old ? check_replaced(&there, &new, err) : 0;
}

/* ---- checks ---- */

static bool folder_empty(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    int entries = 0;
    while (folder != NULL && entries <= 2 && readdir(folder) != NULL)
        entries++; /* . and .. are two */
    if (folder != NULL)
        (void)closedir(folder);
    return entries <= 2;
}

static int check_content(const struct output *output, struct error *err)
{
    struct stat info;
    const char *name = basename(place(output));
    if (fstatat(output->folder, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return error_set_errno(err, "it cannot be looked at");
    bool empty = S_ISDIR(info.st_mode) ? folder_empty(output->folder, name) : info.st_size == 0;
    return empty ? error_set(err, ERROR_INVALID, "it is empty") : 0;
}

/* Its words go to the attempt's stderr: stdout is the job's alone. */
static int start_shell(const char *text, const char *path, pid_t *ret)
{
    char shell[] = "/bin/sh", option[] = "-c";
    CLEANUP_FREE char *script = xstrdup(text);
    CLEANUP_FREE char *file = xstrdup(path);
    char *const argv[] = {shell, option, script, shell, file, NULL};
    posix_spawn_file_actions_t actions;
    (void)setenv("BATCHD_OUTPUT", path, 1); /* NOLINT(concurrency-mt-unsafe): there is one thread */
    if (posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    (void)posix_spawn_file_actions_adddup2(&actions, 2, 1);
    int code = posix_spawn(ret, shell, &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    errno = code;
    return code == 0 ? 0 : -1;
}

static int run_check(const char *text, const char *path, struct error *err)
{
    pid_t pid = 0;
    int status = 0;
    if (start_shell(text, path, &pid) < 0 || waitpid(pid, &status, 0) < 0)
        return error_set_errno(err, "check \"%.80s\" cannot be run", text);
    if (WIFSIGNALED(status))
        return error_set(err, ERROR_INVALID, "check \"%.80s\" was killed by signal %d", text,
                         WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return error_set(err, ERROR_INVALID, "check \"%.80s\" exited %d", text,
                         WEXITSTATUS(status));
    return 0;
}

int output_check(const struct output *output, const char *check, struct error *err)
{
    if (strcmp(check, "exists") == 0)
        return 0; /* output_find was there */
    if (strcmp(check, "nonempty") == 0)
        return check_content(output, err);
    return run_check(check, place(output), err);
}

/* ---- into its place ---- */

int output_sync(const struct output *output, struct error *err)
{
    struct stat info;
    if (fstatat(output->folder, basename(place(output)), &info, AT_SYMLINK_NOFOLLOW) < 0)
        return error_set_errno(err, "it was there before the checks");
    if (!is_kept(&info))
        return error_set(err, ERROR_CONFLICT, "it was a file or folder before the checks");
    return file_tree_sync(place(output), err);
}

int output_place(struct output *output, struct error *err)
{
    if (!output->in_place && renameat(output->folder, basename(output->staged), output->folder,
                                      basename(output->path)) < 0)
        return error_set_errno(err, "it cannot be put in its place");
    output->in_place = true;
    /* A file system that syncs no folders has done what it can. */
    if (fsync(output->folder) < 0 && errno != EINVAL)
        return error_set_errno(err, "its folder cannot be synced");
    return 0;
}
