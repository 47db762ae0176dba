# shellcheck shell=bash
# What the scripts beside it have in common; each sources it, in the project's folder, where they are run as root
# on a machine that may be thrown away (make vm does). PROGRAMS is the folder of what was built with PREFIX=/usr.
# A check prints ok or FAIL with what it is about; finish tells how many, and fails when one has.
set -uo pipefail
PROGRAMS=${PROGRAMS:-build/vm-programs}
passed=0 failed=0
slowness=1 # how many times longer things may take here than on a machine
[ "${TESTBED:-}" != qemu ] || slowness=5

note() {
    if [ "$1" = 0 ]; then echo "ok   $2"; passed=$((passed + 1))
    else echo "FAIL $2${3:+: $3}"; failed=$((failed + 1)); fi
}
check() { local what=$1 out; shift; out=$("$@" 2>&1); note $? "$what" "$(echo "$out" | tail -5)"; }
same() { [ "$2" = "$3" ]; note $? "$1" "expected \"$2\", got \"$3\""; }
like() { [[ "$3" =~ $2 ]]; note $? "$1" "expected /$2/, got \"$3\""; }
# wait_for SECONDS CONDITION...: until the condition holds, or false
wait_for() {
    local end=$((SECONDS + $1 * slowness)); shift
    until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done
}

alice() { (cd /tmp && runuser -u alice -- batchctl "$@"); }
field() { batchctl --json show --attempts "$1" | jq -r ".$2"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; }
main_of() { systemctl show -p MainPID --value "$1"; }
changed() { local now; now=$(main_of "$1"); [ "$now" != 0 ] && [ "$now" != "$2" ]; } # changed UNIT PID
# Whether a file grows.
counts() { local before; before=$(wc -c <"$1"); sleep 0.5; [ "$(wc -c <"$1")" != "$before" ]; }
stands() { ! counts "$1"; }

# configure TEXT [CPUS]: the settings; processors are given, since a machine may have one
configure() { mkdir -p /etc/batchd; printf '[resources]\ncpus = %s\n%s\n' "${2:-4}" "$1" >/etc/batchd/config.toml; }
install_programs() {
    if [ ! -x "$PROGRAMS/batchd" ]; then
        make -j2 all PREFIX=/usr OUT="$PROGRAMS" >/tmp/build.log 2>&1 || { tail /tmp/build.log; exit 1; }
    fi
    check "make install PREFIX=/usr" make install PREFIX=/usr OUT="$PROGRAMS"
    check "systemd-sysusers" systemd-sysusers
    check "systemd-tmpfiles" systemd-tmpfiles --create /usr/lib/tmpfiles.d/batchd.conf
    systemctl daemon-reload
    [ $failed = 0 ] || exit 1
}
finish() {
    [ $failed = 0 ] || journalctl -u batchd.service -u batchd-worker.service --no-pager | tail -30
    echo "$passed ok, $failed failed"
    [ $failed = 0 ]
}
