/* The word somebody may have meant. */
#ifndef BATCHD_COMMON_SUGGEST_H
#define BATCHD_COMMON_SUGGEST_H

/* The nearest of a NULL-terminated list at an edit distance of at most 2 (Levenshtein), else NULL.
 */
const char *suggest_word(const char *word, const char *const *words);

#endif
