/* batchd-gpu: looks at the machine's GPUs when it is asked to. A process of its own, because the
 * drivers' library may hang or crash: it ends itself when a look takes too long, and batchd goes
 * on.
 *
 *   batchd-gpu [--root DIR] [--library PATH] [--state DIR]
 *
 * Questions come on standard input, answers (common/gpu_report.h) go to standard output; it ends
 * when the input does. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "gpu/cards.h"
#include "gpu/nvml.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define LIBRARY "libnvidia-ml.so.1"

struct options {
    struct look look;
    const char *library;
};

static int usage(void)
{
    (void)fputs("usage: batchd-gpu [--root DIR] [--library PATH] [--state DIR]\n", stderr);
    return EX_USAGE;
}

static int read_options(int argc, char **argv, struct options *ret)
{
    static const struct option names[] = {{"root", required_argument, NULL, 'r'},
                                          {"library", required_argument, NULL, 'l'},
                                          {"state", required_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    int option;
    *ret = (struct options){.look = {.root = ""}};
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 'r')
            ret->look.root = optarg;
        else if (option == 'l')
            ret->library = optarg;
        else if (option == 's')
            ret->look.state = optarg;
        else
            return -1;
    }
    return optind < argc ? -1 : 0;
}

/* One question; false: there are no more. */
static bool take_question(unsigned *ret_seconds)
{
    uint8_t question[GPU_LOOK_BYTES];
    struct record record;
    size_t used;
    size_t got = 0;
    while (got < sizeof(question)) {
        const ssize_t more = read(STDIN_FILENO, question + got, sizeof(question) - got);
        if (more == 0 || (more < 0 && errno != EINTR))
            return false;
        got += more > 0 ? (size_t)more : 0;
    }
    if (record_parse(question, sizeof(question), &record, &used) != RECORD_OK ||
        record.type != MESSAGE_GPU_LOOK)
        return false;
    *ret_seconds = record_get_u32(&record);
    return record_complete(&record) && *ret_seconds >= 1 && *ret_seconds <= GPU_LOOK_SECONDS_MAX;
}

/* SIGALRM ends the process: what hangs in a driver cannot be waited for. */
static void answer(const struct options *options, unsigned seconds, struct nvml *nvml,
                   struct cards *cards, struct gpu_report *report)
{
    struct record_writer writer = {.used = 0};
    memset(report, 0, sizeof(*report));
    (void)alarm(seconds);
    nvml_look(nvml, &options->look, report);
    cards_look(cards, &options->look, report);
    (void)alarm(0);
    put_gpu_report(&writer, report);
    if (fd_write_all(STDOUT_FILENO, writer.data, writer.used) < 0)
        _exit(EX_IOERR); /* nobody reads it any more */
    record_writer_done(&writer);
}

int main(int argc, char **argv)
{
    struct options options;
    unsigned seconds = 0;
    if (read_options(argc, argv, &options) < 0)
        return usage();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGALRM, SIG_DFL);
    struct gpu_report *report = xcalloc(1, sizeof(*report));
    struct nvml *nvml =
        nvml_new(options.library != NULL ? options.library : LIBRARY, options.library != NULL);
    struct cards *cards = cards_new();
    while (take_question(&seconds))
        answer(&options, seconds, nvml, cards, report);
    cards_free(cards);
    nvml_free(nvml);
    free(report);
    return EX_OK;
}
