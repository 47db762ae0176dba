/* A job as the options of `batchctl submit` describe it, for other verbs too. */
#ifndef BATCHD_CLIENT_SUBMISSION_H
#define BATCHD_CLIENT_SUBMISSION_H

#include "client/cli.h"
#include "client/params.h"

struct submission {
    struct cli *cli;
    json_t *request; /* owned, as the next */
    json_t *env, *tags, *resources;
    struct params params; /* of a type */
    const char *env_policy, *shell;
    const char *values_option, *values_path; /* each-line or each-json, and its file; or NULL */
    bool wait, follow;
    bool test; /* only ask whether it would be taken */
};

/* Nothing was given yet. */
struct submission submission_begin(struct cli *cli);
void submission_done(struct submission *submission);

/* Takes an option of `submit`: a cli_take_fn whose `arg` is a struct submission. */
int submission_take(void *arg, const char *name, const char *value);
/* The same for a job that there is already: "none" takes away what it had (0, or an empty text). */
int submission_take_change(struct submission *submission, const char *name, const char *value);
/* Exactly one of a command, --shell and --type. 0, or the exit code after reporting. */
int submission_add_command(struct submission *submission, int argc, char **argv);
/* What comes from here: folder, umask, environment; and the tags. 0, or the exit code after
 * reporting: in another folder than the one that was meant nothing is to run. */
int submission_add_rest(struct submission *submission);
/* A key that no other request has, which makes a repeated send of this one safe. */
void submission_put_key(json_t *request);

#endif
