/* What the verbs that change jobs have in common: one request for each job that is named, or with
 * --dry-run the question what it would do. */
#ifndef BATCHD_CLIENT_CHANGE_H
#define BATCHD_CLIENT_CHANGE_H

#include "client/cli.h"

struct change {
    const char *method;
    json_t *parameters; /* of each request, which the job is added to; borrowed, may be NULL */
    enum cli_like like; /* the jobs that it is for */
    bool keyed;         /* makes jobs: with a key, and so repeated when the daemon goes away */
    bool ends;          /* what has ended is as it should be, unless it was named */
    bool dry;
    /* Says for people what was done to a job, or with "dry_run" in the reply would be; 0 or an exit
     * code. NULL: "DONE job 42", or just its id. */
    int (*say)(struct cli *cli, json_t *id, const json_t *reply);
    const char *done;
};

/* The exit code: the first that is not 0. */
int change_jobs(struct cli *cli, char **words, int count, const struct change *change);
/* The option --dry-run, for cli_options with a struct change. */
int change_take_dry(void *arg, const char *name, const char *value);
/* An option whose value is a span, as this member of each request. */
int change_take_span(struct change *change, const char *name, const char *value,
                     const char *member);
/* A verb that has this option alone, and ids. */
int change_run(struct cli *cli, int argc, char **argv, struct change change);

#endif
