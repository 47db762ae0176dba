#include "common/cpu_list.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS (CPU_LIST_MAX / 64)

uint32_t cpu_list_count(const struct cpu_list *list)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < WORDS; i++)
        count += (uint32_t)__builtin_popcountll(list->bits[i]);
    return count;
}

bool cpu_list_is_empty(const struct cpu_list *list)
{
    return cpu_list_count(list) == 0;
}

bool cpu_list_equal(const struct cpu_list *a, const struct cpu_list *b)
{
    return memcmp(a->bits, b->bits, sizeof(a->bits)) == 0;
}

void cpu_list_join(struct cpu_list *list, const struct cpu_list *other)
{
    for (unsigned i = 0; i < WORDS; i++)
        list->bits[i] |= other->bits[i];
}

void cpu_list_keep(struct cpu_list *list, const struct cpu_list *other)
{
    for (unsigned i = 0; i < WORDS; i++)
        list->bits[i] &= other->bits[i];
}

void cpu_list_leave(struct cpu_list *list, const struct cpu_list *other)
{
    for (unsigned i = 0; i < WORDS; i++)
        list->bits[i] &= ~other->bits[i];
}

/* ---- text ---- */

/* A number at *text, which moves on. */
static bool take_number(const char **text, unsigned long *ret)
{
    char *end;
    if (!isdigit((unsigned char)**text))
        return false;
    errno = 0;
    *ret = strtoul(*text, &end, 10);
    *text = end;
    return errno == 0;
}

/* "3" or "0-1". */
static bool take_range(const char **text, struct cpu_list *list)
{
    unsigned long first, last;
    if (!take_number(text, &first))
        return false;
    last = first;
    if (**text == '-') {
        (*text)++;
        if (!take_number(text, &last) || last < first)
            return false;
    }
    for (unsigned long i = first; i <= last && i < CPU_LIST_MAX; i++)
        cpu_list_add(list, (unsigned)i);
    return true;
}

int cpu_list_parse(const char *text, struct cpu_list *ret, struct error *err)
{
    struct cpu_list list = {.bits = {0}};
    const char *at = text;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    const char *end = text + length;
    bool sound = true;
    while (sound && at < end) {
        sound =
            take_range(&at, &list) && (at == end || *at++ == ',') && (at != end || at[-1] != ',');
    }
    if (!sound)
        return error_set(err, ERROR_INVALID, "\"%.40s\" must be a list of processors such as 0-1,3",
                         text);
    *ret = list;
    return 0;
}

void cpu_list_format(const struct cpu_list *list, char ret[CPU_LIST_TEXT_BYTES])
{
    size_t used = 0;
    ret[0] = '\0';
    for (unsigned i = cpu_list_is_empty(list) ? CPU_LIST_MAX : 0; i < CPU_LIST_MAX; i++) {
        unsigned last = i;
        if (!cpu_list_has(list, i))
            continue;
        while (last + 1 < CPU_LIST_MAX && cpu_list_has(list, last + 1))
            last++;
        const char *comma = used == 0 ? "" : ",";
        int put = last == i
                      ? snprintf(ret + used, CPU_LIST_TEXT_BYTES - used, "%s%u", comma, i)
                      : snprintf(ret + used, CPU_LIST_TEXT_BYTES - used, "%s%u-%u", comma, i, last);
        used += put > 0 ? (size_t)put : 0;
        i = last;
    }
}
