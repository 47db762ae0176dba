/* What the verbs share: global options, one option table per verb (getopt_long, --help and errors
 * come from it), the connection, exit codes, ids. */
#ifndef BATCHD_CLIENT_CLI_H
#define BATCHD_CLIENT_CLI_H

#include "common/client.h"
#include "common/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* CLI.md, "Exit status of batchctl". */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1,
    EXIT_USAGE = 2,
    EXIT_FALSE = 3,
    EXIT_NO_SUCH = 4,
    EXIT_DENIED = 5,
    EXIT_UNREACHABLE = 6,
    EXIT_PROTOCOL = 7,
    EXIT_TIMED_OUT = 124,
    EXIT_OWN_FAILURE = 125,
    EXIT_CANCELLED = 130,
    EXIT_OUT_OF_MEMORY = 137,
};

struct cli {
    const char *socket;
    bool json, quiet, color, tty;
    uint64_t timeout_ms;
    struct batchd_client *client;
    const struct verb *verb;
    json_t *documents;  /* what --json prints as one array at the end; NULL: nothing is kept */
    bool matched;       /* the id that cli_each_id is at is none that was named: a pattern's */
    const char *reader; /* the option that reads standard input; NULL: none does */
};

struct cli_option {
    const char *name;     /* long name */
    char letter;          /* 0: none */
    const char *argument; /* what it takes, in capitals; NULL: nothing */
    const char *help;
};

enum cli_tasks {
    CLI_TASKS_NONE,
    CLI_TASKS_EACH, /* 42_7, and 42_[1-3] as its three tasks */
    CLI_TASKS_SETS, /* 42_[1-3] as one, for the daemon to read */
};

/* The jobs that something may be done to. */
enum cli_like {
    CLI_LIKE_ANY,
    CLI_LIKE_OPEN,      /* have not ended */
    CLI_LIKE_WAITING,   /* wait, or are arrays with tasks to come */
    CLI_LIKE_HELD,      /* of these, those that are held */
    CLI_LIKE_RUNNING,   /* run and are not suspended */
    CLI_LIKE_SUSPENDED, /* are suspended, or are arrays that run: their tasks may be */
    CLI_LIKE_STARTED,   /* either */
    CLI_LIKE_ENDED,
    CLI_LIKE_FAILED,
};

struct verb {
    const char *name, *alias;
    const char *arguments; /* for the usage line */
    const char *help;      /* one line */
    const char *example;
    const struct cli_option *options; /* ends with a NULL name */
    const struct verb *also;          /* its options are taken, too, but not shown again; or NULL */
    bool stop_at_operand;             /* what follows the first operand is not ours */
    enum cli_tasks tasks;             /* whether an id may name tasks of an array */
    int (*run)(struct cli *cli, int argc, char **argv);
};

/* The next option of the verb: its long name and value (NULL when it takes none); NULL at the end.
 * A wrong one has been reported: then *ret_failed. Global options are taken on the way.
 * argv[0] is the verb; afterwards the operands begin at *ret_operand. */
const char *cli_next(struct cli *cli, int argc, char **argv, const char **ret_value,
                     bool *ret_failed, int *ret_operand);

/* Gives each option to `take`, which answers 0, or an exit code after reporting; *ret_operand as
 * for cli_next. 0 or an exit code. */
typedef int (*cli_take_fn)(void *arg, const char *name, const char *value);
int cli_options(struct cli *cli, int argc, char **argv, cli_take_fn take, void *arg,
                int *ret_operand);

/* A `take` for the one option that a verb has, which takes no value: sets the bool at `arg`. */
int cli_take_flag(void *arg, const char *name, const char *value);

/* For each option that takes a file: where that is "-" no other option may read standard input, nor
 * the same one again. 0, or EXIT_USAGE after reporting. */
int cli_claim_input(struct cli *cli, const char *name, const char *path);

/* For a verb without options of its own: where its operands begin, or -1 after reporting. */
int cli_operands(struct cli *cli, int argc, char **argv);

/* Prints "batchctl: TEXT" and, when there is one, "hint: TEXT"; returns `code`. */
int cli_fail(int code, const char *hint, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for an error value, or for the last error reply if it was one. */
int cli_fail_error(const struct cli *cli, const struct error *err);

/* Connects if that was not done. 0, or the exit code after reporting. */
int cli_connect(struct cli *cli);
/* One call, connecting first. NULL after reporting, with *ret_code. Takes `parameters`. */
json_t *cli_call(struct cli *cli, const char *method, json_t *parameters, int *ret_code);
/* As cli_call, and when the daemon goes away meanwhile it is looked for again, for as long as
 * --timeout says (15 s): for calls that may be repeated safely. */
json_t *cli_call_again(struct cli *cli, const char *method, json_t *parameters, int *ret_code);

/* For calls of one's own that may be repeated. Zero-initialise. */
struct cli_patience {
    int64_t until;      /* monotonic; 0: the daemon was there so far */
    int64_t reached_at; /* the last time that it was */
    int64_t pause_us;   /* before the next try */
};
/* Connects if there is no connection. 0, or -1 with err. */
int cli_reach(struct cli *cli, struct cli_patience *patience, struct error *err);
/* Whether to try again after `err`, with a new connection (cli->client is NULL then); pauses
 * before. */
bool cli_try_again(struct cli *cli, struct cli_patience *patience, const struct error *err);

void cli_print_json(const json_t *value);
/* What --json says of one of the jobs that cli_each_id goes through: one document in all. */
void cli_give_json(struct cli *cli, const json_t *value);
/* Bytes of the wire (a string or {"b64"}) to a stream, as they are. */
void cli_write_bytes(FILE *file, const json_t *value);

/* Ids as people write them (42, 40-45, @last, @failed, name:GLOB, tag:K=V) to a list of integers
 * (owned); where the verb takes tasks 42_7 becomes {id, index} and 42_[1-3] {id, indices}, or one
 * {id, index} for each. NULL after reporting, with *ret_code. */
json_t *cli_ids(struct cli *cli, char **words, int count, int *ret_code);
/* Puts them into the parameters of List: one that stands for many as what it stands for
 * (*ret_pattern), so that it may be a million. 0, or the exit code after reporting. */
int cli_query(struct cli *cli, json_t *parameters, char **words, int count, bool *ret_pattern);
/* Calls `one` with each of these ids; the first exit code that is not 0. A word that matches
 * nothing is reported and the others are gone on with. With --json and more than one plain id what
 * `one` gives (cli_give_json) is printed as one array. */
typedef int (*cli_id_fn)(struct cli *cli, json_t *id, void *arg);
int cli_each_id(struct cli *cli, char **words, int count, cli_id_fn one, void *arg);
/* The same, but what stands for many (a range, name:GLOB, ...) names only jobs that are `like`. */
int cli_each_id_like(struct cli *cli, enum cli_like like, char **words, int count, cli_id_fn one,
                     void *arg);
/* Puts one of these into a request, as "id", "index" and "indices". */
void cli_put_id(json_t *request, const json_t *id);
/* One of these, or a job or task as the daemon says it, as it is written: 42, 42_7, 42_[1-3]. The
 * caller frees. */
char *cli_id_text(const json_t *id);

extern const struct verb *const cli_verbs[];              /* ends with NULL (verbs.c) */
extern const struct cli_option cli_global_options[];      /* ends with a NULL name */
void cli_print_help(FILE *file, const struct verb *verb); /* NULL: of batchctl itself */
/* The global option, unless the verb (may be NULL) has one of the same name with its own meaning.
 */
bool cli_has_global(const struct verb *verb, const struct cli_option *option);

#endif
