#!/bin/bash
# Shares of a busy disk by weight and by priority (limits.io_weight, submit --io-priority), where BFQ shares it
# out, and what doctor says of disks where nothing does. Debian's kernel has both kinds of weights, which
# takes --backend qemu; that of user-mode Linux knows priorities alone.
# shellcheck source=tests/vm/common.sh
. tests/vm/common.sh || exit 1
in_group() { cat "/sys/fs/cgroup/system.slice/batchd-jobs.service/worker-$(field "$1" worker)/$2" 2>/dev/null || echo none; }
told() { batchctl doctor --json | jq -r ".checks[] | select(.group == \"jobs\" and .name == \"disk weights\") | .$1"; }
settings() { # [limits]; a worker stays, for doctor to look at
    configure "[workers]
min = 1
[limits]
$1"
    systemctl restart batchd.service; wait_for 60 alice ping
}

configure ''
install_programs
systemctl start batchd.socket batchd-worker.service
# One command at a time, 20 ms each, so that the processors wait for it, and not it for them.
modprobe bfq && modprobe scsi_debug dev_size_mb=48 delay=0 ndelay=$((20000000 * slowness)) max_queue=1 || exit 1
wait_for 20 ls -d /sys/block/sd*
disk=$(basename "$(ls -d /sys/block/sd* | head -1)")
wait_for 20 test -e "/dev/$disk"; chmod 666 "/dev/$disk"

# ---- what doctor says ----
same "disk weights are of control groups, which there are none of yet" unknown "$(told state)"
settings ''
(cd /tmp && runuser -u alice -- batchctl submit --wait -q -- true) >/dev/null
echo mq-deadline >"/sys/block/$disk/queue/scheduler"
same "weights without effect are no fault while nobody wants them" ok "$(told state)"
like "but are told" "do not count on .*$disk \(mq-deadline\)" "$(told found)"
settings 'io_weight = 300'
(cd /tmp && runuser -u alice -- batchctl submit --wait -q -- true) >/dev/null
same "wanted, they are" warning "$(told state)"
like "with what helps" "modprobe bfq && echo bfq >/sys/block/[a-z0-9]*/queue/scheduler" "$(told fix)"
for found in $(ls /sys/block); do
    [ ! -e "/sys/block/$found/device" ] || [ ! -e "/sys/block/$found/queue/scheduler" ] ||
        sh -c "$(told fix | sed "s/^as root: //; s/ (an udev.*//; s,/block/[a-z0-9]*/,/block/$found/,")"
done
same "and that helps" ok "$(told state)"
like "on all" "^they count on .*$disk" "$(told found)"

# ---- what jobs get ----
# Eight at a time, so that one always waits for the disk, however busy the machine's processors are. Counted is
# what both begin while both read.
reads="import mmap, os, random, threading, time
disk = os.open('/dev/$disk', os.O_RDONLY | os.O_DIRECT); done = []
def read():
    block = mmap.mmap(-1, 4096)
    while (now := time.time()) < begin + 10 + 5 * $slowness: os.preadv(disk, [block], 4096 * random.randrange(12000)); done.append(now)
while not os.path.exists('/tmp/go'): time.sleep(0.05)
begin = os.stat('/tmp/go').st_mtime + 4 * $slowness
threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sum(at >= begin for at in done))"
reader() { alice submit -q -n reads "$@" -- python3 -c "$reads"; }
# compare ID ID: the blocks that the first had for 100 of the second
compare() {
    wait_for 60 is "$1" state running; wait_for 60 is "$2" state running
    sleep 1; touch /tmp/go; wait_for 60 is "$1" state completed; wait_for 60 is "$2" state completed; rm /tmp/go
    local n; n=$(batchctl logs "$2")
    echo $(($(batchctl logs "$1") * 100 / (n > 0 ? n : 1)))
}
# of_three HITS WHAT LEAST MOST PAIR...: who gets how much of the two jobs that PAIR makes as `first` and `second`.
# Where the machine is so busy that one of them is late nothing is shared out: of a difference one of three is to
# show it, of none two.
of_three() {
    local hits=$1 what=$2 least=$3 most=$4 ratios="" ratio; shift 4
    for _ in 1 2 3; do
        [ "$hits" -gt 0 ] || break
        "$@"; ratio=$(compare "$first" "$second"); ratios+=" $ratio"
        [ "$ratio" -lt "$least" ] || [ "$ratio" -gt "$most" ] || hits=$((hits - 1))
    done
    check "$what (ratios in 100:$ratios)" test "$hits" = 0
}
alike() { first=$(reader); second=$(reader); }
by_priority() { first=$(reader); second=$(reader --io-priority "$1"); }
by_weight() {
    settings 'io_weight = 300'; first=$(reader); wait_for 60 is "$first" state running
    settings 'io_weight = 100'; second=$(reader); wait_for 60 is "$second" state running
    weights="$(in_group "$first" io.bfq.weight) $(in_group "$second" io.bfq.weight)"
}
# What else makes two differ would show between two that are the same.
of_three 2 "two that are the same get the same" 72 139 alike
if compgen -G "/sys/fs/cgroup/*/io.bfq.weight" >/dev/null; then
    of_three 1 "who has more weight gets more of the disk" 140 1000 by_weight
    like "their weights, as BFQ has them" '^(default )?300 (default )?100$' "$weights"
else
    echo "     BFQ of this kernel has no weights of groups, so these are not looked at"
fi
of_three 1 "who asked for a lower priority gets less" 150 100000 by_priority best-effort:7
of_three 1 "so does who is idle" 150 100000 by_priority idle
finish
