/* Text that others wrote (a job's name, an error of its program, a manifest), made fit for a
 * terminal, which it must not command. */
#ifndef BATCHD_CLIENT_TEXT_H
#define BATCHD_CLIENT_TEXT_H

/* Each control character (C0, DEL, and C1 in UTF-8) becomes '?', in place. `text` may be NULL.
 * Returns it. */
char *text_tame(char *text);

/* The word as a shell would take it: quoted when it has to be. The caller frees. */
char *text_quoted(const char *word);

#endif
