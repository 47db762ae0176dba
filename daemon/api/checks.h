/* What io.batchd.Server.Doctor looks at: groups of checks, one file for each group with a table of
 * them. A further check is a row there; a further group is a file and a row in cmd_doctor.c. Each
 * looks for itself at the machine or the daemon, takes far below a millisecond, and changes
 * nothing. */
#ifndef BATCHD_DAEMON_API_CHECKS_H
#define BATCHD_DAEMON_API_CHECKS_H

struct api;

enum check_state {
    CHECK_OK,
    CHECK_UNKNOWN, /* cannot be told now, or by this daemon */
    CHECK_WARNING, /* works, and a promise is weaker */
    CHECK_FAILED,  /* does not work */
    CHECK_STATE_COUNT
};

#define FINDING_TEXT_BYTES 320

/* Zeroed it is CHECK_OK. */
struct finding {
    enum check_state state;
    char found[FINDING_TEXT_BYTES];
    char consequence[FINDING_TEXT_BYTES]; /* "": nothing follows */
    char fix[FINDING_TEXT_BYTES];         /* "": nothing is to be done */
};

struct check {
    const char *name;
    void (*run)(const struct api *api, struct finding *ret);
};

struct check_group {
    const char *name;
    const struct check *checks; /* ends with a NULL name */
};

extern const struct check_group checks_processors, checks_sandbox, checks_workers, checks_store;
extern const struct check_group checks_start, checks_gpus, checks_machine;

void finding_set(struct finding *finding, enum check_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What follows, and what to do about it. */
void finding_advise(struct finding *finding, const char *consequence, const char *fix, ...)
    __attribute__((format(printf, 3, 4)));

#endif
