/* `--serve`: one process for many small jobs, so that the libraries are loaded once. One job a line
 * on stdin; each runs in a process of its own that is forked from this one, with a sandbox of its
 * own (served_job.h), so that no job meets what another left and a crash ends one job. As many run
 * at once as there are cpus for them. The lines of all go to descriptor 3, or to stdout where that
 * is not open.
 *
 * Ends at the end of stdin, or by SIGTERM, SIGINT or SIGHUP, which first end the running jobs. */
#ifndef BATCHD_PROCESSORS_LIB_SERVE_H
#define BATCHD_PROCESSORS_LIB_SERVE_H

struct served_calls;

/* It has done its share of jobs, or grown, and wants to be started anew; not one of sysexits. */
#define SERVE_EXIT_RECYCLE 80

/* The exit code: 0 at the end of stdin, SERVE_EXIT_RECYCLE, 64 a line that is too long (it was
 * answered), 70, 74 the answers cannot be written or the jobs cannot be read, 75 ended by a
 * signal. */
int serve(const struct served_calls *calls);

#endif
