/* canaries NOTES COUNT: keeps COUNT short processes, so that the ids of processes are soon used
 * again, most of them by one of these. Each notes every signal that it gets, and whoever was killed
 * or halted is noted by its parent. Every other one has a child. It goes on until its standard
 * input ends, and prints how many there were. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int notes;

static void note(int number)
{
    char line[16];
    int bytes = snprintf(line, sizeof(line), "%d\n", number);
    ssize_t ignored = write(notes, line, (size_t)bytes);
    (void)ignored;
}

static void on_signal(int number)
{
    int saved = errno;
    note(number);
    errno = saved;
}

static void judge(pid_t pid, int status)
{
    if (WIFSTOPPED(status)) {
        note(WSTOPSIG(status));
        (void)kill(pid, SIGCONT);
    } else if (WIFSIGNALED(status)) {
        note(WTERMSIG(status));
    }
}

/* From 20 to 120 ms. */
static void live(unsigned chance)
{
    (void)usleep(20000 + chance % 100 * 1000);
}

static void be_canary(unsigned chance)
{
    int status;
    pid_t child = chance % 2 == 0 ? fork() : -1;
    live(chance);
    if (child == 0)
        _exit(0);
    while (child > 0 && waitpid(child, &status, WUNTRACED) == child) {
        judge(child, status);
        child = WIFSTOPPED(status) ? child : -1;
    }
    _exit(0);
}

static int input_ended(void)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

static void catch_all(void)
{
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGCHLD && number != SIGCONT)
            (void)signal(number, on_signal);
    }
}

int main(int argc, char **argv)
{
    int alive = 0, born = 0;
    int most = argc == 3 ? atoi(argv[2]) : 0;
    notes = argc == 3 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (notes < 0 || most <= 0)
        return 64;
    catch_all();
    while (alive > 0 || !input_ended()) {
        int status;
        pid_t pid;
        while (alive < most && !input_ended() && (pid = fork()) >= 0) {
            if (pid == 0)
                be_canary((unsigned)(born * 7919) >> 3U);
            alive++;
            born++;
        }
        while ((pid = waitpid(-1, &status, WUNTRACED | (alive < most ? WNOHANG : 0))) > 0) {
            judge(pid, status);
            alive -= !WIFSTOPPED(status);
        }
        if (alive < most) /* no more for now: there are no more ids, or it ends */
            (void)usleep(1000);
    }
    (void)printf("%d\n", born);
    return 0;
}
