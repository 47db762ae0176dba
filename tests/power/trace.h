/* The trace of a power-loss run: what batchd did to its store's files and what it sent, in the
 * order in which it did so. recorder.c writes it from inside batchd, images.c reads it. Records
 * follow each other: this head, then `bytes` bytes, in the byte order of the machine. */
#ifndef BATCHD_TESTS_POWER_TRACE_H
#define BATCHD_TESTS_POWER_TRACE_H

#include <stdint.h>

enum trace_kind {
    TRACE_CREATE = 1, /* data: the file's name; a new file of this number is in the folder */
    TRACE_WRITE,      /* data at `offset` */
    TRACE_TRUNCATE,   /* to `offset` */
    TRACE_SYNC,       /* fsync or fdatasync came back */
    TRACE_UNLINK,     /* data: the file's name */
    TRACE_FOLDER,     /* fsync of the folder came back */
    TRACE_SEND,       /* data went out on connection `file` */
    TRACE_CLOSED,     /* connection `file` is over */
    TRACE_BEGIN,      /* another batchd opened the store */
};

struct trace_head {
    uint32_t kind, bytes;
    uint64_t file; /* its inode; of a connection its descriptor */
    uint64_t offset;
};

#endif
