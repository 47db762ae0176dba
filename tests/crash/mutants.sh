#!/bin/sh
# Builds batchd and batchd-worker with one planted bug each and shows that the crash tests find it:
# GO written after exec (a started job is taken for one that never started), and replies before the
# commit. A mutant that passes is an error.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run() { # name, define, arguments of torture.py
    name=$1 define=$2
    shift 2
    make -s -C "$root" OUT="$work/$name" CFLAGS="-D$define" "$work/$name/batchd" \
        "$work/$name/batchd-worker" "$work/$name/batchd-job" "$work/$name/batchctl" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    if OUT="$work/$name" python3 "$here/torture.py" "$@" >"$work/log" 2>&1; then
        cat "$work/log"
        echo "mutant $name was NOT found"
        exit 1
    fi
    echo "mutant $name was found: $(grep -c VIOLATION "$work/log") violations shown"
}
run go-after-exec BATCHD_MUTANT_GO_AFTER_EXEC --kills 40 --workers --settle 15
run reply-before-commit BATCHD_MUTANT_REPLY_EARLY --kills 20 --settle 15
