/* The parameters of a processor's job: --param and --params-file, in the types that its manifest
 * (io.batchd.Processors.Show) says, to the member `params` of a request. */
#ifndef BATCHD_CLIENT_PARAMS_H
#define BATCHD_CLIENT_PARAMS_H

#include "client/cli.h"

struct params {
    json_t *texts;  /* owned: what --param gave, each a text, or an array of them */
    json_t *filed;  /* owned: what the files gave, of one that several give the last */
    json_t *paths;  /* owned: of each of these the path of its file (json_from_bytes) */
    bool has_files; /* one may give nothing */
};

struct params params_begin(void);
void params_done(struct params *params);

bool params_option(const char *name);
/* 0, or the exit code after reporting. */
int params_take(struct params *params, struct cli *cli, const char *name, const char *value);
/* The option that gave some; NULL: there are none. */
const char *params_given_by(const struct params *params);

/* Puts them into `request`, which has the type: what --param says goes before what a file does,
 * wherever it stands. 0, or the exit code after reporting. */
int params_add(const struct params *params, struct cli *cli, json_t *request);

#endif
