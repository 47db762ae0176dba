/* The newest schema, as make wrote it down from what the migrations make of an empty store
 * (mk/schema_latest.c), which takes them 10 to 20 ms of a processor: for a new store to be made
 * from, and for a check of a store (--check-store, and of each backup) to compare with. */
#ifndef BATCHD_DAEMON_STORE_SCHEMA_LATEST_H
#define BATCHD_DAEMON_STORE_SCHEMA_LATEST_H

/* The statements that make it, and what schema_text() says of it then. */
extern const char schema_latest_script[];
extern const char schema_latest_text[];

#endif
