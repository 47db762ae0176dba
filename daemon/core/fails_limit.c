#include "daemon/core/fails_limit.h"

#include "common/parse.h"

#include <stdio.h>
#include <string.h>

int fails_limit_parse(const char *text, struct fails_limit *ret, struct error *err)
{
    char number[16] = "";
    size_t length = strlen(text);
    bool percent = length > 0 && text[length - 1] == '%';
    uint64_t most = 0;
    length -= percent;
    if (length < sizeof(number))
        memcpy(number, text, length);
    if (parse_u64(number, 0, percent ? 100 : UINT32_MAX, &most, NULL) < 0)
        return error_set_field(err, "max_fails",
                               "max_fails \"%.30s\" must be a number of tasks, or 0%% to 100%%",
                               text);
    *ret = (struct fails_limit){percent ? FAILS_PERCENT : FAILS_COUNT, (uint32_t)most};
    return 0;
}

bool fails_limit_passed(const struct fails_limit *limit, uint64_t failed, uint64_t total)
{
    switch (limit->kind) {
    case FAILS_COUNT:
        return failed > limit->most;
    case FAILS_PERCENT: /* both are below 2^33 */
        return failed * 100 > limit->most * total;
    case FAILS_ANY:
        break;
    }
    return false;
}

void fails_limit_format(const struct fails_limit *limit, char *ret, size_t bytes)
{
    ret[0] = '\0';
    if (limit->kind != FAILS_ANY)
        (void)snprintf(ret, bytes, "%u%s", limit->most, limit->kind == FAILS_PERCENT ? "%" : "");
}
