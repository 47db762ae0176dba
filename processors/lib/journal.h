/* What is done of a job that is made in units (chunks of a video, pictures of a batch), so that the
 * next attempt goes on behind it. One folder:
 *
 *   plan.json   {"key": ..., "plan": ...}, written once (a temporary name, fsync, rename). The key
 * is all that decides what the units are made of: sources, settings, versions of libraries. With
 * another key nothing of before counts. The plan is what was decided once (where to cut) and holds
 * for as long as the key does. done.log    a line for each unit: CRC-32C of the rest in hex, a
 * blank, {"unit": 7, ...} with the facts of whoever made it; appended and synced after what it
 * tells of is on disk. Lines that are torn or damaged are dropped.
 *   ...         files of the units, their maker's
 *
 * It lies in the job's folder of work (work_folder.h). After each unit batchd is asked to keep
 * done.log as a checkpoint (report.h): the units are not copied, that line shows in `batchctl show`
 * how far it is.
 *
 * journal_add and journal_find may be called by several threads. */
#ifndef BATCHD_PROCESSORS_LIB_JOURNAL_H
#define BATCHD_PROCESSORS_LIB_JOURNAL_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>

struct journal;
struct request;

/* Opens the journal of the job whose output goes to `target`, or makes it; borrows key. *ret is
 * released by journal_close. ERROR_BUSY: another run has it open. ERROR_IO, ERROR_CONFLICT: it
 * cannot be made. */
int journal_open(const struct request *request, const char *target, const json_t *key,
                 struct journal **ret, struct error *err);
/* NULL is allowed. What is in the folder stays. */
void journal_close(struct journal *journal);
/* Removes all of it: what it was kept for is done. In the sandbox the folder stays,
 * empty: the publisher removes it (staging.h). */
void journal_remove(struct journal *journal);

/* The plan of before, borrowed; NULL when there is none with this key. */
const json_t *journal_plan(const struct journal *journal);
/* Without a plan: drops what may be there and writes this one; borrows it. */
int journal_begin(struct journal *journal, const json_t *plan, struct error *err);

/* The folder, absolute; borrowed. */
const char *journal_folder(const struct journal *journal);
/* FOLDER/UNIT.ENDING, which the caller frees. */
char *journal_path(const struct journal *journal, unsigned unit, const char *ending);

/* What was noted of a unit, owned by the caller; NULL: nothing, or it was dropped. */
json_t *journal_find(struct journal *journal, unsigned unit);
/* Notes that a unit is done; all that the facts tell of must be on disk. Borrows them. */
int journal_add(struct journal *journal, unsigned unit, const json_t *facts, struct error *err);
/* It is not what was noted: it is to be done anew. */
void journal_drop(struct journal *journal, unsigned unit);
/* How many units this run added. */
unsigned journal_added(struct journal *journal);

#endif
