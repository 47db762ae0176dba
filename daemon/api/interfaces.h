/* The interface descriptions, built in from common/varlink by mk/varlink.sh. */
#ifndef BATCHD_DAEMON_API_INTERFACES_H
#define BATCHD_DAEMON_API_INTERFACES_H

struct interface_text {
    const char *name; /* "io.batchd.Jobs" */
    const char *text;
};

extern const struct interface_text interfaces[]; /* ends with a NULL name */

#endif
