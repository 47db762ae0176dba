/* SQLite's memory: it gets it, or the program ends (common/alloc.h). Without memory a column reads
 * as NULL, and a row that is sound fails its checksum. */
#ifndef BATCHD_DAEMON_STORE_MEMORY_H
#define BATCHD_DAEMON_STORE_MEMORY_H

/* Before a connection is opened; again: nothing happens. */
void store_memory_use(void);

#endif
