#include "daemon/api/metrics.h"

#include "common/alloc.h"

#include <string.h>

char *metrics_text(const struct api *api, const struct metrics_reader *reader, size_t *ret_bytes)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_bytes);
    if (out == NULL)
        out_of_memory();
    metrics_queues(out, api);
    if (reader->of_users && reader->users > 0)
        metrics_users(out, api, reader->users);
    if (reader->of_users)
        metrics_schedules(out, api);
    metrics_missed(out, api);
    metrics_machine(out, api);
    metrics_gpus(out, api);
    metrics_daemon(out, api);
    if (fclose(out) != 0)
        out_of_memory();
    return text;
}
