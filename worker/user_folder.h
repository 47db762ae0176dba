/* In system mode each user has a folder for the checkpoints of all jobs, STATE/checkpoints/UID:
 * below it the user's own processes do what they want (common/checkpoint.h), above it nobody but
 * root does. STATE and STATE/checkpoints can be passed through by all and listed by nobody. */
#ifndef BATCHD_WORKER_USER_FOLDER_H
#define BATCHD_WORKER_USER_FOLDER_H

#include <sys/types.h>

/* Opens STATE/checkpoints, which is made if absent, below the current folder. -1 with errno. */
int user_folders_open(void);
/* Makes the user's folder unless it is there. 0, or -1 with errno. */
int user_folder_make(int folders_fd, uid_t uid, gid_t gid);

/* Calls `each` with every user's folder, open, and its owner; while it returns 0. */
typedef int (*user_folder_fn)(void *arg, int fd, uid_t uid);
int user_folders_each(int folders_fd, user_folder_fn each, void *arg);

#endif
