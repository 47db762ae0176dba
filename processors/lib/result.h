/* The members that results of all processors have (processors/README.md). */
#ifndef BATCHD_PROCESSORS_LIB_RESULT_H
#define BATCHD_PROCESSORS_LIB_RESULT_H

#include <jansson.h>

struct source;

/* inputs, outputs and media, empty; frames_in and frames_out, null. Owned by the caller. */
json_t *result_begin(void);

void result_add_input(json_t *result, const struct source *source);
/* As source_open has its facts; borrowed. */
void result_add_output(json_t *result, json_t *facts);
/* A member of the member `of`, such as `media`; steals the value. */
void result_put_in(json_t *result, const char *of, const char *name, json_t *value);

#endif
