/* What a step tells the worker: lines on descriptor 4, which no program that it starts inherits.
 *
 *   resumed N A     the attempt goes on from checkpoint N, which attempt A made
 *   note TEXT       something that show tells of the attempt
 *   spawn ERRNO     the job could not be executed
 *   failed TEXT     the attempt failed though its command ended well
 *   usage U S M     the job used so much in its server: user and system time (us), memory (bytes)
 */
#ifndef BATCHD_STEP_NOTES_H
#define BATCHD_STEP_NOTES_H

#define NOTES_FD 4

void notes_init(void);
/* One line; control characters in it are blanked. */
void notes_add(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
