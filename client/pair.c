#include "client/pair.h"

#include "client/cli.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <string.h>

int pair_take(json_t *object, const char *option, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return cli_fail(EXIT_USAGE, NULL, "--%s \"%s\" must be NAME=VALUE", option, text);
    CLEANUP_FREE char *name = xmemdup(text, (size_t)(equals - text));
    json_t *value = json_from_bytes(equals + 1, strlen(equals + 1));
    if (json_object_set_new(object, name, value) < 0)
        return cli_fail(EXIT_USAGE, NULL, "--%s: the name in \"%s\" must be UTF-8", option, text);
    return 0;
}
