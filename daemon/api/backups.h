/* The backup that is being made, if any: copied, checked, then sent. */
#ifndef BATCHD_DAEMON_API_BACKUPS_H
#define BATCHD_DAEMON_API_BACKUPS_H

struct api;
struct backups;

struct backups *backups_new(struct api *api);
void backups_free(struct backups *backups);
/* No transaction is open. */
void backups_go_on(struct backups *backups);

#endif
