#include "tests/fuzz/fuzz.h"

#include <ftw.h>
#include <unistd.h>

static char folder[64];

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static void remove_folder(void)
{
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_folder(void)
{
    if (folder[0] == '\0') {
        const char *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        (void)snprintf(folder, sizeof(folder), "%s/batchd-fuzz-XXXXXX", memory);
        MUST(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
    }
    return folder;
}
