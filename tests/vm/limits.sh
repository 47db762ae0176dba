#!/bin/bash
# What control groups give on a machine with systemd: memory that is limited, its end told as such, usage
# of the whole tree, jobs halted and killed by the kernel; and that all this outlives a new spawner.
# shellcheck source=tests/vm/common.sh
. tests/vm/common.sh || exit 1
group_of() { echo "$jobs/worker-$(field "$1" worker)/job"; }

configure '[workers]
stop_grace = "2s"'
install_programs
same "systemd-analyze verify has nothing to say" "" \
    "$(systemd-analyze verify --man=no batchd-jobs.service batchd-worker.service 2>&1)"
systemctl start batchd.socket batchd-worker.service
jobs=/sys/fs/cgroup/system.slice/batchd-jobs.service
check "jobs have a unit for their groups" test -d $jobs
same "it is active, and nothing runs in it itself" "active 0" \
    "$(systemctl is-active batchd-jobs.service) $(wc -l <$jobs/cgroup.procs)"
like "memory can be limited below it" memory "$(cat $jobs/cgroup.subtree_control)"
same "only what keeps it from being removed is below it" sleep "$(ps -o comm= -p "$(cat $jobs/keeper/cgroup.procs)")"

# ---- memory ----
# Jobs that fail have names of their own: else a breaker keeps what comes after them.
hog='import time
data = [bytearray(1 << 20) for _ in range(400)]
time.sleep(60)'
id=$(alice submit -q -m 64M -- python3 -c "$hog")
wait_for 60 is "$id" state failed
same "over its memory: class and signal" "oom 9" "$(field "$id" outcome.class) $(field "$id" outcome.signal)"
like "and it says so" "want of memory: it may have 64" \
    "$(batchctl --json show --attempts "$id" | jq -r '.attempts[0].outcome.message')"
like "it was tried with more each time" "may have 144" "$(field "$id" outcome.message)"
alice submit -q -w -m 64M -- sh -c 'exit 0'
same "batchctl mirrors it" 137 "$(alice wait "$id" >/dev/null 2>&1; echo $?)"
id=$(alice submit -q -m 64M -- sh -c "python3 -c '$hog'; echo survived; sleep 60")
wait_for 60 is "$id" state failed
same "a child over the memory ends all of it" "oom" "$(field "$id" outcome.class)"
same "at once" "" "$(batchctl logs "$id")"
id=$(alice submit -q -m 200M -- python3 -c 'data = bytearray(100 << 20)')
wait_for 60 is "$id" state completed
check "within its memory it ends well, and the peak is told" \
    test "$(field "$id" usage.max_rss_bytes)" -ge $((100 << 20)) -a "$(field "$id" usage.max_rss_bytes)" -le $((200 << 20))
id=$(alice submit -q -- python3 -c 'data = bytearray(100 << 20)')
wait_for 60 is "$id" state completed
same "without a request there is no limit" completed "$(field "$id" state)"
id=$(alice submit -q -- sh -c 'python3 -c "
import time
end = time.process_time() + 1
while time.process_time() < end: pass" & sleep 3')
wait_for 60 is "$id" state completed
check "processor time is of the whole tree" test "$(field "$id" usage.cpu_ms)" -ge 900

# ---- the tree ----
count='(setsid sh -c "while :; do echo x >>/tmp/hidden; sleep 0.05; done" &); while :; do sleep 0.1; done'
id=$(alice submit -q -n hidden -m 64M -- sh -c "$count")
wait_for 20 test -s /tmp/hidden
wait_for 20 is "$id" state running
group=$(group_of "$id")
check "the job is in a group of its own" test "$(wc -l <"$group/cgroup.procs")" -ge 2
same "the worker is beside it" 1 "$(wc -l <"${group%/job}/worker/cgroup.procs")"
like "how many processes it may have is bounded" '^[0-9]+$' "$(cat "$group/pids.max")"
alice suspend "$id"
check "suspended: the kernel halts the group" wait_for 20 grep -q 'frozen 1' "$group/cgroup.events"
check "and nothing counts" stands /tmp/hidden
systemctl restart batchd-worker.service
check "a new spawner starts beside jobs with limits" wait_for 20 systemctl is-active batchd-worker.service
same "the memory is limited all the same" $((64 << 20)) "$(cat "$group/memory.max")"
kill -KILL "$(systemctl show -p MainPID --value batchd-worker.service)"
check "also after SIGKILL" wait_for 20 alice submit -q -w -- true
alice resume "$id"
check "resumed: it goes on" wait_for 20 counts /tmp/hidden
alice suspend "$id"
wait_for 20 grep -q 'frozen 1' "$group/cgroup.events"
check "a halted job can be cancelled" alice cancel --grace 1s "$id"
check "and is gone" wait_for 20 is "$id" state cancelled
check "all of it" stands /tmp/hidden
check "its group too" bash -c "[ ! -e $group ] || [ ! -s $group/cgroup.procs ]"

# ---- killed while it stands ----
# What comes behind it would be born halted, and its worker waits for the exec.
id=$(alice submit -q -n stands -C /home/alice --output result -- sh -c 'while :; do sleep 0.1; done')
wait_for 20 is "$id" state running
group=$(group_of "$id")
alice suspend "$id"
wait_for 20 grep -q 'frozen 1' "$group/cgroup.events"
kill -KILL "$(head -1 "$group/cgroup.procs")"
check "a job that is killed while it stands ends" wait_for 20 is "$id" state failed

# ---- what comes behind a job whose group was killed ----
id=$(alice submit -q -n leaver -C /home/alice --output kept -- sh -c 'setsid sleep 1000 & echo x >"$BATCHD_OUTPUT"')
wait_for 20 is "$id" state completed
same "a job that leaves a process behind has its outputs" "completed x" "$(field "$id" state) $(cat /home/alice/kept)"

# ---- a fork bomb ----
id=$(alice submit -q -n bomb -- python3 -c 'import os, resource
resource.setrlimit(resource.RLIMIT_NPROC, (500, 500))
while True:
    try: os.fork()
    except OSError: pass')
check "a fork bomb runs" wait_for 60 bash -c '[ "$(pgrep -cu alice python3)" -gt 100 ]'
begun=$(date +%s%N)
alice cancel --grace 0 "$id"
wait_for 60 is "$id" state cancelled
echo "     a fork bomb of 500 is gone after $((($(date +%s%N) - begun) / 1000000)) ms"
same "a fork bomb is gone" 0 "$(pgrep -cu alice python3)"

# ---- what the settings say ----
configure '[workers]
stop_grace = "2s"
[limits]
memory = "48M"
memory_high = 50
swap = 25
pids = 90
io_weight = 250
nice = 2'
systemctl restart batchd.service
in_group() { cat "$group/$1" 2>/dev/null || echo none; }
id=$(alice submit -q -n spins -c 3 -m 64M --pids 40 --nice 5 -- sh -c 'while :; do :; done')
other=$(alice submit -q -n spins -c 1 --nice 5 -- sh -c 'while :; do :; done')
wait_for 20 is "$id" state running; wait_for 20 is "$other" state running
group=$(group_of "$id")
same "memory, where it is taken back, swap, processes" "$((64 << 20)) $((32 << 20)) $((16 << 20)) 40" \
    "$(in_group memory.max) $(in_group memory.high) $(in_group memory.swap.max) $(in_group pids.max)"
same "a share of processors by what it asked for, less by its niceness" 98 "$(in_group ../cpu.weight)"
like "one of disks, where the kernel has such" '^(default 250|250|none)$' "$(in_group ../io.weight)"
spent() { sed -n 's/^usage_usec //p' "$(group_of "$1")/cpu.stat"; }
before=$(spent "$id") before_other=$(spent "$other"); sleep 10
share=$((($(spent "$id") - before) * 100 / ($(spent "$other") - before_other)))
check "three times as much of a busy processor is had (ratio $share / 100)" test $share -ge 240 -a $share -le 360
systemctl restart batchd.service batchd-worker.service
wait_for 20 alice show "$id"
same "all of it stands over restarts" "$((64 << 20)) 40 98" "$(in_group memory.max) $(in_group pids.max) $(in_group ../cpu.weight)"
group=$(group_of "$other")
same "a job that asks for no memory has that of the settings" $((48 << 20)) "$(in_group memory.max)"
group=$(group_of "$id")
alice cancel --grace 0 "$id" >/dev/null; wait_for 20 is "$id" state cancelled
same "the worker has no less of processors between jobs, whatever the one before was" 100 "$(cat "${group%/job}/cpu.weight")"
alice cancel --grace 0 "$other" >/dev/null; wait_for 20 is "$other" state cancelled
id=$(alice submit -q -w -- sh -c 'd=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup); find $d $d/.. $d/../.. -maxdepth 1 -writable; nice')
same "nothing of its group is for its user to change; it is nice" 2 "$(batchctl logs "${id:-@last}" 2>&1)"
id=$(alice submit -q -w -m 64M -- sh -c 'cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/memory.max')
same "but its user may read it" $((64 << 20)) "$(batchctl logs "${id:-@last}" 2>&1)"
id=$(alice submit -q -n reads -m 64M -C /home/alice -- sh -c 'head -c 90M /dev/zero >big; cat big >/dev/null; rm big
    sed -n "s/^high //p" /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/memory.events; exit 3')
wait_for 60 is "$id" state failed
same "what is taken back at its mark is no want of memory" "exit 3" "$(field "$id" outcome.class) $(field "$id" outcome.exit_code)"
like "though much was" '^[1-9]' "$(batchctl logs "$id")"
id=$(alice submit -q -n forks --pids 30 -- python3 -c 'import os, time
made = 0
try:
    while True:
        if os.fork() == 0: time.sleep(60)
        made += 1
except OSError as error: print(error.errno, made)')
wait_for 60 is "$id" state completed
like "a fork bomb makes no more processes than it may have" '^11 (2[0-9])$' "$(batchctl logs "$id")"

# ---- a worker that dies with its job in a group ----
id=$(alice submit -q -n counts --never-rerun -- sh -c "$count")
wait_for 20 is "$id" state running
pkill -KILL -f "batchd-worker --worker $(field "$id" worker) "
check "its job is lost" wait_for 20 is "$id" outcome.class lost
check "and nothing of it is left" stands /tmp/hidden
systemctl stop batchd.service batchd.socket
systemctl kill --kill-whom=main --signal=TERM batchd-worker.service
check "no group is left behind" wait_for 20 bash -c "! ls -d $jobs/worker-*"

# ---- a person's own ----
loginctl enable-linger bob; uid=$(id -u bob)
bob() { (cd /tmp && runuser -u bob -- env XDG_RUNTIME_DIR="/run/user/$uid" "$@"); }
bobs() { bob batchctl --json show "$1" | jq -r ".$2"; }
bobs_is() { [ "$(bobs "$1" "$2")" = "$3" ]; }
jobs=/sys/fs/cgroup/user.slice/user-$uid.slice/user@$uid.service/app.slice/batchd-jobs.service
wait_for 20 bob systemctl --user is-system-running
bob mkdir -p /home/bob/.config/batchd
printf '[resources]\ncpus = 4\n' | bob tee /home/bob/.config/batchd/config.toml >/dev/null
bob systemctl --user start batchd.service
id=$(bob batchctl submit -q -m 64M --max-attempts 1 -- python3 -c "$hog")
wait_for 60 bobs_is "$id" state failed
same "a person's own: over its memory" "oom 9" "$(bobs "$id" outcome.class) $(bobs "$id" outcome.signal)"
own='d=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)'
id=$(bob batchctl submit -q -w -m 64M -- sh -c "$own; mkdir -p \$d/a/b \$d/c && ls \$d" | head -1)
like "groups that a job makes in its own, as containers do," '(^|[[:space:]])a[[:space:]].*c' "$(bob batchctl logs "$id" | grep -x '[ac]' | xargs) "
check "go with it" test ! -e "$(echo "$jobs"/state-*/worker-"$(bobs "$id" worker)"/job)"
id=$(bob batchctl submit -q -w -- sh -c "$own; cat \$d/memory.max" | head -1)
same "and the next has no limit of it" max "$(bob batchctl logs "$id")"
id=$(bob batchctl submit -q -m 64M --pids 40 -n counts -- sh -c "$count")
wait_for 20 bobs_is "$id" state running
group=$(echo "$jobs"/state-*/worker-"$(bobs "$id" worker)"/job)
same "limits and a share of processors" "$((64 << 20)) 40 100" "$(in_group memory.max) $(in_group pids.max) $(in_group ../cpu.weight)"
check "its tree is in it" test "$(wc -l <"$group/cgroup.procs")" -ge 2
bobs_check() { bob batchctl doctor --json | jq -r ".checks[] | select(.group == \"jobs\" and .name == \"$1\") | .$2"; }
handed=$(cat "${group%/job}/cgroup.subtree_control")
leave="; one that is bound can leave its processors"
[[ " $handed " =~ " cpuset " ]] && leave=
same "doctor tells which limits were handed on to a person's own" "ok of these resources jobs have limits or shares: $handed$leave" \
    "$(bobs_check limits state) $(bobs_check limits found)"
like "and that disks were not, if so" "$([[ " $handed " =~ " io " ]] && echo count || echo '^jobs have none')" \
    "$(bobs_check "disk weights" found)"
bob systemctl --user restart batchd.service
pkill -KILL -u bob batchd-spawner
check "a new spawner has a job with limits, too" wait_for 60 bob batchctl submit -q -w -m 32M -- true
same "the first goes on with its own" "$((64 << 20)) running" "$(in_group memory.max) $(bobs "$id" state)"
pkill -KILL -f "batchd-worker --worker $(bobs "$id" worker) "
check "a worker that dies, whose spawner is dead: its tree is proved dead, and the job runs again" wait_for 60 bobs_is "$id" attempt 2
wait_for 20 bobs_is "$id" state running
begun=$SECONDS
bob systemctl --user stop batchd.service
bob systemctl --user stop batchd-jobs.service
check "the end of the unit ends the jobs" test $((SECONDS - begun)) -lt 40 -a ! -e "$jobs"
bob systemctl --user start batchd.service
check "which run again" wait_for 60 bobs_is "$id" attempt 3
check "in groups" wait_for 20 ls -d "$jobs"/state-*/worker-*/job
same "what was told to end was no attempt" 0 "$(bobs "$id" charged)"
bob batchctl cancel --grace 0 "$id"; wait_for 20 bobs_is "$id" state cancelled
finish
