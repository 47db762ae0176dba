#include "client/screen.h"

#include "common/alloc.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

/* ECMA-48, and of xterm, which all that follow it know: another screen, no cursor, no wrapping. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"
/* Where nobody says, a terminal is as large as the first ones were. */
#define ROWS 24U
#define COLUMNS 80U

struct screen {
    struct termios before;
    sigset_t mask_before;
    int signal_fd;
    unsigned rows, columns;
};

static void measure(struct screen *screen)
{
    struct winsize size = {0};
    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    screen->rows = size.ws_row > 0 ? size.ws_row : ROWS;
    screen->columns = size.ws_col > 0 ? size.ws_col : COLUMNS;
}

/* Keys come one by one and are not shown; ^C and ^Z are still signals. */
static void enter(struct screen *screen)
{
    struct termios raw = screen->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    (void)fputs(ENTER, stdout);
    (void)fflush(stdout);
    measure(screen);
}

static void leave(const struct screen *screen)
{
    (void)fputs(LEAVE, stdout);
    (void)fflush(stdout);
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->before);
}

static bool can_move(void)
{
    const char *kind = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe): one thread */
    return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && kind != NULL &&
           kind[0] != '\0' && strcmp(kind, "dumb") != 0;
}

struct screen *screen_open(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
    struct screen *screen = xcalloc(1, sizeof(*screen));
    sigset_t wanted;
    (void)sigemptyset(&wanted);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)sigaddset(&wanted, numbers[i]);
    screen->signal_fd = -1;
    if (!can_move() || tcgetattr(STDIN_FILENO, &screen->before) < 0 ||
        (screen->signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC)) < 0) {
        free(screen);
        return NULL;
    }
    (void)sigprocmask(SIG_BLOCK, &wanted, &screen->mask_before);
    enter(screen);
    return screen;
}

void screen_close(struct screen *screen)
{
    if (screen == NULL)
        return;
    leave(screen);
    (void)sigprocmask(SIG_SETMASK, &screen->mask_before, NULL);
    (void)close(screen->signal_fd);
    free(screen);
}

/* So many bytes of the line have room: without wrapping a terminal writes all that has none into
 * the last column. What is no character of this locale counts as one column. */
static size_t fitting(const struct screen *screen, const char *line, size_t bytes)
{
    mbstate_t state = {0};
    size_t used = 0;
    for (unsigned columns = 0; used < bytes;) {
        wchar_t letter = L'?';
        const size_t got = mbrtowc(&letter, line + used, bytes - used, &state);
        const bool is_letter = got != 0 && got <= bytes - used;
        const int width = is_letter ? wcwidth(letter) : 1;
        columns += width < 0 ? 1 : (unsigned)width;
        if (columns > screen->columns)
            break;
        if (!is_letter)
            state = (mbstate_t){0};
        used += is_letter ? got : 1;
    }
    return used;
}

void screen_show(const struct screen *screen, const char *text)
{
    (void)fputs(HOME, stdout);
    for (unsigned row = 0; row < screen->rows && *text != '\0'; row++) {
        const char *end = strchrnul(text, '\n');
        const size_t bytes = fitting(screen, text, (size_t)(end - text));
        (void)printf("%s" CLEAR_LINE "%.*s", row == 0 ? "" : "\r\n", (int)bytes, text);
        text = *end == '\0' ? end : end + 1;
    }
    (void)fputs(CLEAR_BELOW, stdout);
    (void)fflush(stdout);
}

/* Until somebody lets us go on. */
static void stop(struct screen *screen)
{
    leave(screen);
    (void)raise(SIGSTOP);
    enter(screen);
}

static enum screen_event take_signal(struct screen *screen)
{
    struct signalfd_siginfo info;
    if (read(screen->signal_fd, &info, sizeof(info)) != sizeof(info))
        return SCREEN_END;
    if (info.ssi_signo == SIGTSTP)
        stop(screen);
    else if (info.ssi_signo == SIGWINCH)
        measure(screen);
    else
        return SCREEN_END;
    return SCREEN_CHANGED;
}

enum screen_event screen_wait(struct screen *screen, int wait_ms, char *ret_key)
{
    struct pollfd fds[] = {{.fd = screen->signal_fd, .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN}};
    if (poll(fds, 2, wait_ms) <= 0)
        return SCREEN_TIME;
    if (fds[0].revents != 0)
        return take_signal(screen);
    return read(STDIN_FILENO, ret_key, 1) == 1 ? SCREEN_KEY : SCREEN_END;
}
