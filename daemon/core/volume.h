/* Whether a file system takes one more job that writes to it: what is free of its room and of its
 * inodes against two marks each, and disk that running jobs asked for (submit --disk) and may still
 * write, which is kept for them. Pure: figures come in, the answer goes out. */
#ifndef BATCHD_DAEMON_CORE_VOLUME_H
#define BATCHD_DAEMON_CORE_VOLUME_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

/* No job starts below `stop` free, until `go` is free: bytes, or percent of all there is. Of bytes
 * at most a twentieth and a tenth, so that a small file system is of use. stop 0: it is not looked
 * at. */
struct volume_marks {
    bool percent;
    uint64_t stop, go;
};

/* What the file system says; inodes 0: it has no fixed number of them. */
struct volume_room {
    bool known;
    uint64_t size_bytes, free_bytes; /* free for users, without what is root's */
    uint64_t inodes, inodes_free;
};

struct volume {
    struct volume_marks disk, inodes; /* the caller's to set */
    struct volume_room room;          /* the rest is zeroed at first */
    bool low, few_inodes;
};

enum volume_kind { VOLUME_DISK, VOLUME_INODES };

/* "STOP:GO", two sizes (of VOLUME_DISK only) or two percentages ("5%:10%"), or "off". ERROR_INVALID
 * names the text and the rule. */
int volume_marks_parse(const char *text, enum volume_kind kind, struct volume_marks *ret,
                       struct error *err);

/* It was asked. Between the marks it stays as it was. What is not known stops nobody. */
void volume_see(struct volume *volume, const struct volume_room *room);
bool volume_open(const struct volume *volume);
/* Why it is closed: bits by kind. And after a restart: what it was before it. */
uint64_t volume_closed(const struct volume *volume);
void volume_restore(struct volume *volume, uint64_t closed);

/* The marks as they are for a file system of its size: bytes, or inodes. */
uint64_t volume_stop(const struct volume *volume, enum volume_kind kind);
uint64_t volume_go(const struct volume *volume, enum volume_kind kind);
/* What a job may ask for beside others that asked for `kept_bytes`: what is free, without those and
 * without what is below the mark. What they wrote of that counts twice, since nobody knows whose
 * the files are: so it is rather too little. UINT64_MAX: not known. */
uint64_t volume_left(const struct volume *volume, uint64_t kept_bytes);

#endif
