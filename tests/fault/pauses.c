/* Preloaded into a program: before some of its calls that name a process, or signal one, it pauses
 * for a quarter of a second, in which other processes come and go. A program that asks by its
 * process id who somebody is means somebody else then. */
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_US 250000
#define ONE_IN 16U

static void pause_sometimes(void)
{
    static uint64_t chance;
    struct timespec now;
    if (chance == 0 && clock_gettime(CLOCK_MONOTONIC, &now) == 0)
        chance = (uint64_t)now.tv_nsec << 20U | (uint64_t)getpid();
    chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407U;
    if ((chance >> 33U) % ONE_IN == 0)
        (void)usleep(PAUSE_US);
}

int pidfd_open(pid_t pid, unsigned flags)
{
    int (*real)(pid_t, unsigned) = (int (*)(pid_t, unsigned))dlsym(RTLD_NEXT, "pidfd_open");
    pause_sometimes();
    return real(pid, flags);
}

int pidfd_send_signal(int fd, int number, siginfo_t *info, unsigned flags)
{
    int (*real)(int, int, siginfo_t *, unsigned) =
        (int (*)(int, int, siginfo_t *, unsigned))dlsym(RTLD_NEXT, "pidfd_send_signal");
    pause_sometimes();
    return real(fd, number, info, flags);
}

int kill(pid_t pid, int number)
{
    int (*real)(pid_t, int) = (int (*)(pid_t, int))dlsym(RTLD_NEXT, "kill");
    pause_sometimes();
    return real(pid, number);
}
