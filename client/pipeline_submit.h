/* batchctl submit --file: sends the jobs of a file, and says what became of them. */
#ifndef BATCHD_CLIENT_PIPELINE_SUBMIT_H
#define BATCHD_CLIENT_PIPELINE_SUBMIT_H

#include "client/submission.h"

/* What the options said. */
struct pipeline_order {
    const char *path;  /* of the file; NULL: it is no pipeline that is submitted */
    json_t *set;       /* owned; the texts of --set by name */
    const char *other; /* an option that was given and is not one of a pipeline; NULL: none */
};

/* Looks at an option of `submit`. 1: it was one of a pipeline alone and is taken, 0: it is for the
 * submission, too, -1: it was wrong, which was reported. */
int pipeline_order_take(struct pipeline_order *order, struct cli *cli, const char *name,
                        const char *value);

/* The exit code. `submission` has what else was given (key, chdir, env, env-policy, wait, test). */
int pipeline_submit(struct submission *submission, const struct pipeline_order *order,
                    int operands);

#endif
