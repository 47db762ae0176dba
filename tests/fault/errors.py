"""How each function of libc fails: the errno values that are documented for it and can happen here;
0 stands for one byte read or written."""
import errno as e

ERRORS = {
    **dict.fromkeys(("malloc", "calloc", "realloc", "reallocarray"), (e.ENOMEM,)),
    **dict.fromkeys(("read", "readv", "recv", "recvmsg"), (e.EINTR, e.EAGAIN, e.EIO, 0)),
    **dict.fromkeys(("pread", "pread64"), (e.EINTR, e.EIO, 0)),
    **dict.fromkeys(("write", "writev"), (e.EINTR, e.EAGAIN, e.EIO, e.ENOSPC, e.EPIPE, 0)),
    **dict.fromkeys(("pwrite", "pwrite64"), (e.EINTR, e.EIO, e.ENOSPC, 0)),
    **dict.fromkeys(("send",), (e.EINTR, e.EAGAIN, e.EPIPE, e.ENOBUFS, 0)),
    **dict.fromkeys(("sendto", "sendmsg"), (e.EINTR, e.EAGAIN, e.ENOBUFS)),
    **dict.fromkeys(("open", "open64", "openat", "openat64", "fopen", "fopen64", "opendir", "fdopendir"),
                    (e.EMFILE, e.ENFILE, e.ENOMEM, e.EIO, e.ENOSPC, e.EINTR)),
    **dict.fromkeys(("fsync", "fdatasync"), (e.EIO, e.ENOSPC)),
    **dict.fromkeys(("ftruncate", "ftruncate64"), (e.EIO, e.EINTR)),
    "fallocate": (e.ENOSPC, e.EIO, e.EINTR, e.EOPNOTSUPP),
    **dict.fromkeys(("mkdir", "mkdirat", "rename", "renameat", "renameat2", "symlink"), (e.ENOSPC, e.EIO, e.ENOMEM)),
    **dict.fromkeys(("rmdir", "unlink", "unlinkat", "fchown", "fchownat", "lchown", "chmod", "fchmod"), (e.EIO, e.ENOMEM)),
    "flock": (e.EINTR, e.ENOLCK),
    **dict.fromkeys(("fcntl", "fcntl64"), (e.EINTR, e.ENOLCK, e.EMFILE)),
    "dup2": (e.EINTR, e.EMFILE),
    **dict.fromkeys(("pipe2", "socket", "socketpair", "epoll_create1", "eventfd", "timerfd_create",
                     "signalfd", "memfd_create"), (e.EMFILE, e.ENFILE, e.ENOMEM)),
    "bind": (e.EADDRINUSE, e.ENOMEM),
    "listen": (e.EADDRINUSE,),
    "shutdown": (e.ENOTCONN,),
    "pidfd_open": (e.EMFILE, e.ENOMEM, e.ESRCH),
    "pidfd_send_signal": (e.ESRCH, e.EPERM),
    "connect": (e.EINTR, e.EAGAIN, e.ECONNREFUSED),
    "accept4": (e.EINTR, e.EAGAIN, e.EMFILE, e.ENFILE, e.ENOMEM, e.ECONNABORTED),
    "getsockopt": (e.ENOBUFS,),
    "epoll_ctl": (e.ENOMEM, e.ENOSPC),
    "epoll_wait": (e.EINTR,),
    "poll": (e.EINTR, e.ENOMEM),
    **dict.fromkeys(("fork", "clone", "posix_spawn"), (e.EAGAIN, e.ENOMEM)),
    **dict.fromkeys(("waitpid", "waitid", "wait4"), (e.EINTR,)),
    "kill": (e.ESRCH, e.EPERM),
    "setsid": (e.EPERM,),
    **dict.fromkeys(("chdir", "fchdir"), (e.EIO, e.ENOMEM)),
    "prctl": (e.EINVAL,),
    **dict.fromkeys(("mmap", "mmap64", "mremap"), (e.ENOMEM,)),
    **dict.fromkeys(("stat", "stat64", "fstat", "fstat64", "lstat", "lstat64", "fstatat", "fstatat64", "statvfs", "access",
                     "readlink", "getcwd"), (e.EIO, e.ENOMEM)),
    "lseek": (e.EINVAL,),
    "getrandom": (e.EINTR, e.EAGAIN),
    **dict.fromkeys(("execv", "execve"), (e.ENOMEM, e.EIO)),
    "setrlimit": (e.EPERM,),
    "sigtimedwait": (e.EAGAIN, e.EINTR),
}


# Here EAGAIN says that something has run out.
RUNS_OUT = ("fork", "clone", "posix_spawn", "connect")


def faults_of(call, role, is_glib):
    """(errno, mode). "Try again" is no answer for ever. A worker reads from pipes and descriptors of
    the kernel, of which EIO is not known. GLib wants memory to say that it has none, for ever."""
    return [(number, mode) for number in ERRORS.get(call, ()) for mode in ("once", "on")
            if mode == "once" or number != e.EINTR and (number != e.EAGAIN or call in RUNS_OUT)
            if (role, call, number) != ("worker", "read", e.EIO) and not (is_glib and mode == "on")]


NOT_INJECTED_WHY = {
    "does not fail": """_exit abort exit getenv geteuid getuid getpid getppid getresgid getresuid memchr memcmp
        memcpy memmove memset qsort qsort_r sigabbrev_np sigaddset sigemptyset sigfillset signal snprintf strcasecmp
        strcasestr strchr strchrnul strcmp strcoll strcspn strerrordesc_np strftime strlen strncasecmp strncmp
        strnlen strrchr strspn strstr strtod strtok_r strtol strtoul strtoull sysconf tdelete tdestroy tfind
        twalk_r umask unsetenv isatty free posix_spawnattr_destroy posix_spawnattr_init posix_spawnattr_setflags
        posix_spawnattr_setsigdefault posix_spawnattr_setsigmask sigaction sigprocmask clock_gettime gmtime_r
        localtime_r mktime timegm ferror globfree setlocale getopt_long dirfd strsep pthread_attr_init
        pthread_attr_destroy pthread_attr_setstacksize pthread_sigmask sem_init clock_getres malloc_usable_size
        posix_spawn_file_actions_init posix_spawn_file_actions_destroy""",
    "fails only by a bug of the caller": """close close_range closedir munmap fclose readdir getrlimit nanosleep
        pthread_cancel pthread_join sem_post""",
    "is called again, whatever it answers": "sem_wait sem_clockwait",
    "ends the worker at its start, as for want of memory": "pthread_create",
    "its memory comes from malloc, which fails": """strdup open_memstream tsearch glob realpath fputc fputs
        fwrite fflush putc puts fread setenv posix_spawn_file_actions_adddup2""",
    "is made for the job's user, in system mode (tests/vm)": """setgroups setresgid setresuid setuid
        getgrouplist getgrnam getpwnam getpwnam_r getpwuid getpwuid_r statfs syscall""",
    "a failure is allowed to change nothing but speed": "setpriority sched_getaffinity",
}
NOT_INJECTED = {name for names in NOT_INJECTED_WHY.values() for name in names.split()}
