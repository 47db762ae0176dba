#include "daemon/api/wording.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"

#include <inttypes.h>

char *wording_count(uint64_t count, const char *more, const char *noun)
{
    return xasprintf("%" PRIu64 "%s%s %s%s", count, more == NULL ? "" : " ",
                     more == NULL ? "" : more, noun, count == 1 ? "" : "s");
}

char *wording_number(enum resource_kind kind, uint64_t amount)
{
    char text[32];
    if (kind != RESOURCE_MEMORY && kind != RESOURCE_DISK)
        return xasprintf("%" PRIu64, amount);
    format_size(amount, text, sizeof(text));
    return xstrdup(text);
}

char *wording_amount(const struct resource_names *names, enum resource_kind kind, uint64_t amount,
                     const char *more)
{
    if (kind == RESOURCE_BOUND)
        return wording_count(amount, more, "bound cpu");
    if (kind == RESOURCE_CPUS || kind == RESOURCE_GPUS)
        return wording_count(amount, more, kind == RESOURCE_CPUS ? "cpu" : "gpu");
    CLEANUP_FREE char *number = wording_number(kind, amount);
    return xasprintf("%s%s%s%s %s", number, more == NULL ? "" : " ", more == NULL ? "" : more,
                     kind >= RESOURCE_COUNTER ? " of" : "", resource_names_word(names, kind));
}
