#!/bin/sh
# find.sh FOLDER SECONDS NAME...: runs FOLDER/find_NAME for so long each, two at a time. What is new goes
# to FOLDER/found/NAME, what fails to FOLDER/failed-NAME-*. Exit 1 when one failed.
set -eu
folder=$1 seconds=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
export UBSAN_OPTIONS=print_stacktrace=1 folder seconds here
printf '%s\n' "$@" | xargs -P 2 -I NAME sh -c '
    mkdir -p "$folder/found/NAME"
    "$folder/find_NAME" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$folder/failed-NAME-" "$folder/found/NAME" "$here/corpus/NAME" \
        >"$folder/NAME.log" 2>&1 && code=ok || code=FAILED
    echo "fuzz: NAME $code, $(sed -n "s/^stat::number_of_executed_units: *//p" "$folder/NAME.log") runs"
    [ $code = ok ] || { tail -40 "$folder/NAME.log"; exit 1; }'
