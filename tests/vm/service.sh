#!/bin/bash
# batchd as a service on a machine with systemd: whom jobs run as, who reaches what, and what of it outlives
# whose end.
# shellcheck source=tests/vm/common.sh
. tests/vm/common.sh || exit 1

state=/var/lib/batchd
marks=/tmp/marks
socket=/run/batchd/batchd.sock

ctl() { local user=$1; shift; (cd /tmp && runuser -u "$user" -- batchctl "$@"); }
# A job that says when it runs twice at the same time: the lock is held as long as its tree lives, and
# a part of that tree notices nothing of its worker's death.
counter() { # counter NAME LINES EXIT
    echo "exec 9>>$marks/$1.lock; flock -n 9 || echo twice >>$marks/double
          setsid sleep 1000 >/dev/null 2>&1 & echo \$! >>$marks/$1.hidden
          echo \$\$ >>$marks/$1.starts; i=0
          while [ \$i -lt $2 ]; do i=\$((i+1)); echo \"line \$i\"; sleep 0.2; done; exit $3"
}
submit() { local user=$1 name=$2; shift 2; ctl "$user" submit -q -n "$name" -- sh -c "$(counter "$name" "$@")"; }
starts() { cat "$marks/$1.starts" 2>/dev/null | wc -l; }
alive() { kill -0 "$(head -1 "$marks/$1.starts")"; }
lines_of() { batchctl logs "$1" 2>/dev/null | grep -c '^line '; }
worker_of() { pgrep -f "batchd-worker --worker $(field "$1" worker) "; }
# ended_right NAME ID EXIT LINES: it ended as it should, run once, each line once
ended_right() {
    wait_for 60 is "$2" state failed
    same "$1: its own exit status" "$3" "$(field "$2" outcome.exit_code)"
    same "$1: each line once" "$4" "$(lines_of "$2")"
}

mkdir -p $marks; chmod 1777 $marks
usermod -aG video alice
configure ''

# ---- install ----
install_programs
check "the catalog is taken" journalctl --update-catalog
same "systemd-analyze verify has nothing to say" "" \
    "$(systemd-analyze verify --man=no batchd.service batchd.socket batchd-http.socket batchd-gpu.socket batchd-worker.service batchd-jobs.service 2>&1)"
like "exposure of the front is at most 0.5" ' 0\.[0-5] ' \
    "$(systemd-analyze security --no-pager batchd.service | tail -1)"
systemctl enable -q batchd.socket batchd-worker.service batchd.service

# ---- socket activation ----
check "socket and workers start" systemctl start batchd.socket batchd-worker.service
same "batchd does not run yet" inactive "$(systemctl is-active batchd.service)"
check "a client's connection starts it" ctl alice ping
same "batchd runs" active "$(systemctl is-active batchd.service)"
same "the socket is systemd's" "root 666" "$(stat -c '%U %a' $socket)"
pid=$(main_of batchd.service)
same "the front is unprivileged" "batchd 0000000000000000" \
    "$(stat -c %U /proc/"$pid") $(awk '/^CapEff/{print $2}' /proc/"$pid"/status)"
same "batchd outlives the end of a process of its own for want of memory" continue \
    "$(systemctl show -p OOMPolicy --value batchd.service)"
same "the spawner is root" root "$(stat -c %U /proc/"$(main_of batchd-worker.service)")"

# ---- whom jobs run as ----
dump='id -un; id -gn; id -Gn; pwd; umask; echo "$HOME $USER $LOGNAME $SHELL"
env | grep -E "^(NOTIFY_SOCKET|LISTEN_|WATCHDOG_)" | wc -l
i=0; while [ $i -lt 256 ]; do [ -e /proc/$$/fd/$i ] && printf "$i "; i=$((i+1)); done; echo
grep -E "^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs)" /proc/self/status | tr -d "\n\t" ; echo
cat /proc/self/oom_score_adj'
id=$(ctl alice submit -q -w -C /home/alice -- sh -c "$dump") ; id=${id:-1}
same "alice's job: user, groups, folder, umask, environment, descriptors, rights" \
"alice
alice
alice video
/home/alice
0022
/home/alice alice alice /bin/bash
0
0 1 2 
CapInh:0000000000000000CapPrm:0000000000000000CapEff:0000000000000000CapAmb:0000000000000000NoNewPrivs:1
0" "$(batchctl logs 1)"
id=$(ctl bob submit -q -w --env-policy none --env USER=x -- /bin/sh -c 'id -un; echo "$HOME $USER $SHELL"')
same "bob's job: what it names itself stays, the rest is the account's" "bob
/home/bob x /bin/bash" "$(batchctl logs 2)"
check "a job may open /dev/stderr and /dev/stdout" ctl alice submit -q -w -C /home/alice -- \
    sh -c 'echo error >/dev/stderr && echo out >/dev/stdout'
same "and both arrive" "out
error" "$(ctl alice logs @last 2>&1 | sort -r)"
check "a FIFO as stdin holds no worker" bash -c "runuser -u alice -- mkfifo /home/alice/fifo &&
    ! runuser -u alice -- batchctl submit -q -w -C /home/alice --stdin /home/alice/fifo -- cat"
check "a folder that only the job's user may enter" ctl bob submit -q -w -C /home/bob -- true
ctl bob submit -q -w -C /root -- true 2>/dev/null
same "a folder that the job's user may not enter" "null spawn" "$(field 4 outcome.exit_code) $(field 4 outcome.class)"
refusal=$(batchctl submit -- id 2>&1); code=$?
same "root's jobs are refused" 5 $code
like "and the refusal says the rule" "jobs never run as uid 0; the lowest is 1000" "$refusal"
check "a socket that others cannot reach" bash -c "! runuser -u alice -- test -w $state/workers/spawner.sock"

# ---- nobody touches another's ----
id=$(submit bob private 200 7)
wait_for 20 is "$id" state running
for verb in show cancel logs wait; do
    there=$(ctl alice $verb "$id" 2>&1); code=$?
    absent=$(ctl alice $verb 99999 2>&1)
    same "alice's $verb of bob's job: no such job" "4 $(echo "$absent" | sed "s/99999/$id/g")" "$code $there"
done
same "alice's list has no job of bob's" 0 "$(ctl alice --json list --all | jq '[.[] | select(.user != "alice")] | length')"
same "root's list has both" '["alice","bob"]' "$(batchctl --json list --all | jq -c '[.[].user] | unique')"
same "bob's job runs on" running "$(field "$id" state)"
same "its output is root's, for batchd to read" "root batchd 640" "$(stat -c '%U %G %a' $state/jobs/"$id"/1.out)"
check "batchd can read it" runuser -u batchd -- head -c1 $state/jobs/"$id"/1.out
check "batchd cannot write it" bash -c "! runuser -u batchd -- test -w $state/jobs/$id/1.out"
check "batchd cannot put another in its place" bash -c "! runuser -u batchd -- test -w $state/jobs/$id"
check "its own user cannot reach it" bash -c "! runuser -u bob -- test -e $state/jobs/$id/1.out"
like "STATUS says what runs" "^1 running, 0 waiting$" "$(wait_for 5 bash -c 'systemctl show -p StatusText --value batchd.service | grep -q "^1 running"'; systemctl show -p StatusText --value batchd.service)"
check "bob cancels it" ctl bob cancel "$id"
check "and it is gone" wait_for 20 is "$id" state cancelled

# ---- checkpoints and outputs: what is the user's is done as the user ----
same "jobs pass through the state folder, nobody lists it" "batchd 751 root 711" \
    "$(stat -c '%U %a' $state) $(stat -c '%U %a' $state/checkpoints)"
check "nor do they" bash -c "! runuser -u bob -- ls $state && ! runuser -u bob -- ls $state/checkpoints"
mine=$state/checkpoints/$(id -u alice)
id=$(ctl alice submit -q -C /home/alice --output result --check 'id -un >checked; test -s "$1"' -- sh -c '
    if [ -z "$BATCHD_CHECKPOINT" ]; then id -un >s; batchctl checkpoint commit s; touch made; sleep 1000; fi
    cat "$BATCHD_CHECKPOINT" >"$BATCHD_OUTPUT"')
check "a job makes a checkpoint" wait_for 30 test -e /home/alice/made
same "in a folder of its user" "alice 700 alice 700" "$(stat -c '%U %a' "$mine") $(stat -c '%U %a' "$mine/$id")"
check "another user cannot reach it" bash -c "! runuser -u bob -- test -e $mine/$id && ! runuser -u batchd -- test -e $mine/$id"
check "nor make a folder beside it" bash -c "! runuser -u alice -- mkdir $state/checkpoints/1 $state/x"
like "show tells of it" "checkpoint: 1 by attempt 1" "$(ctl alice show "$id")"
kill -9 "$(worker_of "$id")"
check "its worker dies, and it goes on" wait_for 60 is "$id" state completed
same "from there" '{"number":1,"attempt":1}' "$(batchctl --json show "$id" | jq -c .resumed_from)"
same "its output and its check are alice's" "alice alice alice" \
    "$(stat -c %U /home/alice/result) $(cat /home/alice/result) $(cat /home/alice/checked)"
ctl alice submit -q -w -C /home/alice --output /etc/batchd-job-was-here -- sh -c 'echo x >"$BATCHD_OUTPUT"' 2>/dev/null
check "no output where the user may not write" test ! -e /etc/batchd-job-was-here
other=$(ctl alice submit -q -C /home/alice --output /etc/passwd -- true)
check "nor is what others wrote taken for it" wait_for 20 is "$other" state failed
mkdir /var/tmp/kept; touch /var/tmp/kept/file
mkdir "$mine/$id/roots"; touch "$mine/$id/roots/file" # as if a hole elsewhere had put it there
runuser -u alice -- ln -s /var/tmp/kept "$mine/$id/link"
ctl alice prune -q --older 0 "$id"
check "its job is removed" wait_for 20 bash -c "! batchctl show $id"
sleep 1
check "with what is its user's: a link is not followed, another's folder is left" \
    bash -c "test -e /var/tmp/kept/file -a -e $mine/$id/roots/file"
rm -r "${mine:?}/$id"

# ---- batchd restarts, jobs do not ----
id=$(submit alice restarts 60 7)
wait_for 20 is "$id" state running
check "systemctl restart batchd" systemctl restart batchd.service
same "the job still runs" running "$(field "$id" state)"
pid=$(main_of batchd.service)
kill -KILL "$pid"
check "after SIGKILL there is a new batchd" wait_for 20 changed batchd.service "$pid"
check "systemctl stop batchd" systemctl stop batchd.service
check "the job lives without batchd" alive restarts
check "a connection starts it again" batchctl ping
ended_right "restarted three times" "$id" 7 60
same "restarted three times: started once" 1 "$(starts restarts)"

# ---- the journal ----
check "journalctl BATCHD_JOB_ID= finds its lines" bash -c "journalctl BATCHD_JOB_ID=$id -o json | jq -se '
    map(.BATCHD_STATE) == [\"running\", \"failed\"] and .[1].BATCHD_EXIT_STATUS == \"7\" and .[1].BATCHD_UID == \"$(id -u alice)\"'"
check "journalctl -x explains them" bash -c "journalctl -x BATCHD_JOB_ID=$id | grep -q 'batchctl show --attempts $id'"
same "nothing of the job's own text is in the journal" 0 "$(journalctl -u batchd.service | grep -c 'line 1')"

# ---- predictions ----
# Nobody starts while the first has all processors; the starts of the tasks behind it take a while to tell.
first=$(ctl alice submit -q -c4 -e 1h -- sleep 1000)
wait_for 20 is "$first" state running
id=$(ctl alice submit -q -c4 -e 10s --array 1-20000 -- true)
pid=$(main_of batchd.service)
predict() { while :; do batchctl why "$id" >/dev/null 2>&1; done; }
predict & predicting=$!
check "a prediction's process is behind the jobs" timeout 30 bash -c "until ps --ppid $pid -o ni= | grep -qw 10; do :; done" # it lasts some ms
kill $predicting; wait $predicting 2>/dev/null
ctl alice cancel -q "$id" "$first"
check "and what it was about is gone" wait_for 20 is "$first" state cancelled

# ---- the watchdog ----
mkdir -p /run/systemd/system/batchd.service.d
printf '[Service]\nWatchdogSec=3\n' >/run/systemd/system/batchd.service.d/watchdog.conf
systemctl daemon-reload; systemctl restart batchd.service
id=$(submit alice watchdog 50 7)
wait_for 20 is "$id" state running
pid=$(main_of batchd.service)
sleep 4 # longer than the watchdog's time: an idle loop must feed it
same "an idle batchd is left alone" "$pid" "$(main_of batchd.service)"
kill -STOP "$pid"
check "a stopped batchd is replaced" wait_for 30 changed batchd.service "$pid"
same "by the watchdog" watchdog "$(journalctl -u batchd.service -o cat | grep -q 'Watchdog timeout' && echo watchdog)"
ended_right "watchdog" "$id" 7 50
same "watchdog: started once" 1 "$(starts watchdog)"

# ---- the spawner restarts, jobs do not ----
id=$(submit alice spawner 60 7)
wait_for 20 is "$id" state running
pid=$(main_of batchd-worker.service)
check "systemctl restart batchd-worker" systemctl restart batchd-worker.service
check "is another process" changed batchd-worker.service "$pid"
check "the job lives on" alive spawner
pid=$(main_of batchd-worker.service)
kill -KILL "$pid"
check "after SIGKILL there is a new spawner" wait_for 20 changed batchd-worker.service "$pid"
check "the job lives on" alive spawner
other=$(submit bob beside 10 3)
check "a new job starts beside it" wait_for 30 is "$other" state running
same "while the first runs" running "$(field "$id" state)"
check "batchd adopts a worker that no spawner knows" systemctl restart batchd.service
ended_right "spawner restarted twice" "$id" 7 60
ended_right "the job beside" "$other" 3 10
same "spawner restarted twice: started once" 1 "$(starts spawner)"

# ---- a worker that its spawner did not outlive ----
id=$(submit alice orphan 50 7)
wait_for 20 is "$id" state running
systemctl restart batchd-worker.service
worker=$(worker_of "$id"); first=$(tail -1 $marks/orphan.hidden)
kill -KILL "$worker"
check "its job is run again" wait_for 30 is "$id" attempt 2
check "when the first is dead" bash -c "! kill -0 $first"
ended_right "a worker without its spawner dies" "$id" 7 50
same "started twice, one after the other" 2 "$(starts orphan)"

id=$(submit alice both 50 7)
wait_for 20 is "$id" state running
worker=$(worker_of "$id"); first=$(tail -1 $marks/both.hidden)
kill -KILL "$(main_of batchd-worker.service)" "$worker"
check "worker and spawner killed: its job is run again" wait_for 30 is "$id" attempt 2
check "when the first is dead" bash -c "! kill -0 $first"
ended_right "worker and spawner killed" "$id" 7 50
same "the lost attempt was not charged" "1 1" "$(field "$id" charged) $(field "$id" losses)"

id=$(submit alice everything 25 7)
wait_for 20 is "$id" state running
systemctl kill --signal=KILL batchd-worker.service batchd-jobs.service
check "the whole unit killed: its job is run again" wait_for 30 is "$id" attempt 2
ended_right "the whole unit killed" "$id" 7 25

id=$(submit alice told 25 7)
wait_for 20 is "$id" state running
systemctl kill --kill-whom=main --signal=TERM batchd-worker.service
check "SIGTERM to the spawner ends the jobs, which are run again" wait_for 30 is "$id" attempt 2
ended_right "told to end" "$id" 7 25
check "nothing ran twice at a time" test ! -e $marks/double
check "nothing of an ended job is left" bash -c "! kill -0 $(cat $marks/*.hidden | tr '\n' ' ')"

# ---- folders of the dead ----
id=$(submit alice folders 50 7)
wait_for 20 is "$id" state running
live=$(field "$id" worker)
# As the front would, if it were taken over: asks for the removal of a worker that lives.
runuser -u batchd -- /usr/bin/python3 - "$live" <<'P'
import socket, struct, sys
def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
payload = struct.pack("<Q", int(sys.argv[1]))
for kind in (32, 33):
    body = struct.pack("<HHI", 1, kind, len(payload))
    link = socket.socket(socket.AF_UNIX)
    link.connect("/var/lib/batchd/workers/spawner.sock")
    link.sendall(b"BATR" + body + struct.pack("<I", crc32c(body + payload)) + payload)
    if kind == 33:
        answer = link.recv(100)
        assert struct.unpack_from("<H", answer, 6)[0] == 34, answer
P
note $? "the spawner answers a request about a living worker"
check "and leaves it alone" alive folders
check "its folder too" test -S $state/workers/"$live"/sock
check "no folder is left but those of workers" wait_for 20 bash -c "[ \$(ls $state/workers | grep -c '^[0-9]') = \$(batchctl --json status | jq '.workers | length') ]"
check "no control group either" bash -c "[ \$(ls -d /sys/fs/cgroup/system.slice/batchd-jobs.service/worker-* | wc -l) = \$(batchctl --json status | jq '.workers | length') ]"
mkdir -m750 $state/workers/4242; touch $state/workers/4242/lock
systemctl restart batchd.service
check "a folder that nobody knows is removed at the start" wait_for 20 test ! -e $state/workers/4242
ended_right "folders" "$id" 7 50

# ---- fair share ----
# What alice has used counts after a restart; all that the checks above used is forgotten by then.
id -u carol >/dev/null 2>&1 || useradd -m carol
configure '[queues.default]
policy = "fair"
[fair_share]
half_life = "1s"'
sleep 20
systemctl restart batchd.service
ctl alice submit -q -w -c4 -- sleep 2
hold=$(ctl carol submit -q -c4 -- sh -c "until [ -e $marks/fair ]; do sleep 0.1; done")
wait_for 20 is "$hold" state running
systemctl restart batchd.service
first=$(ctl alice submit -q -c4 -- true)
second=$(ctl bob submit -q -c4 -- true)
touch $marks/fair
wait_for 20 is "$first" state completed
check "fair share over a restart: who used less goes first" test "$(field "$second" started_at)" -lt "$(field "$first" started_at)"

# ---- a site that lets jobs use sudo ----
mkdir -p /run/systemd/system/batchd-worker.service.d
printf '[Service]\nExecStart=\nExecStart=%s --allow-setuid\n' \
    "$(sed -n 's/^ExecStart=//p' /lib/systemd/system/batchd-worker.service)" \
    >/run/systemd/system/batchd-worker.service.d/setuid.conf
systemctl daemon-reload
systemctl kill --kill-whom=main --signal=TERM batchd-worker.service
wait_for 20 bash -c "! pgrep -f 'batchd-worker --worker'"
id=$(ctl alice submit -q -- grep NoNewPrivs /proc/self/status)
wait_for 20 is "$id" state completed
same "--allow-setuid lets jobs gain rights" "NoNewPrivs:0" "$(batchctl logs "$id" | tr -d '\t')"

finish
