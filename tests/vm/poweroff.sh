#!/bin/bash
# The machine is switched off while a job runs, and booted again: run twice as root on the same machine
# (make vm does), from the project's folder. The first run does not return.
# shellcheck source=tests/vm/common.sh
. tests/vm/common.sh || exit 1

job='trap "echo told; sleep 1; echo leaves; exit 9" TERM; echo attempt $BATCHD_ATTEMPT
     [ $BATCHD_ATTEMPT = 1 ] || exit 0; while :; do sleep 0.1; done'

if ! command -v batchctl >/dev/null; then
    configure ''
    install_programs
    systemctl enable -q --now batchd.socket batchd-worker.service batchd.service || exit 1
    alice submit -q -- sh -c "$job"; alice submit -q -- sh -c "$job"
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
finish
