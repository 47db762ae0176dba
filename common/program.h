/* Executing a program as execvpe(3) does, but never through a shell, and with system calls alone:
 * also between fork and exec. */
#ifndef BATCHD_COMMON_PROGRAM_H
#define BATCHD_COMMON_PROGRAM_H

/* `program` unless it is empty, else argv[0], which is looked for in `path` (NULL: the usual
 * places) when it has no slash: the first hit wins. Returns only when nothing could be executed,
 * with errno: EACCES when there was one that may not be. */
void program_execute(const char *program, const char *path, char *const *argv, char *const *env);

#endif
