#!/bin/sh
# batchd with one planted bug each: the images of power loss must show it. Only what the bug is in is
# compiled again. A mutant that passes is an error.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$root/tests/lib/mutant.sh"
run() { # name, define, file, what must be seen
    mutant=$1 seen=$4
    plant "$1" "$2" "$3" batchd
    if python3 "$here/power.py" --jobs 150 --images 300 --batchd "$work/$mutant/batchd" >"$work/log" 2>&1 ||
        ! grep -Eq "$seen" "$work/log"; then
        cat "$work/log"
        echo "mutant $mutant was NOT found"
        exit 1
    fi
    echo "mutant $mutant was found: $(grep -Eo '[0-9]+ damaged, .*' "$work/log")"
    rm -rf "${work:?}/$mutant"
}
lost='[1-9][0-9]* lack what was acknowledged'
run synchronous-normal 'BATCHD_MUTANT_SYNCHRONOUS="\"1\""' daemon/store/db "$lost"
run synchronous-off 'BATCHD_MUTANT_SYNCHRONOUS="\"0\""' daemon/store/db '[1-9][0-9]* damaged'
run reply-before-commit BATCHD_MUTANT_REPLY_EARLY daemon/turn "$lost"
