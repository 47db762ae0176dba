#include "daemon/engine/unread_logs.h"

#include "common/alloc.h"

#include <stdlib.h>

void unread_logs_add(struct unread_log **list, uint64_t worker, bool dead)
{
    struct unread_log *entry = *list;
    while (entry != NULL && entry->worker != worker)
        entry = entry->next;
    if (entry != NULL) {
        entry->dead = entry->dead || dead;
        return;
    }
    entry = xcalloc(1, sizeof(*entry));
    *entry = (struct unread_log){.next = *list, .worker = worker, .dead = dead};
    *list = entry;
}

void unread_logs_free(struct unread_log **list)
{
    while (*list != NULL) {
        struct unread_log *entry = *list;
        *list = entry->next;
        free(entry);
    }
}
