/* Tells systemd that the spawner is ready (sd_notify(3)), without linking libsystemd into the
 * privileged side. */
#ifndef BATCHD_WORKER_NOTIFY_H
#define BATCHD_WORKER_NOTIFY_H

/* Sends READY=1 if NOTIFY_SOCKET is set, and unsets it, so that no job can speak for us. */
void notify_ready(void);

#endif
