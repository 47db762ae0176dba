#!/bin/bash
# Shares of a busy disk by weight and by priority (limits.io_weight, submit --io-priority), where BFQ shares it
# out, and what doctor says of disks where nothing does. Debian's kernel has both kinds of weights, which
# takes --backend qemu; that of user-mode Linux knows priorities alone. Run as service.sh is (make vm).
set -uo pipefail
PROGRAMS=${PROGRAMS:-build/vm-programs}
failed=0
note() { if [ "$1" = 0 ]; then echo "ok   $2"; else echo "FAIL $2${3:+: $3}"; failed=$((failed + 1)); fi; }
check() { local what=$1 out; shift; out=$("$@" 2>&1); note $? "$what" "$(echo "$out" | tail -5)"; }
same() { [ "$2" = "$3" ]; note $? "$1" "expected \"$2\", got \"$3\""; }
like() { [[ "$3" =~ $2 ]]; note $? "$1" "expected /$2/, got \"$3\""; }
wait_for() {
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done
}
alice() { (cd /tmp && runuser -u alice -- batchctl "$@"); }
field() { batchctl --json show "$1" | jq -r ".$2"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; }
in_group() { cat "/sys/fs/cgroup/system.slice/batchd-jobs.service/worker-$(field "$1" worker)/$2" 2>/dev/null || echo none; }
told() { batchctl doctor --json | jq -r ".checks[] | select(.group == \"jobs\" and .name == \"disk weights\") | .$1"; }
settings() { # [limits]; a worker stays, for doctor to look at
    printf '[resources]\ncpus = 4\n[workers]\nmin = 1\n[limits]\n%s\n' "$1" >/etc/batchd/config.toml
    systemctl restart batchd.service; wait_for 60 alice ping
}

make install PREFIX=/usr OUT="$PROGRAMS" >/tmp/install.log 2>&1 || { tail /tmp/install.log; exit 1; }
systemd-sysusers; systemd-tmpfiles --create /usr/lib/tmpfiles.d/batchd.conf
mkdir -p /etc/batchd; printf '[resources]\ncpus = 4\n' >/etc/batchd/config.toml
systemctl daemon-reload
systemctl start batchd.socket batchd-worker.service
# One command at a time, 4 ms each: a disk of 16 MB/s with blocks of 64 KiB.
modprobe bfq && modprobe scsi_debug dev_size_mb=48 delay=0 ndelay=4000000 max_queue=1 || exit 1
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
reads="import mmap, os, random, sys, time
disk = os.open('/dev/$disk', os.O_RDONLY | os.O_DIRECT); block = mmap.mmap(-1, 65536); done = 0
while not os.path.exists('/tmp/go'): time.sleep(0.05)
end = time.monotonic() + 10
while time.monotonic() < end: os.preadv(disk, [block], 65536 * random.randrange(700)); done += 1
print(done)"
reader() { alice submit -q -n reads "$@" -- python3 -c "$reads"; }
# compare ID ID: the blocks that the first had for 100 of the second
compare() {
    wait_for 60 is "$1" state running; wait_for 60 is "$2" state running
    sleep 1; touch /tmp/go; wait_for 60 is "$1" state completed; wait_for 60 is "$2" state completed; rm /tmp/go
    local n; n=$(batchctl logs "$2")
    echo $(($(batchctl logs "$1") * 100 / (n > 0 ? n : 1)))
}
# one_of_three WHAT LEAST PAIR...: who gets more of the two jobs that PAIR makes as `first` and `second`. Where the
# machine's processors are busier than the disk nothing is shared out: one of three is to show it.
one_of_three() {
    local what=$1 least=$2 ratios="" ratio=0; shift 2
    for _ in 1 2 3; do
        "$@"; ratio=$(compare "$first" "$second"); ratios+=" $ratio"
        [ "$ratio" -lt "$least" ] || break
    done
    check "$what (ratios in 100:$ratios)" test "$ratio" -ge "$least"
}
by_priority() { first=$(reader); second=$(reader --io-priority "$1"); }
by_weight() {
    settings 'io_weight = 300'; first=$(reader); wait_for 60 is "$first" state running
    settings 'io_weight = 100'; second=$(reader); wait_for 60 is "$second" state running
}
by_weight
weights="$(in_group "$first" io.bfq.weight) $(in_group "$second" io.bfq.weight)"
touch /tmp/go; wait_for 60 is "$first" state completed; wait_for 60 is "$second" state completed; rm /tmp/go
if [[ "$weights" =~ none ]]; then
    echo "     BFQ has no weights of groups in this kernel"
else
    like "weights, as BFQ has them" '300 .*100$' "$weights"
    one_of_three "who has more weight gets more of the disk" 140 by_weight
fi
one_of_three "who asked for a lower priority gets less" 150 by_priority best-effort:7
one_of_three "so does who is idle" 150 by_priority idle
[ $failed = 0 ] || { journalctl -u batchd.service -u batchd-worker.service --no-pager | tail -30; }
echo "$failed failed"
[ $failed = 0 ]
