#!/bin/sh
# Builds batchd and batchd-worker with one planted bug each and shows that the crash tests find it:
# GO written after exec (a started job is taken for one that never started), and replies before the
# commit. Only what the bug is in is compiled again. A mutant that passes is an error.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$root/tests/lib/mutant.sh"
run() { # name, define, file, program, arguments of torture.py
    mutant=$1
    plant "$1" "$2" "$3" "$4"
    shift 4
    if OUT="$work/$mutant" python3 "$here/torture.py" "$@" >"$work/log" 2>&1; then
        cat "$work/log"
        echo "mutant $mutant was NOT found"
        exit 1
    fi
    echo "mutant $mutant was found: $(grep -c VIOLATION "$work/log") violations shown"
}
run go-after-exec BATCHD_MUTANT_GO_AFTER_EXEC worker/job batchd-worker --kills 40 --workers --settle 15
run reply-before-commit BATCHD_MUTANT_REPLY_EARLY daemon/turn batchd --kills 20 --settle 15
