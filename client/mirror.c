#include "client/mirror.h"

#include "client/table.h"

#include "common/cleanup.h"

#include <string.h>

int mirror_job(const struct cli *cli, const json_t *job)
{
    const json_t *outcome = json_object_get(job, "outcome");
    const char *class = json_string_value(json_object_get(outcome, "class"));
    const json_t *code = json_object_get(outcome, "exit_code");
    const json_t *number = json_object_get(outcome, "signal");
    if (class == NULL || strcmp(class, "success") == 0)
        return EXIT_DONE;
    /* It ended well, and its outputs are not as declared. */
    bool outputs = strcmp(class, "exit") == 0 && json_integer_value(code) == 0;
    if (!cli->quiet && (strcmp(class, "exit") != 0 || outputs)) {
        CLEANUP_FREE char *text = table_outcome(job);
        CLEANUP_FREE char *id = cli_id_text(job);
        (void)fprintf(stderr, "batchctl: job %s: %s\n", id, text);
    }
    if (strcmp(class, "timeout") == 0)
        return EXIT_TIMED_OUT;
    if (strcmp(class, "cancelled") == 0)
        return EXIT_CANCELLED;
    if (strcmp(class, "oom") == 0)
        return EXIT_OUT_OF_MEMORY;
    if (json_is_integer(number))
        return 128 + (int)json_integer_value(number);
    if (!json_is_integer(code))
        code = json_object_get(outcome, "shell_status");
    return json_is_integer(code) && !outputs ? (int)json_integer_value(code) : EXIT_REFUSED;
}
