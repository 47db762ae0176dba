/* What the shells' completions are made of: the verbs' tables, and for an option the words or the
 * kind of its value. One writer for each shell. */
#ifndef BATCHD_CLIENT_COMPLETION_H
#define BATCHD_CLIENT_COMPLETION_H

#include "client/cli.h"

enum completion_kind {
    COMPLETE_NOTHING,
    COMPLETE_WORDS, /* of completion_words() */
    COMPLETE_LIST,  /* the same, several with commas between them */
    COMPLETE_FILE,
    COMPLETE_FOLDER,
    COMPLETE_USER,
    COMPLETE_IDS,
    COMPLETE_NAMES, /* those that the verb *ret_words lists: queues, schedules, processors */
};

/* What the option's value is; `words` are separated by blanks, NULL for the other kinds. */
enum completion_kind completion_of(const struct cli_option *option, const char **ret_words);
/* What the verb's operands are: true for ids of jobs; *ret_words as above or NULL, for the first of
 * them. Behind one of these words there may be a name that the verb lists (completion_has_names).
 */
bool completion_of_operands(const struct verb *verb, const char **ret_words);
bool completion_has_names(const struct verb *verb);

/* The verb's own options (pass 0), and those that it takes of another verb (pass 1); never NULL. */
#define COMPLETION_PASSES 2
const struct cli_option *completion_options(const struct verb *verb, int pass);

void completion_write_bash(FILE *file);
void completion_write_zsh(FILE *file);
void completion_write_fish(FILE *file);

#endif
