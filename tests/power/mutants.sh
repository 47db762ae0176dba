#!/bin/sh
# batchd with one planted bug each: the images of power loss must show it. Only what the bug is in is
# compiled again. A mutant that passes is an error.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run() { # name, define, file, what must be seen
    name=$1 define=$2 file=$3 seen=$4
    cp -a "$OUT" "$work/$name"
    rm -f "$work/$name/$file.o"
    make -s -C "$root" OUT="$work/$name" CFLAGS="-D$define" "$work/$name/batchd" >"$work/log" 2>&1 ||
        { cat "$work/log"; exit 1; }
    if python3 "$here/power.py" --jobs 150 --images 300 --batchd "$work/$name/batchd" >"$work/log" 2>&1 ||
        ! grep -Eq "$seen" "$work/log"; then
        cat "$work/log"
        echo "mutant $name was NOT found"
        exit 1
    fi
    echo "mutant $name was found: $(grep -Eo '[0-9]+ damaged, .*' "$work/log")"
    rm -rf "${work:?}/$name"
}
lost='[1-9][0-9]* lack what was acknowledged'
run synchronous-normal 'BATCHD_MUTANT_SYNCHRONOUS="\"1\""' daemon/store/db "$lost"
run synchronous-off 'BATCHD_MUTANT_SYNCHRONOUS="\"0\""' daemon/store/db '[1-9][0-9]* damaged'
run reply-before-commit BATCHD_MUTANT_REPLY_EARLY daemon/daemon "$lost"
