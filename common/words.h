/* Tables of words: what an enum's values are called, and sets of names. */
#ifndef BATCHD_COMMON_WORDS_H
#define BATCHD_COMMON_WORDS_H

#include <stddef.h>

/* The position of `word` among the first `count` of them; -1: it is none of them. */
int words_find(const char *const *words, size_t count, const char *word);

#endif
