/* A record stream over a non-blocking socket, for poll loops: the worker's end of what
 * daemon/exec/channel is at the other. */
#ifndef BATCHD_WORKER_LINK_H
#define BATCHD_WORKER_LINK_H

#include "common/record.h"

#include <stdbool.h>
#include <sys/types.h>

struct link {
    int fd; /* -1: none */
    uint8_t *in;
    size_t in_used, in_room, in_at;
    struct record_writer out;
    size_t out_at;
    bool ended; /* the peer closed or failed; what it said before may still be in `in` */
};

/* The next connection at a listening socket whose peer is root, we ourselves or `front_uid`
 * ((uid_t)-1: nobody else); -1: there is none. */
int link_accept(int listen_fd, uid_t front_uid);

void link_open(struct link *link, int fd);
void link_close(struct link *link); /* also when not open */
void link_read(struct link *link);  /* takes what is there; sets ended */
/* The next whole record: RECORD_OK, RECORD_MORE, or RECORD_BAD. Borrowed until the next link call.
 */
enum record_status link_next(struct link *link, struct record *ret);
void link_flush(struct link *link); /* sends what the socket takes; sets ended when it is broken */
size_t link_unsent(const struct link *link);
short link_events(const struct link *link); /* for poll */

#endif
