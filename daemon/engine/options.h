/* What the engine is told at its creation. */
#ifndef BATCHD_DAEMON_ENGINE_OPTIONS_H
#define BATCHD_DAEMON_ENGINE_OPTIONS_H

#include "common/gpu_report.h"
#include "daemon/core/admission.h"
#include "daemon/core/job_state.h"
#include "daemon/core/limit_policy.h"
#include "daemon/core/resource_names.h"
#include "daemon/core/retry_rule.h"
#include "daemon/core/scheduler.h"
#include "daemon/core/volume.h"
#include "daemon/engine/breakers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpu_layout;
struct gpu_watch;
struct meters;
struct monitor;

struct user_shares {
    uint32_t uid;
    double shares;
};

struct engine_options {
    const char *state_dir;     /* borrowed for life, as all texts here */
    const char *socket_path;   /* BATCHD_SOCKET of the jobs */
    const char *worker_binary; /* NULL: the spawner is started by systemd */
    bool system;               /* jobs run as other users than we do */
    const char *boot_id;
    uint32_t watch_ms; /* how often what running jobs use is looked at; 0: never */
    uint32_t workers_min, workers_max, prefetch;
    uint64_t batch_target_us; /* pool_options.h */
    int64_t worker_idle_us;   /* so long more of them are kept than are needed */
    uint64_t output_max_bytes;
    uint64_t stop_grace_ms;
    uint64_t queue_limit_per_user, schedule_limit_per_user;
    uint64_t disk_reserve_bytes;
    struct limit_policy limits;
    struct retry_rule retry; /* for what neither a job nor its queue nor its type says */
    const struct retry_of_type *retry_types;
    size_t retry_type_count;
    uint64_t memory_cap_bytes; /* after too little memory no job asks for more; 0: all there is */
    uint64_t array_max;        /* tasks of one array */
    uint64_t values_max_bytes; /* their values, packed (value_pack.h) */
    size_t event_backlog;
    int64_t retention_us[JOB_STATE_COUNT]; /* by the state a job ended in; 0: it is kept */
    int64_t statistics_us;                 /* statistics are kept so long; 0: for ever */
    int64_t machine_us;                    /* and what the machine was like; 0: not at all */
    struct resource_names names;           /* of the counters in scheduler.total */
    struct scheduler_options scheduler;    /* its queue is the one named "default" */
    const struct queue_config *queues;     /* the others of the configuration */
    size_t queue_count;
    /* Shares of users in fair share; who is not named has 1. */
    const struct user_shares *shares;
    size_t share_count;
    struct breaker_options breakers;
    struct meters *meters;                      /* what is counted goes there; borrowed for life */
    const struct monitor *monitor;              /* of the machine; borrowed for life */
    bool memory_headroom;                       /* what a job asks for must be available */
    struct volume_marks disk_free, inodes_free; /* of file systems that jobs write to */
    struct admission_marks marks[ADMISSION_FIGURE_COUNT];
    const struct gpu_watch *gpus;           /* NULL: they are not looked at; borrowed for life */
    enum gpu_vendor gpu_vendor;             /* of those counted; GPU_VENDOR_COUNT: of none */
    struct admission_marks gpu_memory_used; /* of each GPU by other programs */
    const struct cpu_layout *cpus;          /* that jobs may be bound to; borrowed for life */
    const char *sysfs_root;                 /* in front of /sys; "" but in tests */
};

#endif
