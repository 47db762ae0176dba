#!/bin/bash
# Jobs that a server of their processor does (worker/server.h), on a machine with systemd: its control
# group, its memory, its end and its halt. Run as service.sh is (make vm).
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
counts() { local before; before=$(wc -c <"$1"); sleep 0.5; [ "$(wc -c <"$1")" != "$before" ]; }
stands() { ! counts "$1"; }

make install PREFIX=/usr OUT="$PROGRAMS" >/tmp/install.log 2>&1 || { tail /tmp/install.log; exit 1; }
systemd-sysusers; systemd-tmpfiles --create /usr/lib/tmpfiles.d/batchd.conf
python3 -c 'import pathlib, sys; sys.path.insert(0, "tests/lib"); import serving; serving.install(pathlib.Path("/srv/types"))'
mkdir -p /etc/batchd
printf '[resources]\ncpus = 4\n[workers]\nmin = 1\nmax = 1\nstop_grace = "2s"\n[processors]\npath = "/srv/types"\n[breakers]\nenabled = false\n' \
    >/etc/batchd/config.toml
systemctl daemon-reload
systemctl start batchd.socket batchd-worker.service
# Three of a kind, the last of which is served and runs this; then what it is shown as. Between two jobs
# a server may have ended on a slow machine, for want of another. `before` is what the first two run.
before=pass
server() {
    local id script
    script="if env['BATCHD_ARRAY_INDEX'] != '2': exec('''$before''')
else:
$(echo "$1" | sed 's/^/    /')"
    id=$(alice submit -q -m 64M --array 0-2 --type server --param "script=$script")
    echo "${id}_2"
}
fact() { field "$1" "result.facts.$2"; }
ended() { [ "$(field "$1" ended_at)" != null ]; }
serve() { local id; id=$(server "$1"); wait_for 120 ended "$id"; echo "$id"; }
waits="while not os.path.exists('/tmp/enough'): time.sleep(0.05)"

rm -f /tmp/enough /tmp/pid
id=$(server "open('/tmp/pid', 'w').write(str(os.getpid()))
$waits")
wait_for 60 test -s /tmp/pid
pid=$(cat /tmp/pid)
group=/sys/fs/cgroup$(cut -d: -f3 "/proc/$pid/cgroup")
same "its server is in a group of its own beside the job's" server "$(basename "$group")"
same "with the memory of its jobs" $((64 << 20)) "$(cat "$group/memory.max")"
touch /tmp/enough; wait_for 60 ended "$id"
same "it is served" "true $pid" "$(fact "$id" served) $(fact "$id" pid)"
check "without jobs its server ends" wait_for 60 test ! -e "/proc/$pid"
check "and its group with it" wait_for 20 test ! -e "$group"

id=$(serve "data = bytearray(20 << 20)")
check "what the server used is the job's" test "$(field "$id" usage.max_rss_bytes)" -ge $((20 << 20))

rm -f /tmp/enough
at_least() { [ "$(field "$1" "$2")" -ge "$3" ]; }
before='end = time.process_time() + 0.4
while time.process_time() < end: pass'
for _ in 1 2 3; do # who ran for 2 s is served no more: that may be on a slow machine
    rm -f /tmp/enough; id=$(server "$waits"); wait_for 60 at_least "$id" live.memory_bytes 1
    source=$(field "$id" live.memory_source) cpu=$(field "$id" live.cpu_ms); touch /tmp/enough; wait_for 60 ended "$id"
    [ "$source" != sampled ] || break
done
check "what its server did before is not among it ($source, $cpu ms)" test "$source" = sampled -a "$cpu" -lt 300
before=pass; rm -f /tmp/enough
id=$(server "import subprocess
subprocess.run(['/usr/bin/python3', '-c', 'import os, time; data = bytearray(30 << 20)\\nwhile not os.path.exists(\"/tmp/enough\"): time.sleep(0.05)'])")
check "what it uses is seen while it runs" wait_for 60 at_least "$id" live.memory_bytes $((30 << 20))
same "of batchd-job, the server and its child" "3 sampled" "$(field "$id" live.processes) $(field "$id" live.memory_source)"
touch /tmp/enough; wait_for 60 ended "$id"
check "of a child of the server the peak is the job's, too" at_least "$id" usage.max_rss_bytes $((30 << 20))
same "who was served and ended well" "completed true" "$(field "$id" state) $(fact "$id" served)"

id=$(serve "data = [bytearray(1 << 20) for _ in range(400)]")
same "over its memory: class and signal" "oom 9" "$(field "$id" outcome.class) $(field "$id" outcome.signal)"
check "and what it had is told" test "$(field "$id" usage.max_rss_bytes)" -ge $((50 << 20))
id=$(serve "pass")
same "others are served again" true "$(fact "$id" served)"

rm -f /tmp/enough
id=$(server "f = open('/tmp/counted', 'w')
while not os.path.exists('/tmp/enough'): f.write('x'); f.flush(); time.sleep(0.05)")
wait_for 60 counts /tmp/counted
check "it is suspended" alice suspend "$id"
wait_for 20 stands /tmp/counted
check "then it stands" stands /tmp/counted
check "and so does its server, by the kernel" wait_for 20 grep -q "frozen 1" "$group/cgroup.events"
check "it is resumed" alice resume "$id"
check "then it goes on" wait_for 20 counts /tmp/counted
touch /tmp/enough; wait_for 60 ended "$id"
same "and ends well, by the server" "completed true" "$(field "$id" state) $(fact "$id" served)"

id=$(server "if os.fork() == 0:
    os.setsid(); f = open('/tmp/child', 'w')
    while True: f.write('x'); f.flush(); time.sleep(0.05)
time.sleep(1000)")
wait_for 60 counts /tmp/child
check "it is cancelled" alice cancel "$id"
wait_for 60 is "$id" state cancelled
same "as cancelled" cancelled "$(field "$id" state)"
check "nothing is left in the group of its server" test -z "$(cat "$group/cgroup.procs" 2>/dev/null)"
check "and no child of it counts" stands /tmp/child
[ $failed = 0 ] || { journalctl -u batchd.service -u batchd-worker.service --no-pager | tail -30; }
echo "$failed failed"
[ $failed = 0 ]
