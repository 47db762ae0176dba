#include "common/glib_memory.h"

#include "common/alloc.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#include <glib.h>

/* A time zone takes some 30 kB while it is made from its file of 4 kB, a checksum 400 bytes. */
#define GLIB_BYTES 65536U

static void on_message(const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer data)
{
    (void)data;
    log_error("%s: %s", domain == NULL ? "GLib" : domain, text);
    if ((level & G_LOG_FLAG_FATAL) != 0 && strstr(text, "failed to allocate") != NULL)
        out_of_memory();
}

void glib_must_have_memory(void)
{
    (void)g_log_set_default_handler(on_message, NULL);
}

void glib_needs_memory(void)
{
    free(xmalloc(GLIB_BYTES));
}
