/* For LD_PRELOAD: how often a processor gets a picture from a decoder of FFmpeg's, sets malloc up
 * and gives memory back. Written as it ends, in three numbers, to the file that COUNTED_CALLS
 * names. */
#include <dlfcn.h>
#include <fcntl.h>
#include <libavcodec/avcodec.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_long pictures, set_up, trimmed;
static int counted = -1;

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

int avcodec_receive_frame(AVCodecContext *context, AVFrame *frame)
{
    int (*real)(AVCodecContext *, AVFrame *) = next("avcodec_receive_frame");
    const int result = real(context, frame);
    pictures += result >= 0 && context->codec_type == AVMEDIA_TYPE_VIDEO;
    return result;
}

int mallopt(int what, int value)
{
    int (*real)(int, int) = next("mallopt");
    set_up++;
    return real(what, value);
}

int malloc_trim(size_t kept)
{
    int (*real)(size_t) = next("malloc_trim");
    trimmed++;
    return real(kept);
}

/* The sandbox opens no file. */
__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("COUNTED_CALLS");
    counted = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

__attribute__((destructor)) static void end(void)
{
    if (counted >= 0)
        (void)dprintf(counted, "%ld %ld %ld\n", pictures, set_up, trimmed);
}
