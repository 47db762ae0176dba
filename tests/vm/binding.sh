#!/bin/bash
# Jobs that are bound to processors, where control groups have cpusets: what is in the group of one has these
# alone, and its user cannot widen that. Needs two processors and that controller, which the testbed's
# qemu has. Run as service.sh is (make vm).
set -uo pipefail
PROGRAMS=${PROGRAMS:-build/vm-programs}
failed=0
note() { if [ "$1" = 0 ]; then echo "ok   $2"; else echo "FAIL $2${3:+: $3}"; failed=$((failed + 1)); fi; }
check() { local what=$1 out; shift; out=$("$@" 2>&1); note $? "$what" "$(echo "$out" | tail -5)"; }
same() { [ "$2" = "$3" ]; note $? "$1" "expected \"$2\", got \"$3\""; }
wait_for() {
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done
}
alice() { (cd /tmp && runuser -u alice -- batchctl "$@"); }
field() { batchctl --json show "$1" | jq -r ".$2"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; }
in_group() { cat "$jobs/worker-$(field "$1" worker)/job/$2" 2>/dev/null || echo none; }

if ! grep -qw cpuset /sys/fs/cgroup/cgroup.controllers || [ "$(nproc)" -lt 2 ]; then
    echo "skipped: this machine has no cpusets ($(cat /sys/fs/cgroup/cgroup.controllers)), or one processor ($(nproc))"
    exit 0
fi
make install PREFIX=/usr OUT="$PROGRAMS" >/tmp/install.log 2>&1 || { tail /tmp/install.log; exit 1; }
systemd-sysusers; systemd-tmpfiles --create /usr/lib/tmpfiles.d/batchd.conf
mkdir -p /etc/batchd; printf '[resources]\ncpus = 8\n[workers]\nmax = 6\n' >/etc/batchd/config.toml
systemctl daemon-reload
systemctl start batchd.socket batchd-worker.service
jobs=/sys/fs/cgroup/system.slice/batchd-jobs.service

# It asks for all processors, and says what it has then.
widens='taskset -p ffff $$ >/dev/null 2>&1; grep Cpus_allowed_list /proc/self/status | cut -f2; sleep 1000'
said() { [ -n "$(batchctl logs "$1")" ]; }
one=$(alice submit -q --cpu-bind cores -- sh -c "$widens")
two=$(alice submit -q --cpu-bind cores -- sh -c "$widens")
free=$(alice submit -q -- sh -c "$widens")
for id in "$one" "$two" "$free"; do check "job $id runs" wait_for 60 said "$id"; done
same "the two share none" "0 1" "$(for id in "$one" "$two"; do field "$id" cpu_list; done | sort | xargs)"
for id in "$one" "$two"; do
    same "the group of job $id has its own" "$(field "$id" cpu_list)" "$(in_group "$id" cpuset.cpus)"
    same "which it cannot widen" "$(field "$id" cpu_list)" "$(batchctl logs "$id")"
done
same "one that is not bound is on any" "0-1" "$(batchctl logs "$free")"
three=$(alice submit -q --cpu-bind cores -- true)
check "a third waits" is "$three" 'reasons[0]' Resources
before="$(field "$one" cpu_list) $(field "$two" cpu_list)"
systemctl kill --kill-whom=main --signal=KILL batchd.service
wait_for 60 systemctl is-active batchd.service
wait_for 60 batchctl show "$one"
same "after SIGKILL of batchd they have theirs" "$before" "$(field "$one" cpu_list) $(field "$two" cpu_list)"
check "and the third still waits" is "$three" state pending
alice cancel --grace 0 "$one" >/dev/null
check "until one ends" wait_for 60 is "$three" state completed
same "and has what that had" "${before% *}" "$(field "$three" cpu_list)"
same "what runs still has its group" "${before#* }" "$(in_group "$two" cpuset.cpus.effective)"
alice cancel --grace 0 "$two" "$free" >/dev/null
wait_for 60 is "$free" state cancelled

# ---- the administrator takes processors away, and gives them back ----
id=$(alice submit -q --cpu-bind cores --max-attempts 1 -C /home/alice --output kept -- sh -c \
    'echo x >"$BATCHD_OUTPUT"; echo here; until [ -e /tmp/go ]; do sleep 0.1; done')
wait_for 60 said "$id"
had=$(field "$id" cpu_list)
systemctl set-property --runtime batchd-jobs.service AllowedCPUs=$((1 - had))
touch /tmp/go
check "a bound job whose processor is taken away goes on" wait_for 60 is "$id" state completed
same "and has its outputs" x "$(cat /home/alice/kept)"
id=$(alice submit -q --cpu-bind cores -- true)
check "the next is bound to what is left" wait_for 60 is "$id" state completed
same "which it is" "$((1 - had)) 0" "$(field "$id" cpu_list) $(field "$id" charged)"
id=$(alice submit -q --cpu-bind cores -c 2 -- true)
check "one that asks for both waits" wait_for 60 is "$id" 'reasons[0]' RetryBackoff
systemctl set-property --runtime batchd-jobs.service AllowedCPUs=0-1
check "until they are back" wait_for 60 is "$id" state completed
systemctl set-property --runtime system.slice AllowedCPUs=0
systemctl restart batchd-worker.service
id=$(alice submit -q -- sh -c "$widens")
check "of a slice that has one a job runs" wait_for 60 said "$id"
same "on that" 0 "$(batchctl logs "$id")"
systemctl set-property --runtime system.slice AllowedCPUs=0-1
same "workers of that time have all that come back" 0-1 "$(cat "$jobs/worker-$(field "$id" worker)/cpuset.cpus.effective")"
alice cancel --grace 0 "$id" >/dev/null
[ $failed = 0 ] || { journalctl -u batchd.service -u batchd-worker.service --no-pager | tail -30; }
echo "$failed failed"
[ $failed = 0 ]
