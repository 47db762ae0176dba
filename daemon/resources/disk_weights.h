/* Whether the machine's disks are shared out by the weights of control groups: by BFQ, which is a
 * disk's scheduler (ROOT/sys/block/NAME/queue/scheduler has the one in use in brackets), or by
 * iocost (ROOT/sys/fs/cgroup/io.cost.qos: "MAJOR:MINOR enable=1 ...";
 * Documentation/admin-guide/cgroup-v2.rst). Only what is a device is looked at: not what is made of
 * others, as loops, RAID and dm-crypt; and of devices not drives whose medium can be taken out, or
 * that have none. */
#ifndef BATCHD_DAEMON_RESOURCES_DISK_WEIGHTS_H
#define BATCHD_DAEMON_RESOURCES_DISK_WEIGHTS_H

struct disk_weights {
    char heed[128];     /* names of disks that do, with a blank between; what is too long is cut */
    char heedless[128]; /* of those that do not, each with its scheduler: "sda (mq-deadline)" */
    char first[32];     /* of these, without it; "": there is none */
};

/* `root` as host_sample_take's. */
void disk_weights_take(const char *root, struct disk_weights *ret);

#endif
