#include "daemon/core/array_links.h"

#include "common/alloc.h"

#include <stdlib.h>

/* ---- the list of those with news ---- */

static void append(struct array_links *set, struct linked_array *awaited)
{
    awaited->next = NULL;
    awaited->prev = set->last;
    *(set->last == NULL ? &set->first : &set->last->next) = awaited;
    set->last = awaited;
    awaited->listed = true;
}

static void take_out(struct array_links *set, struct linked_array *awaited)
{
    *(awaited->prev == NULL ? &set->first : &awaited->prev->next) = awaited->next;
    *(awaited->next == NULL ? &set->last : &awaited->next->prev) = awaited->prev;
    awaited->listed = false;
}

void array_links_news(struct array_links *set, struct linked_array *awaited)
{
    if (awaited->listed) {
        awaited->again = true;
        return;
    }
    awaited->visit = awaited->first;
    append(set, awaited);
}

struct linked_array *array_links_first(const struct array_links *set)
{
    return set->first;
}

struct array_link *array_links_next(struct array_links *set, struct linked_array *awaited)
{
    struct array_link *link = awaited->visit;
    if (link != NULL) {
        awaited->visit = link->next;
        return link;
    }
    take_out(set, awaited);
    if (awaited->again) {
        awaited->again = false;
        array_links_news(set, awaited);
    }
    return NULL;
}

/* ---- those that are new ---- */

static void append_fresh(struct array_links *set, struct array_link *link)
{
    link->next_fresh = NULL;
    link->prev_fresh = set->last_fresh;
    *(set->last_fresh == NULL ? &set->first_fresh : &set->last_fresh->next_fresh) = link;
    set->last_fresh = link;
    link->fresh = true;
}

static void take_out_fresh(struct array_links *set, struct array_link *link)
{
    struct array_link *before = link->prev_fresh;
    struct array_link *behind = link->next_fresh;
    *(before == NULL ? &set->first_fresh : &before->next_fresh) = behind;
    *(behind == NULL ? &set->last_fresh : &behind->prev_fresh) = before;
    link->fresh = false;
}

struct array_link *array_links_take_fresh(struct array_links *set)
{
    struct array_link *link = set->first_fresh;
    if (link != NULL)
        take_out_fresh(set, link);
    return link;
}

bool array_links_unfinished(const struct array_links *set)
{
    return set->first != NULL || set->first_fresh != NULL;
}

/* ---- links ---- */

struct array_link *array_links_find(const struct array_links *set, uint64_t child)
{
    return (struct array_link *)id_table_find(&set->links, child);
}

struct linked_array *array_links_awaited(const struct array_links *set, uint64_t parent)
{
    return (struct linked_array *)id_table_find(&set->awaited, parent);
}

struct array_link *array_links_add(struct array_links *set, uint64_t child, uint64_t parent,
                                   bool *ret_new)
{
    struct linked_array *awaited = array_links_awaited(set, parent);
    struct array_link *link = xcalloc(1, sizeof(*link));
    *ret_new = awaited == NULL;
    if (awaited == NULL) {
        awaited = xcalloc(1, sizeof(*awaited));
        awaited->entry.id = parent;
        id_table_put(&set->awaited, &awaited->entry);
    }
    link->entry.id = child;
    link->awaited = awaited;
    link->prev = awaited->last;
    *(awaited->last == NULL ? &awaited->first : &awaited->last->next) = link;
    awaited->last = link;
    id_table_put(&set->links, &link->entry);
    append_fresh(set, link);
    return link;
}

void array_links_remove(struct array_links *set, struct array_link *link)
{
    struct linked_array *awaited = link->awaited;
    *(link->prev == NULL ? &awaited->first : &link->prev->next) = link->next;
    *(link->next == NULL ? &awaited->last : &link->next->prev) = link->prev;
    if (awaited->visit == link)
        awaited->visit = link->next;
    if (link->fresh)
        take_out_fresh(set, link);
    id_table_remove(&set->links, &link->entry);
    task_ranges_done(&link->taken);
    free(link);
    if (awaited->first != NULL)
        return;
    if (awaited->listed)
        take_out(set, awaited);
    id_table_remove(&set->awaited, &awaited->entry);
    array_spec_done(&awaited->spec);
    task_ranges_done(&awaited->completed);
    task_ranges_done(&awaited->otherwise);
    free(awaited);
}

void array_links_done(struct array_links *set)
{
    struct id_entry *entry;
    while ((entry = id_table_any(&set->links)) != NULL)
        array_links_remove(set, (struct array_link *)entry);
    id_table_done(&set->links);
    id_table_done(&set->awaited);
}
