#include "client/limit_options.h"

#include "common/job_limits.h"
#include "common/parse.h"

#include <string.h>

bool limit_options_have(const char *name)
{
    return strcmp(name, "nice") == 0 || strcmp(name, "io-priority") == 0 ||
           strcmp(name, "pids") == 0 || strcmp(name, "cpu-bind") == 0;
}

static int take_binding(json_t *request, const char *value)
{
    if (strcmp(value, "none") != 0 && strcmp(value, "cores") != 0)
        return cli_fail(EXIT_USAGE, NULL, "--cpu-bind: \"%s\" must be none or cores", value);
    json_put_text(request, "cpu_bind", value);
    return 0;
}

/* Checked here, so that what is wrong is said in the option's words. */
int limit_options_take(json_t *request, const char *name, const char *value)
{
    if (strcmp(name, "cpu-bind") == 0)
        return take_binding(request, value);
    struct error err;
    uint64_t number = 0;
    uint8_t priority;
    const bool disks = strcmp(name, "io-priority") == 0;
    const bool nice = strcmp(name, "nice") == 0;
    int result =
        disks ? job_io_priority_parse(value, &priority, &err)
              : parse_u64(value, nice ? 0 : 1, nice ? JOB_NICE_MAX : JOB_PIDS_MAX, &number, &err);
    if (result < 0)
        return cli_fail(EXIT_USAGE, NULL, "--%s: %s", name, err.text);
    if (disks)
        json_put_text(request, "io_priority", value);
    else
        json_put_int(request, name, (int64_t)number);
    return 0;
}
