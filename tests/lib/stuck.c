/* Preloaded into the workers (LD_PRELOAD): between fork and exec the child of a job whose folder is
 * called "stops" is stopped, as its user could do, and that of a job whose folder is called "hangs"
 * waits for ever and hears of nothing but SIGKILL, as on a file system that does not answer. While
 * there is a file FORKS_FAIL, named by the environment, no process can be made. A program called
 * "nomem" finds no memory for its exec if there is a file nomem-1 to nomem-9 in its folder, which
 * is removed then. */
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ends_with(const char *path, const char *name)
{
    size_t length = strlen(path), end = strlen(name);
    return length >= end && strcmp(path + length - end, name) == 0;
}

int chdir(const char *path)
{
    sigset_t all;
    if (ends_with(path, "/stops"))
        (void)kill(getpid(), SIGSTOP);
    if (ends_with(path, "/hangs")) {
        (void)sigfillset(&all);
        (void)sigprocmask(SIG_BLOCK, &all, NULL);
        for (;;)
            (void)pause();
    }
    return (int)syscall(SYS_chdir, path);
}

static int took_one(void)
{
    char name[] = "nomem-1";
    for (char *digit = name + sizeof(name) - 2; *digit <= '9'; (*digit)++) {
        if (unlink(name) == 0)
            return 1;
    }
    return 0;
}

int execve(const char *path, char *const argv[], char *const env[])
{
    if (ends_with(path, "/nomem") && took_one()) {
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_execve, path, argv, env);
}

static int fails(void)
{
    const char *file = getenv("FORKS_FAIL");
    errno = EAGAIN;
    return file != NULL && access(file, F_OK) == 0;
}

int clone(int (*run)(void *), void *stack, int flags, void *argument, ...)
{
    int (*real)(int (*)(void *), void *, int, void *, ...) =
        (int (*)(int (*)(void *), void *, int, void *, ...))dlsym(RTLD_NEXT, "clone");
    va_list list;
    va_start(list, argument);
    pid_t *told = (flags & CLONE_PARENT_SETTID) != 0 ? va_arg(list, pid_t *) : NULL;
    va_end(list);
    if (fails()) {
        errno = EAGAIN;
        return -1;
    }
    return real(run, stack, flags, argument, told);
}
