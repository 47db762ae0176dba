#include "common/own_checkpoint.h"

#include "common/client.h"
#include "common/json.h"
#include "common/parse.h"

#include <stdlib.h>

#define TELL_MS 1000

static const char *variable(const char *name)
{
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

static uint64_t number_of(const char *name)
{
    const char *text = variable(name);
    uint64_t number = 0;
    return text != NULL && parse_u64(text, 0, INT64_MAX, &number, NULL) == 0 ? number : 0;
}

const char *own_checkpoint_folder(struct error *err)
{
    const char *folder = variable("BATCHD_CHECKPOINT_DIR");
    if (folder != NULL && folder[0] == '/')
        return folder;
    (void)error_set(err, ERROR_NOT_FOUND,
                    "there is no BATCHD_CHECKPOINT_DIR: this is for use inside a job");
    return NULL;
}

static void tell(const char *socket, const struct checkpoint *made)
{
    struct error ignored;
    struct batchd_client *client = batchd_connect(socket, TELL_MS, &ignored);
    if (client == NULL)
        return;
    json_t *request = json_object();
    json_put_int(request, "id", (int64_t)number_of("BATCHD_JOB_ID"));
    if (variable("BATCHD_ARRAY_INDEX") != NULL)
        json_put_int(request, "index", (int64_t)number_of("BATCHD_ARRAY_INDEX"));
    json_put_int(request, "attempt", made->attempt);
    json_put_int(request, "number", (int64_t)made->number);
    json_put_int(request, "bytes", (int64_t)made->bytes);
    json_put_int(request, "made_at", made->made_at);
    json_decref(batchd_call(client, "io.batchd.Jobs.Checkpointed", request, &ignored));
    batchd_close(client);
}

int own_checkpoint_commit(const char *socket, const char *source, enum checkpoint_source kind,
                          struct checkpoint *ret, struct error *err)
{
    const char *folder = own_checkpoint_folder(err);
    if (folder == NULL || checkpoint_commit(folder, source, kind,
                                            (uint32_t)number_of("BATCHD_ATTEMPT"), ret, err) < 0)
        return -1;
    tell(socket, ret);
    return 0;
}
