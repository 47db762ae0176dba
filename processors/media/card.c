/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/card.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <glob.h>
#include <libavutil/hwcontext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define FACT_BYTES_MAX 4096U

/* ---- the text ---- */

static void add(char **text, const char *fact)
{
    if (fact[0] == '\0')
        return;
    char *longer = xasprintf("%s%s%s", *text, (*text)[0] == '\0' ? "" : "; ", fact);
    free(*text);
    *text = longer;
}

/* The first line of a file, or that behind the line's `label`; owned, "" where there is none. */
static char *line_of(const char *path, const char *label)
{
    size_t bytes;
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, FACT_BYTES_MAX, &bytes);
    const char *from = text == NULL ? NULL : strstr(text, label);
    if (from == NULL)
        return xstrdup("");
    from += strlen(label);
    from += strspn(from, " \t");
    return xmemdup(from, strcspn(from, "\n"));
}

/* ---- the kernel ---- */

/* In the order of their names: drivers number cards so. */
static void add_each(char **text, const char *root, const char *pattern,
                     void (*describe)(char **text, const char *path))
{
    glob_t found;
    CLEANUP_FREE char *whole = xasprintf("%s%s", root, pattern);
    if (glob(whole, 0, NULL, &found) == 0) { /* NOLINT(concurrency-mt-unsafe) */
        for (size_t i = 0; i < found.gl_pathc; i++)
            describe(text, found.gl_pathv[i]);
    }
    globfree(&found);
}

/* .../gpus/0000:01:00.0/information */
static void describe_nvidia(char **text, const char *path)
{
    CLEANUP_FREE char *model = line_of(path, "Model:");
    add(text, model);
}

static char *fact_of(const char *folder, const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
    return line_of(path, "");
}

/* .../renderD128/device. A driver that is not the kernel's own has a version. */
static void describe_drm(char **text, const char *path)
{
    char to[256] = "";
    CLEANUP_FREE char *link = xasprintf("%s/driver", path);
    const ssize_t length = readlink(link, to, sizeof(to) - 1);
    const char *slash = length < 0 ? NULL : strrchr(to, '/');
    CLEANUP_FREE char *vendor = fact_of(path, "vendor");
    CLEANUP_FREE char *device = fact_of(path, "device");
    CLEANUP_FREE char *revision = fact_of(path, "revision");
    CLEANUP_FREE char *version = fact_of(path, "driver/module/version");
    CLEANUP_FREE char *fact =
        xasprintf("%s %s:%s.%s%s%s", slash == NULL ? "drm" : slash + 1, vendor, device, revision,
                  version[0] == '\0' ? "" : " ", version);
    add(text, fact);
}

char *card_of_kernel(const char *root)
{
    struct utsname kernel;
    char *text = xstrdup("");
    CLEANUP_FREE char *path = xasprintf("%s/proc/driver/nvidia/version", root);
    CLEANUP_FREE char *nvidia = line_of(path, "NVRM version:");
    add(&text, nvidia);
    add_each(&text, root, "/proc/driver/nvidia/gpus/*/information", describe_nvidia);
    add_each(&text, root, "/sys/class/drm/renderD*/device", describe_drm);
    if (text[0] != '\0' && uname(&kernel) == 0)
        add(&text, kernel.release);
    return text;
}

/* ---- VAAPI ---- */

/* The first member of FFmpeg's AVVAAPIDeviceContext (libavutil/hwcontext_vaapi.h), which cannot be
 * included without libva's headers; libva itself came with libavutil. */
struct vaapi_device {
    void *display;
};

typedef const char *(*query_vendor_fn)(void *display);

static void add_vaapi(char **text)
{
    AVBufferRef *device = NULL;
    void *symbol = dlsym(RTLD_DEFAULT, "vaQueryVendorString");
    query_vendor_fn query;
    memcpy(&query, &symbol, sizeof(query)); /* C knows no other way to a function */
    if (symbol == NULL ||
        av_hwdevice_ctx_create(&device, AV_HWDEVICE_TYPE_VAAPI, NULL, NULL, 0) < 0)
        return;
    const AVHWDeviceContext *context = (const void *)device->data;
    const char *vendor = query(((const struct vaapi_device *)context->hwctx)->display);
    add(text, vendor == NULL ? "" : vendor);
    av_buffer_unref(&device);
}

char *card_describe(void)
{
    char *text = card_of_kernel("");
    add_vaapi(&text);
    return text;
}
