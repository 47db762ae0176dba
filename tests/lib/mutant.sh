# Sourced by the scripts that show that a planted bug is found. A mutant is a copy of the build in $OUT in
# which one file was compiled again with the bug; $root is the tree, $work the folder of the copies.
plant() { # name of the copy, define, file without its suffix, programs that are linked again
    name=$1 define=$2 file=$3
    shift 3
    mkdir "$work/$name"
    cp -a "$OUT"/*.a "$OUT"/batchd* "$OUT"/batchctl "$OUT/common" "$OUT/daemon" "$OUT/worker" "$OUT/step" "$OUT/client" \
        "$OUT/mk" "$OUT/prefix" "$OUT/commit" "$work/$name/"
    rm "$work/$name/$file.o"
    for program; do
        make -s -C "$root" OUT="$work/$name" COMMIT="$(cat "$OUT/commit")" CFLAGS="-D$define" "$work/$name/$program" >"$work/log" 2>&1 ||
            { cat "$work/log"; exit 1; }
    done
    ! cmp -s "$OUT/$1" "$work/$name/$1" || { echo "mutant $name is $1 as it was"; exit 1; }
}
