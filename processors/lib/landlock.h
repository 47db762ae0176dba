/* Landlock: a process gives up the file system but for the places that it names, for good. Works
 * without privilege, from Linux 5.13 on; what a newer kernel adds is used where it is there. Only
 * what is opened from then on is refused: a descriptor that is open stays as it is.
 *
 *   landlock_begin -> landlock_allow for each place -> landlock_enter */
#ifndef BATCHD_PROCESSORS_LIB_LANDLOCK_H
#define BATCHD_PROCESSORS_LIB_LANDLOCK_H

#include <stdint.h>

enum landlock_place {
    LANDLOCK_READ,   /* read the file, or what is below the folder */
    LANDLOCK_DEVICE, /* read and write the file, neither made nor removed */
    LANDLOCK_GPU,    /* the same, below the folder too, and what its driver knows (ioctl) */
    LANDLOCK_WRITE,  /* regular files in the folder: make, read, write, rename, remove them */
};

struct landlock {
    int fd;           /* -1: none */
    int version;      /* of the interface; 0: the kernel has none */
    uint64_t handled; /* the rights that this kernel can take away */
};

/* The rules, none yet. ret->version 0 when there are none to be had. */
void landlock_begin(struct landlock *ret);

/* Allows a place. One that is not there, or is closed to us, is left out: nothing can be opened
 * there anyway. */
void landlock_allow(const struct landlock *rules, const char *path, enum landlock_place place);

/* From here on nothing else can be opened by this thread and those that it starts; needs
 * no_new_privs. 0, or -1 with errno. Releases the rules in any case. */
int landlock_enter(struct landlock *rules);

#endif
