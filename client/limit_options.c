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

/* Of `none` nothing is asked for; of a schedule that takes away what was. */
static int take_number(json_t *request, const char *name, const char *value)
{
    const bool nice = strcmp(name, "nice") == 0;
    const unsigned least = nice ? 0 : 1;
    const unsigned most = nice ? JOB_NICE_MAX : JOB_PIDS_MAX;
    uint64_t number = 0;
    if (strcmp(value, "none") == 0)
        json_put(request, name, json_null());
    else if (parse_u64(value, least, most, &number, NULL) == 0)
        json_put_int(request, name, (int64_t)number);
    else
        return cli_fail(EXIT_USAGE, NULL,
                        "--%s: \"%s\" must be none, or a whole number from %u to %u", name, value,
                        least, most);
    return 0;
}

/* Checked here, so that what is wrong is said in the option's words. */
int limit_options_take(json_t *request, const char *name, const char *value)
{
    struct error err;
    uint8_t priority;
    if (strcmp(name, "cpu-bind") == 0)
        return take_binding(request, value);
    if (strcmp(name, "io-priority") != 0)
        return take_number(request, name, value);
    if (job_io_priority_parse(value, &priority, &err) < 0)
        return cli_fail(EXIT_USAGE, NULL, "--%s: %s", name, err.text);
    json_put_text(request, "io_priority", value);
    return 0;
}
