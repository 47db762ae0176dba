#include "common/suggest.h"

#include <string.h>

#define WORD_MAX 64U
#define DISTANCE_MAX 2U

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned low = a < b ? a : b;
    return low < c ? low : c;
}

static unsigned distance(const char *a, const char *b)
{
    unsigned row[WORD_MAX + 1];
    size_t width = strlen(b);
    if (strlen(a) > WORD_MAX || width > WORD_MAX)
        return DISTANCE_MAX + 1;
    for (unsigned i = 0; i <= width; i++)
        row[i] = i;
    for (unsigned i = 0; a[i] != '\0'; i++) {
        unsigned diagonal = row[0];
        row[0] = i + 1;
        for (unsigned j = 0; j < width; j++) {
            unsigned above = row[j + 1];
            row[j + 1] = least(row[j] + 1, above + 1, diagonal + (a[i] != b[j]));
            diagonal = above;
        }
    }
    return row[width];
}

const char *suggest_word(const char *word, const char *const *words)
{
    const char *best = NULL;
    unsigned best_distance = DISTANCE_MAX + 1;
    for (; *words != NULL; words++) {
        unsigned here = distance(word, *words);
        if (here < best_distance) {
            best_distance = here;
            best = *words;
        }
    }
    return best;
}
