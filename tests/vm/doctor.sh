#!/bin/bash
# batchctl doctor on a machine with systemd, of the machine's batchd and of a person's own: what it finds is
# so, and what it tells to do, done word by word, mends it.
# shellcheck source=tests/vm/common.sh
. tests/vm/common.sh || exit 1

alice() {
    runuser -u alice -- env -C /home/alice HOME=/home/alice PATH=/usr/local/bin:/usr/bin:/bin \
        XDG_RUNTIME_DIR=/run/user/$uid "$@"
}
# told GROUP NAME MEMBER
told() { "${who[@]}" batchctl doctor --json | jq -r ".checks[] | select(.group == \"$1\" and .name == \"$2\") | .$3"; }
state() { told "$1" "$2" state; }
mended() { [ "$(state "$1" "$2")" = ok ]; }
# mend GROUP NAME: does what is told, and looks again
mend() {
    local fix; fix=$(told "$1" "$2" fix)
    "${who[@]}" sh -c "$fix" >/tmp/fix.log 2>&1
    wait_for 20 mended "$1" "$2"
    note $? "mended: $fix" "$(tail -2 /tmp/fix.log; told "$1" "$2" found)"
}

configure ''
install_programs
uid=$(id -u alice)

# ---- the machine's ----
who=(env)
systemctl start batchd.socket
same "started by systemd" ok "$(state start 'service manager')"
same "not enabled" warning "$(state start 'boot and logout')"
systemctl enable -q batchd.socket
like "enabled for its first client alone" "first client" "$(told start 'boot and logout' found)"
mend start "boot and logout"
same "with all its units" "enabled enabled enabled" \
    "$(systemctl is-enabled batchd.service batchd.socket batchd-worker.service | paste -sd' ')"
same "what confines processors is known in batchd's own sandbox" ok "$(state sandbox 'system calls')"
same "the network" ok "$(state sandbox network)"
like "landlock is as batchctl finds it" \
    "$(batchctl processors | grep -q 'no landlock' && echo '(no landlock|keeps batchd from asking)' || echo '^landlock ')" "$(told sandbox files found)"
same "control groups are unknown before there is a worker" unknown "$(state jobs 'control groups')"
(cd /tmp && runuser -u alice -- batchctl submit --wait -q -- true) >/dev/null
same "and known then" ok "$(state jobs 'control groups')"
systemctl disable -q --now batchd.socket batchd.service batchd-worker.service batchd-jobs.service

# ---- a person's own ----
who=(alice)
systemctl start "user@$uid.service"
alice sh -c 'exec /usr/sbin/batchd --user >/dev/null 2>&1' &
wait_for 20 alice batchctl ping
same "by hand" warning "$(state start 'service manager')"
mend start "service manager"
same "jobs end at logout" warning "$(state start 'boot and logout')"
id=$(alice batchctl submit -q -- sleep 999)
wait_for 20 pgrep -fx -u alice "sleep 999"
has=warning; grep -q '/job$' "/proc/$(pgrep -fx -u alice "sleep 999")/cgroup" && has=ok
same "whether jobs have groups is as it is told" "$has" "$(state jobs 'control groups')"
alice batchctl cancel -q "$id" >/dev/null
loginctl enable-linger alice # she would be asked for a password
same "lingering and enabled" ok "$(state start 'boot and logout')"
# Nothing of the one that was started by hand is left, whose processes are no part of the unit.
alice systemctl --user stop batchd.service
pkill -KILL -u alice batchd-spawner; pkill -KILL -u alice batchd-worker
alice systemctl --user start batchd.service; wait_for 20 alice batchctl ping
alice batchctl submit -q -n sleeper -- sleep 1000 >/dev/null
wait_for 20 pgrep -fx -u alice "sleep 1000"
sleeper=$(pgrep -fx -u alice "sleep 1000") # the unit for jobs has a keeper of that name
like "its job is in the unit for jobs" 'user@.*/batchd-jobs.service/.*/job' "$(cat "/proc/$sleeper/cgroup")"
same "which gives each job a group" ok "$(state jobs 'control groups')"
alice systemctl --user restart batchd.service; wait_for 20 alice batchctl ping
alice systemctl --user kill --signal=KILL --kill-whom=main batchd.service; wait_for 20 alice batchctl ping
same "its job went on all the while" "$sleeper" "$(pgrep -fx -u alice "sleep 1000")"
like "and is its still" '"running"' "$(alice batchctl list --json | jq '.[] | select(.name == "sleeper").state')"
alice systemctl --user disable -q batchd.service
like "lingering alone does not start it" "none of them" "$(told start 'boot and logout' found)"
mend start "boot and logout"
alice systemctl --user disable -q --now batchd.service
rm /usr/lib/systemd/user/batchd.service; alice systemctl --user daemon-reload
alice sh -c 'exec /usr/sbin/batchd --user >/dev/null 2>&1' &
wait_for 20 alice batchctl ping
mend start "service manager"

finish
