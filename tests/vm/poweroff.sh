#!/bin/bash
# The machine is switched off while a job runs, and booted again: run twice as root on the same machine
# (make vm does), from the project's folder. The first run does not return.
set -uo pipefail
failed=0
note() { if [ "$1" = 0 ]; then echo "ok   $2"; else echo "FAIL $2${3:+: $3}"; failed=$((failed + 1)); fi; }
same() { [ "$2" = "$3" ]; note $? "$1" "expected \"$2\", got \"$3\""; }
wait_for() {
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done
}
field() { batchctl --json show --attempts "$1" | jq -r ".$2"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; }
job='trap "echo told; sleep 1; echo leaves; exit 9" TERM; echo attempt $BATCHD_ATTEMPT
     [ $BATCHD_ATTEMPT = 1 ] || exit 0; while :; do sleep 0.1; done'

if ! command -v batchctl >/dev/null; then
    mkdir -p /etc/batchd; printf '[resources]\ncpus = 4\n' >/etc/batchd/config.toml # this machine may have one processor
    make install PREFIX=/usr OUT="$PROGRAMS" >/dev/null && systemd-sysusers &&
        systemd-tmpfiles --create /usr/lib/tmpfiles.d/batchd.conf && systemctl daemon-reload &&
        systemctl enable -q --now batchd.socket batchd-worker.service batchd.service || exit 1
    (cd /tmp && runuser -u alice -- batchctl submit -q -- sh -c "$job"
     runuser -u alice -- batchctl submit -q -- sh -c "$job")
    wait_for 20 is 1 state running; wait_for 20 is 2 state running
    # The worker of the first job is older than the spawner that is told to stop.
    systemctl restart batchd-worker.service
    systemctl poweroff
    sleep 120
    exit 1
fi
for id in 1 2; do
    note "$(wait_for 30 is $id state completed; echo $?)" "job $id ran again after the boot" "$(field $id state)"
    same "its first attempt was told to end, and did" "attempt 1,told,leaves" "$(batchctl logs --attempt 1 $id | paste -sd,)"
    same "it counts as lost" lost "$(field $id 'attempts[0].outcome.class')"
done
echo "$failed failed"
[ $failed = 0 ]
