/* What is told of checkpoints: by the process that made one (batchctl), and by the worker of an
 * attempt that goes on from one. The checkpoints themselves are files of the job's user, which
 * nobody here can read (job_folders.c). */
#include "daemon/engine/checkpoints.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"

void engine_note_attempt(struct engine *engine, const struct attempt_id *id,
                         const struct job_notes *notes)
{
    struct error err;
    bool empty = notes->resumed_number == 0 && notes->text[0] == '\0';
    if (!empty && note_rows_put(engine->db, id, notes, &err) < 0)
        engine_break(engine, &err);
}

int engine_checkpointed(struct engine *engine, const struct attempt_id *id,
                        struct checkpoint_fact *fact, struct error *err)
{
    struct checkpoint_fact before;
    if (active_find_attempt(engine->active, id) == NULL)
        return error_set(err, ERROR_CONFLICT, "attempt %u of job %llu does not run", id->attempt,
                         (unsigned long long)id->job);
    if (checkpoint_rows_load(engine->db, id, &before, err) < 0)
        return -1;
    fact->attempt = id->attempt;
    fact->count = before.count + 1;
    if (checkpoint_rows_put(engine->db, id, fact, err) == 0)
        return 0;
    engine_break(engine, err);
    return -1;
}
