#include "processors/image/digest.h"

#include "processors/lib/source.h"

#include <glib.h>

static void *begin(void)
{
    return g_checksum_new(G_CHECKSUM_SHA256);
}

static void update(void *state, const void *data, size_t bytes)
{
    g_checksum_update(state, data, (gssize)bytes);
}

static void end(void *state, char hex[65])
{
    (void)g_strlcpy(hex, g_checksum_get_string(state), 65);
    g_checksum_free(state);
}

const struct digest digest_glib = {.begin = begin, .update = update, .end = end};
