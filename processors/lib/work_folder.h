/* The folder in which a job's journal (journal.h) and its pictures for people (preview.h) lie:
 * $BATCHD_CHECKPOINT_DIR/work, so that it goes with the job; for a run by hand, which has no such
 * folder, beside the output, or in it, if it is a folder beside which nothing may be made. */
#ifndef BATCHD_PROCESSORS_LIB_WORK_FOLDER_H
#define BATCHD_PROCESSORS_LIB_WORK_FOLDER_H

struct request;

/* Its absolute path for a job whose output goes to `target`, absolute, too; the caller frees. */
char *work_folder_path(const struct request *request, const char *target);

/* Makes it, where batchd names it with those that it is in. 0, also when it is there; else an
 * errno. */
int work_folder_make(const char *path);

#endif
