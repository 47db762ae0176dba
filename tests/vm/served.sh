#!/bin/bash
# Jobs that a server of their processor does (worker/server.h), on a machine with systemd: its control
# group, its memory, its end and its halt.
# shellcheck source=tests/vm/common.sh
. tests/vm/common.sh || exit 1

configure '[workers]
min = 1
max = 1
stop_grace = "2s"
[processors]
path = "/srv/types"
[breakers]
enabled = false'
install_programs
python3 -c 'import pathlib, sys; sys.path.insert(0, "tests/lib"); import serving; serving.install(pathlib.Path("/srv/types"))'
systemctl start batchd.socket batchd-worker.service
# Three of a kind, the last of which is served and runs this; then what it is shown as. Between two jobs
# a server may have ended on a slow machine, for want of another. `before` is what the first two run. In /tmp/by is
# who runs the last, and whether that is a server.
before=pass
server() { # server SCRIPT [OPTION...]
    local id script
    script="if env['BATCHD_ARRAY_INDEX'] != '2': exec('''$before''')
else:
    open('/tmp/by', 'a').write('%d %s\\n' % (os.getpid(), served))
$(echo "$1" | sed 's/^/    /')"
    rm -f /tmp/by
    id=$(alice submit -q -m 64M --array 0-2 "${@:2}" --type server --param "script=$script")
    echo "${id}_2"
}
find_group() { # of who runs the last, while it lives
    local pid; wait_for 60 test -s /tmp/by; read -r pid _ </tmp/by
    group=/sys/fs/cgroup$(cut -d: -f3 "/proc/$pid/cgroup")
}
was_served() { local by; read -r _ by </tmp/by; [ "$by" = True ]; }
fact() { field "$1" "result.facts.$2"; }
ended() { [ "$(field "$1" ended_at)" != null ]; }
serve() { local id; id=$(server "$@"); wait_for 120 ended "$id"; echo "$id"; }
waits="while not os.path.exists('/tmp/enough'): time.sleep(0.05)"

rm -f /tmp/enough
id=$(server "$waits")
find_group; read -r pid _ </tmp/by
same "its server is in a group of its own beside the job's" server "$(basename "$group")"
same "with the memory of its jobs" $((64 << 20)) "$(cat "$group/memory.max")"
touch /tmp/enough; wait_for 60 ended "$id"
same "it is served" "true $pid" "$(fact "$id" served) $(fact "$id" pid)"
check "without jobs its server ends" wait_for 60 test ! -e "/proc/$pid"
check "and its group with it" wait_for 20 test ! -e "$group"

id=$(serve "data = bytearray(20 << 20)")
check "what the server used is the job's" test "$(fact "$id" served)" = true -a "$(field "$id" usage.max_rss_bytes)" -ge $((20 << 20))

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

id=$(serve "data = [bytearray(1 << 20) for _ in range(400)]" --max-attempts 1)
check "a served one" was_served
same "over its memory: class and signal" "oom 9" "$(field "$id" outcome.class) $(field "$id" outcome.signal)"
check "and what it had is told" test "$(field "$id" usage.max_rss_bytes)" -ge $((50 << 20))
id=$(serve "pass")
same "others are served again" true "$(fact "$id" served)"

rm -f /tmp/enough
id=$(server "f = open('/tmp/counted', 'w')
while not os.path.exists('/tmp/enough'): f.write('x'); f.flush(); time.sleep(0.05)")
wait_for 60 counts /tmp/counted; find_group
same "a served one, in its server's group" "True server" "$(cut -d' ' -f2 /tmp/by) $(basename "$group")"
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
wait_for 60 counts /tmp/child; find_group
same "a served one and its child, in its server's group" "True server 2" \
    "$(cut -d' ' -f2 /tmp/by) $(basename "$group") $(wc -l <"$group/cgroup.procs")"
check "it is cancelled" alice cancel "$id"
wait_for 60 is "$id" state cancelled
same "as cancelled" cancelled "$(field "$id" state)"
check "nothing is left in the group of its server" wait_for 20 bash -c "[ -z \"\$(cat $group/cgroup.procs 2>/dev/null)\" ]"
check "and no child of it counts" stands /tmp/child
finish
