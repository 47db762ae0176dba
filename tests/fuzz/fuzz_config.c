/* Configuration files: what is taken is printed as a file that reads to the same. */
#include "tests/fuzz/fuzz.h"

#include "daemon/config.h"

#include <sys/mman.h>
#include <unistd.h>

static int load(const void *text, size_t bytes, struct config *ret, struct error *err)
{
    char path[40];
    CLEANUP_CLOSE int fd = memfd_create("config", MFD_CLOEXEC);
    MUST(fd >= 0 && (bytes == 0 || write(fd, text, bytes) == (ssize_t)bytes));
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return config_load(path, true, NULL, NULL, ret, err);
}

static char *print(const struct config *config, size_t *ret_bytes)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, ret_bytes);
    MUST(file != NULL);
    config_print(file, config, false);
    MUST(fclose(file) == 0);
    return text;
}

/* Beyond ASCII toml++ 3.3 looks for white space in a way that the language does not define
 * (is_non_ascii_horizontal_whitespace ends at an unreachable place): as compiled it finds none. */
static bool is_ascii(const uint8_t *data, size_t bytes)
{
    size_t at = 0;
    while (at < bytes && data[at] < 0x80)
        at++;
    return at == bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (!is_ascii(data, bytes))
        return 0;
    struct config config, again;
    struct error err = {.code = ERROR_NONE};
    if (load(data, bytes, &config, &err) < 0) {
        MUST_EXPLAIN(&err);
        return 0;
    }
    size_t length, length_again;
    CLEANUP_FREE char *text = print(&config, &length);
    err = (struct error){.code = ERROR_NONE};
    if (load(text, length, &again, &err) < 0)
        (void)fprintf(stderr, "%s\nin what was printed:\n%s", err.text, text);
    MUST(err.code == ERROR_NONE);
    CLEANUP_FREE char *text_again = print(&again, &length_again);
    MUST(strcmp(text, text_again) == 0);
    config_done(&config);
    config_done(&again);
    return 0;
}
