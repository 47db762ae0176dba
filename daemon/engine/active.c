#include "daemon/engine/active.h"

#include "common/alloc.h"

#include <stdlib.h>

struct active *active_add(struct active **list, const struct job_status *status)
{
    struct active *entry = xcalloc(1, sizeof(*entry));
    entry->status = *status;
    entry->next = *list;
    *list = entry;
    return entry;
}

struct active *active_find(struct active *list, uint64_t job)
{
    while (list != NULL && list->status.id != job)
        list = list->next;
    return list;
}

struct active *active_find_attempt(struct active *list, const struct attempt_id *id)
{
    while (list != NULL) {
        const struct attempt_id mine = active_id(list);
        if (attempt_equal(&mine, id))
            break;
        list = list->next;
    }
    return list;
}

static void destroy(struct active *entry)
{
    job_status_done(&entry->status);
    free(entry->type);
    free(entry->progress);
    free(entry->preview);
    free(entry);
}

void active_remove(struct active **list, struct active *entry)
{
    while (*list != entry)
        list = &(*list)->next;
    *list = entry->next;
    destroy(entry);
}

void active_free_all(struct active **list)
{
    while (*list != NULL)
        active_remove(list, *list);
}

struct attempt_id active_id(const struct active *entry)
{
    return (struct attempt_id){.job = entry->status.id,
                               .index = entry->status.index,
                               .attempt = entry->status.attempt,
                               .is_task = entry->status.is_task};
}
