/* Parameters of type paths whose text is a pattern of the shell: which files they mean. It is found
 * out once, before the sandbox is entered: the sandbox lets nobody list a folder of the user's, and
 * all who ask mean the same files. */
#ifndef BATCHD_PROCESSORS_LIB_PATTERN_H
#define BATCHD_PROCESSORS_LIB_PATTERN_H

#include <glob.h>

struct request;

struct pattern {
    const char *text; /* as the parameter has it; borrowed */
    int failed;       /* of glob(3): 0, GLOB_NOMATCH and so on; a folder that is closed is an end */
    glob_t found;
};

/* Sets `patterns` of the request, until pattern_done. A text with * ? or [ is one, unless a file
 * has that name. */
void pattern_read(struct request *request);
void pattern_done(struct request *request);

/* Borrowed; NULL: it is the name of a file. */
const struct pattern *pattern_find(const struct request *request, const char *text);

#endif
