/* Runs a fuzz target once with each file that is named. */
#include "tests/fuzz/fuzz.h"

#include "common/fd.h"

#include <fcntl.h>

int main(int argc, char **argv)
{
    CLEANUP_CLOSE int here =
        open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a target may leave it */
    for (int i = 1; i < argc; i++) {
        size_t bytes = 0;
        CLEANUP_FREE char *data = fd_read_file(here, argv[i], (size_t)1 << 24, &bytes);
        MUST(data != NULL);
        (void)LLVMFuzzerTestOneInput((const uint8_t *)data, bytes);
    }
    return 0;
}
