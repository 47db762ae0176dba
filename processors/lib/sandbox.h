/* Before a processor opens a file of a stranger it gives up what the job does not need, so that a
 * hostile file that takes over a decoder gets nothing:
 * - files (landlock): it reads its inputs, of a pattern those that match, and the system's
 *   libraries, and writes in its staging folder (staging.h) and its journal's (journal.h). Which
 *   parameters are paths, and which are written, is said by the manifest ("type": "path" or
 *   "paths", "access": "write").
 *   The GPU's devices are open to jobs that use it.
 * - system calls (seccomp; syscalls.h): no network, no programs, no signals to others, no ptrace.
 * - limits: memory (the job's share, else the machine's), the size of files, open files, no core
 *   file; of what it writes in all, and of the number of files, by the publisher (stage_watch.h).
 * What the kernel does not have is left out and said (a log line, once); the job goes on. A
 * build with AddressSanitizer keeps what its leak checker needs, and has no limit of memory. */
#ifndef BATCHD_PROCESSORS_LIB_SANDBOX_H
#define BATCHD_PROCESSORS_LIB_SANDBOX_H

#include <jansson.h>
#include <stdbool.h>

struct syscalls;
struct request;

/* What does not depend on the job, made once where many processes are forked. */
struct sandbox {
    struct syscalls *calls; /* owned */
};

void sandbox_prepare(struct sandbox *ret);
void sandbox_done(struct sandbox *sandbox);

/* Call with no thread but this one, behind staging_prepare; `gpu`: the job uses it. Owned by the
 * caller, what holds now, the limits as the kernel has them:
 * {"landlock": VERSION or null, "seccomp": BOOL, "network": BOOL, "gpu": BOOL, "memory_bytes": N or
 * null, "file_bytes": N or null, "watched": BOOL (how much it writes) or null (it writes nothing)}
 */
json_t *sandbox_enter(const struct sandbox *prepared, const struct request *request, bool gpu);

#endif
