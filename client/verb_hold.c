/* batchctl hold, release. */
#include "client/change.h"
#include "client/verbs.h"

static int run_hold(struct cli *cli, int argc, char **argv)
{
    return change_run(
        cli, argc, argv,
        (struct change){.method = "io.batchd.Jobs.Hold", .like = CLI_LIKE_WAITING, .done = "Held"});
}

static int run_release(struct cli *cli, int argc, char **argv)
{
    return change_run(cli, argc, argv,
                      (struct change){.method = "io.batchd.Jobs.Release",
                                      .like = CLI_LIKE_HELD,
                                      .done = "Released"});
}

static const struct cli_option hold_options[] = {
    {"dry-run", 0, NULL, "only print the ids it would change"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_hold = {.name = "hold",
                               .arguments = "ID...",
                               .help = "Keep waiting jobs from starting until they are released",
                               .example = "batchctl hold name:render*",
                               .options = hold_options,
                               .run = run_hold};
const struct verb verb_release = {
    .name = "release",
    .arguments = "ID...",
    .help = "Let held jobs start, and those that wait for another attempt",
    .example = "batchctl release 42",
    .options = hold_options,
    .run = run_release};
