/* Who is in the way of a singleton: the newest unfinished job before it of the same user and name.
 * An edit may change a name; so that no restart tells otherwise, each singleton whose way that
 * changes is looked at then: the job itself, and the first one behind it of the old name and of the
 * new one, since every later one has another job before it. */
#include "common/alloc.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/store/job_rows.h"

#include <string.h>

int engine_find_namesake(struct engine *engine, uint64_t child, uint64_t *ret, struct error *err)
{
    struct job_row row;
    if (job_rows_load(engine->db, child, &row, err) < 0)
        return -1;
    int result = job_rows_find_namesake(engine->db, row.facts.uid, row.facts.name, child, ret, err);
    job_row_done(&row);
    return result;
}

int engine_refuse_cycle(const struct dependency_path *path, const char *field, struct error *err)
{
    (void)error_set_field(err, field, "job %llu would wait for itself, by job %llu",
                          (unsigned long long)path->ids[0], (unsigned long long)path->ids[1]);
    err->code = ERROR_CONFLICT;
    return -1;
}

static bool waits_as_singleton(const struct engine *engine, uint64_t id)
{
    const struct dependency_edge *edge = dependency_graph_first_of(engine->waits, id);
    while (edge != NULL && edge->what.type != DEPENDENCY_SINGLETON)
        edge = edge->next_of_child;
    return edge != NULL;
}

/* Whether this singleton would wait for itself behind that job. */
static int check_behind(struct engine *engine, uint64_t child, uint64_t parent,
                        struct dependency_path *ret_path, struct error *err)
{
    if (child == 0 || parent == 0 || !waits_as_singleton(engine, child))
        return 0;
    ret_path->count = dependency_graph_cycle(engine->waits, child, &parent, 1, &ret_path->ids);
    return ret_path->count == 0 ? 0 : engine_refuse_cycle(ret_path, "name", err);
}

/* The same behind this job that is to wait for other ones, which the graph does not know yet. */
static int check_behind_changed(struct engine *engine, uint64_t child,
                                const struct job_facts *facts, struct dependency_path *ret_path,
                                struct error *err)
{
    if (child == 0 || !waits_as_singleton(engine, child))
        return 0;
    if (engine_would_wait(engine, facts, child, ret_path, err) < 0)
        return -1;
    if (ret_path->count == 0)
        return 0;
    ret_path->ids = xreallocarray(ret_path->ids, ret_path->count + 1, sizeof(*ret_path->ids));
    memmove(&ret_path->ids[2], &ret_path->ids[1], (ret_path->count - 1) * sizeof(*ret_path->ids));
    ret_path->ids[1] = facts->id;
    ret_path->count++;
    return engine_refuse_cycle(ret_path, "name", err);
}

int engine_check_name(struct engine *engine, const struct job_facts *facts, unsigned parts,
                      struct dependency_path *ret_path, struct error *err)
{
    uint64_t before, after;
    if (job_rows_find_successor(engine->db, facts->uid, facts->name, facts->id, &after, err) < 0)
        return -1;
    if ((parts & JOB_EDIT_DEPENDS) != 0)
        return check_behind_changed(engine, after, facts, ret_path, err);
    if (job_rows_find_namesake(engine->db, facts->uid, facts->name, facts->id, &before, err) < 0 ||
        check_behind(engine, facts->id, before, ret_path, err) < 0)
        return -1;
    return check_behind(engine, after, facts->id, ret_path, err);
}

int engine_renamed(struct engine *engine, const struct job_facts *facts, const char *before,
                   struct error *err)
{
    uint64_t of_old, of_new;
    if (job_rows_find_successor(engine->db, facts->uid, before, facts->id, &of_old, err) < 0 ||
        job_rows_find_successor(engine->db, facts->uid, facts->name, facts->id, &of_new, err) < 0)
        return -1;
    engine_seek_namesakes(engine, facts->id);
    engine_seek_namesakes(engine, of_old);
    engine_seek_namesakes(engine, of_new);
    return 0;
}
