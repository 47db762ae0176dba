/* A set of processors by their numbers, and its text as the kernel writes it: "0-1,3" (cpuset(7),
 * "List format"). */
#ifndef BATCHD_COMMON_CPU_LIST_H
#define BATCHD_COMMON_CPU_LIST_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Those of glibc's cpu_set_t; what has a greater number is nobody's. */
#define CPU_LIST_MAX 1024U
/* The longest text is that of pairs with one left out between them: 342 of at most 10 bytes. */
#define CPU_LIST_TEXT_BYTES 3456U

struct cpu_list {
    uint64_t bits[CPU_LIST_MAX / 64];
};

static inline bool cpu_list_has(const struct cpu_list *list, unsigned number)
{
    return (list->bits[number / 64] >> number % 64 & 1U) != 0;
}

static inline void cpu_list_add(struct cpu_list *list, unsigned number)
{
    list->bits[number / 64] |= UINT64_C(1) << number % 64;
}

uint32_t cpu_list_count(const struct cpu_list *list);
bool cpu_list_is_empty(const struct cpu_list *list);
bool cpu_list_equal(const struct cpu_list *a, const struct cpu_list *b);
/* The union, and what of `list` is, or is not, in `other`. */
void cpu_list_join(struct cpu_list *list, const struct cpu_list *other);
void cpu_list_keep(struct cpu_list *list, const struct cpu_list *other);
void cpu_list_leave(struct cpu_list *list, const struct cpu_list *other);

/* 0, or -1 with ERROR_INVALID; white space at the end is let pass. Numbers of CPU_LIST_MAX and
 * above are left out. An empty text is the empty set. */
int cpu_list_parse(const char *text, struct cpu_list *ret, struct error *err);
/* "" for the empty set. */
void cpu_list_format(const struct cpu_list *list, char ret[CPU_LIST_TEXT_BYTES]);

#endif
