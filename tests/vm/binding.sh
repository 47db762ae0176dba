#!/bin/bash
# Jobs that are bound to processors, where control groups have cpusets: what is in the group of one has these
# alone, and its user cannot widen that, nor what the units of batchd-worker and of the jobs are kept to. Needs two
# processors and that controller, which the testbed's qemu has.
# shellcheck source=tests/vm/common.sh
. tests/vm/common.sh || exit 1
in_group() { cat "$jobs/worker-$(field "$1" worker)/job/$2" 2>/dev/null || echo none; }

if ! grep -qw cpuset /sys/fs/cgroup/cgroup.controllers || [ "$(nproc)" -ne 2 ]; then
    echo "skipped: this machine has no cpusets ($(cat /sys/fs/cgroup/cgroup.controllers)), or not two processors ($(nproc))"
    exit 0
fi
configure '[workers]
max = 6' 8
install_programs
systemctl start batchd.socket batchd-worker.service
jobs=/sys/fs/cgroup/system.slice/batchd-jobs.service

# It asks for all processors, and says what it has then.
shows='taskset -p ffff $$ >/dev/null 2>&1; grep Cpus_allowed_list /proc/self/status | cut -f2'
holds="$shows; sleep 1000"
bound() { alice submit -q --cpu-bind cores "$@"; }
said() { [ -n "$(batchctl logs "$1")" ]; }
pid_of() { head -1 "$jobs/worker-$(field "$1" worker)/job/cgroup.procs"; }
allowed() { awk '/^Cpus_allowed_list/{print $2}' "/proc/$(pid_of "$1")/status"; }

# ---- what it has ----
one=$(bound -- sh -c "$holds")
two=$(bound -- sh -c "$holds")
free=$(alice submit -q -- sh -c "$holds")
for id in "$one" "$two" "$free"; do check "job $id runs" wait_for 60 said "$id"; done
same "the two share none" "0 1" "$(for id in "$one" "$two"; do field "$id" cpu_list; done | sort | xargs)"
for id in "$one" "$two"; do
    same "the group of job $id has its own" "$(field "$id" cpu_list)" "$(in_group "$id" cpuset.cpus)"
    same "which it cannot widen" "$(field "$id" cpu_list)" "$(batchctl logs "$id")"
    runuser -u alice -- taskset -p 3 "$(pid_of "$id")" >/dev/null 2>&1
    same "nor its user from without" "$(field "$id" cpu_list)" "$(allowed "$id")"
done
same "one that is not bound is on any" "0-1" "$(batchctl logs "$free")"
three=$(bound -- true)
check "a third waits" is "$three" 'reasons[0]' Resources

# ---- batchd and its spawner come anew ----
has() { echo "$(field "$1" cpu_list)=$(in_group "$1" cpuset.cpus)=$(allowed "$1")"; }
before="$(has "$one") $(has "$two")" first=$(field "$one" cpu_list)
pid=$(main_of batchd.service)
systemctl kill --kill-whom=main --signal=KILL batchd.service
check "batchd comes anew" wait_for 60 changed batchd.service "$pid"
check "and starts what is not bound" alice submit -q -w -- true
same "after SIGKILL of batchd they have theirs" "$before" "$(has "$one") $(has "$two")"
same "and the third still waits" "pending Resources" "$(field "$three" state) $(field "$three" 'reasons[0]')"
systemctl restart batchd-worker.service
check "a new spawner starts what is not bound" alice submit -q -w -- true
same "and they have theirs" "$before" "$(has "$one") $(has "$two")"
same "and the third still waits" "pending Resources" "$(field "$three" state) $(field "$three" 'reasons[0]')"
alice cancel --grace 0 "$one" >/dev/null
check "until one ends" wait_for 60 is "$three" state completed
same "and has what that had" "$first" "$(field "$three" cpu_list)"
same "what runs still has its group" "${before#* }" "$(has "$two")"
alice cancel --grace 0 "$two" "$free" >/dev/null
for id in "$two" "$free"; do wait_for 60 is "$id" state cancelled; done

# ---- what comes in the same workers, and behind a job ----
for _ in 1 2 3; do # more than there are idle workers
    id=$(alice submit -q -- sh -c "$shows"); wait_for 60 is "$id" state completed; batchctl logs "$id"
done >/tmp/after
same "who comes after a bound one is on any" "0-1 0-1 0-1" "$(xargs </tmp/after)"
id=$(bound -C /home/alice --output out --check "{ $shows; } >checked" -- sh -c 'echo x >"$BATCHD_OUTPUT"')
check "a bound job with an output ends" wait_for 60 is "$id" state completed
same "whose check has its processors" "$(field "$id" cpu_list)" "$(cat /home/alice/checked)"
id=$(bound -c 2 -- sh -c "$shows"); wait_for 60 is "$id" state completed
same "one may have both" "0-1 0-1" "$(field "$id" cpu_list) $(batchctl logs "$id")"

# ---- the administrator takes processors away, and gives them back ----
id=$(bound --max-attempts 1 -C /home/alice --output kept -- sh -c \
    'echo x >"$BATCHD_OUTPUT"; echo here; until [ -e /tmp/go ]; do sleep 0.1; done')
wait_for 60 said "$id"
had=$(field "$id" cpu_list)
both=$(bound -c 2 --hold -- true)
free=$(alice submit -q -- sh -c "$holds") # while its worker lives batchd soon hears of what comes back
systemctl set-property --runtime batchd-jobs.service AllowedCPUs=$((1 - had))
touch /tmp/go
check "a bound job whose processor is taken away goes on" wait_for 60 is "$id" state completed
same "and has its outputs" x "$(cat /home/alice/kept)"
id=$(bound -- true)
check "the next is bound to what is left" wait_for 60 is "$id" state completed
same "which it is" "$((1 - had)) 0" "$(field "$id" cpu_list) $(field "$id" charged)"
alice release "$both" >/dev/null
check "one that asked for both waits" wait_for 60 is "$both" 'reasons[0]' Resources
tells() { alice why "$both" | tr -s ' \n' ' ' | grep -q "others are off, or batchd or batchd-worker may not.*these can be used"; }
refused() { ! more=$(bound -c 2 --hold -- true 2>&1) && [[ $more == *"can be bound to 1 processor here"* ]]; }
check "and why says for what" wait_for 60 tells
check "one more is refused" wait_for 60 refused
systemctl set-property --runtime batchd-jobs.service AllowedCPUs=0-1
check "until they are back" wait_for 60 is "$both" state completed
alice cancel --grace 0 "$free" >/dev/null; wait_for 60 is "$free" state cancelled
systemctl set-property --runtime system.slice AllowedCPUs=0
systemctl restart batchd-worker.service
id=$(alice submit -q -- sh -c "$holds")
check "of a slice that has one a job runs" wait_for 60 said "$id"
same "on that" 0 "$(batchctl logs "$id")"
systemctl set-property --runtime system.slice AllowedCPUs=0-1
same "workers of that time have all that come back" 0-1 "$(cat "$jobs/worker-$(field "$id" worker)/cpuset.cpus.effective")"
alice cancel --grace 0 "$id" >/dev/null
rm -rf /run/systemd/system.control # what was set here, which is added to what follows

# ---- what the units are kept to ----
# kept UNIT SETTING: it alone, with all that ran started anew
kept() {
    rm -f /run/systemd/system/batchd-{worker,jobs}.service.d/kept.conf
    mkdir -p "/run/systemd/system/$1.d"; printf '[Service]\n%s\n' "$2" >"/run/systemd/system/$1.d/kept.conf"
    systemctl stop batchd.service batchd.socket batchd-http.socket
    systemctl kill --kill-whom=main --signal=TERM batchd-worker.service
    wait_for 20 bash -c "! pgrep -f 'batchd-worker --worker'"
    systemctl stop batchd-worker.service batchd-jobs.service
    systemctl daemon-reload; systemctl start batchd-jobs.service batchd.socket batchd-worker.service
    wait_for 60 alice ping
}
# sees LIST: of two that are to be bound one is, to this, and the other waits; what is not bound has it, too
sees() {
    one=$(bound -- sh -c "$holds"); two=$(bound -- sh -c "$holds"); free=$(alice submit -q -- sh -c "$shows")
    wait_for 60 is "$free" state completed
    same "  what is not bound cannot leave it" "$1" "$(batchctl logs "$free")"
    check "  one that is bound runs" wait_for 60 said "$one"
    same "  on that" "$1=$1=$1 $1" "$(has "$one") $(batchctl logs "$one")"
    check "  the second waits" wait_for 20 is "$two" 'reasons[0]' Resources
    alice cancel --grace 0 "$one" "$two" >/dev/null
    for id in "$one" "$two"; do wait_for 60 is "$id" state cancelled; done
}
for unit in batchd-worker.service batchd-jobs.service; do
    for setting in AllowedCPUs=1 AllowedCPUs=0; do
        kept $unit $setting; echo "     $unit: $setting"; sees "${setting#*=}"
    done
done
kept batchd-worker.service CPUAffinity=1; echo "     batchd-worker.service: CPUAffinity=1"; sees 1

# ---- what its unit is kept to while the spawner runs ----
kept batchd-worker.service ''
id=$(alice submit -q -- sh -c "$holds"); wait_for 60 said "$id"
systemctl set-property --runtime batchd-worker.service AllowedCPUs=1
spawner_has() { [ "$(taskset -pc "$(main_of batchd-worker.service)" | sed 's/.*: //')" = "$1" ]; }
check "a spawner that runs is kept to another" wait_for 20 spawner_has 1
for _ in 1 2 3 4 5; do # more than there are idle workers
    alice submit -q -- sh -c "$holds"
done >/tmp/more
while read -r more; do wait_for 60 said "$more"; done </tmp/more
same "and workers that it makes then, too" 1 "$(batchctl logs "$(tail -1 /tmp/more)")"
same "what is older is not" 0-1 "$(allowed "$id")"
rm -rf /run/systemd/system.control

# ---- a person's own, whose services were handed cpusets on as well ----
mkdir -p /etc/systemd/system/user@.service.d
printf '[Service]\nDelegate=cpu cpuset io memory pids\n' >/etc/systemd/system/user@.service.d/batchd.conf
systemctl daemon-reload
loginctl enable-linger bob; uid=$(id -u bob)
bob() { (cd /tmp && runuser -u bob -- env XDG_RUNTIME_DIR="/run/user/$uid" "$@"); }
wait_for 20 bob systemctl --user is-system-running
check "a person's own starts" bob systemctl --user start batchd.service
one=$(bob batchctl submit -q --cpu-bind cores -- sh -c "$holds")
check "its bound job runs" wait_for 60 bash -c "[ -n \"\$(cd /tmp && runuser -u bob -- env XDG_RUNTIME_DIR=/run/user/$uid batchctl logs $one)\" ]"
list=$(bob batchctl --json show "$one" | jq -r .cpu_list)
group=$(echo /sys/fs/cgroup/user.slice/user-"$uid".slice/user@"$uid".service/app.slice/batchd-jobs.service/state-*/worker-*/job)
like "it has one" '^[01]$' "$list"
same "which it cannot widen" "$list $list" "$(cat "$group/cpuset.cpus") $(bob batchctl logs "$one")"
finish
