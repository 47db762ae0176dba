#include "common/program.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4096U

static const char usual_path[] = "/usr/local/bin:/usr/bin:/bin";

static void search(const char *path, char *const *argv, char *const *env)
{
    char candidate[PATH_BYTES];
    size_t name = strlen(argv[0]);
    int remembered = ENOENT;
    for (const char *at = path; at != NULL;) {
        const char *colon = strchr(at, ':');
        size_t length = colon == NULL ? strlen(at) : (size_t)(colon - at);
        if (length + name + 2 <= sizeof(candidate)) {
            memcpy(candidate, at, length);
            candidate[length] = '/';
            memcpy(candidate + length + (length > 0), argv[0], name + 1);
            (void)execve(candidate, argv, env);
            if (errno == EACCES)
                remembered = EACCES;
            else if (errno != ENOENT && errno != ENOTDIR)
                return;
        }
        at = colon == NULL ? NULL : colon + 1;
    }
    errno = remembered;
}

void program_execute(const char *program, const char *path, char *const *argv, char *const *env)
{
    if (program[0] != '\0')
        (void)execve(program, argv, env);
    else if (strchr(argv[0], '/') != NULL)
        (void)execve(argv[0], argv, env);
    else
        search(path == NULL ? usual_path : path, argv, env);
}
