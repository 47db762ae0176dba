#!/bin/sh
# Generates a Go package for each interface file with methods: generate.sh FOLDER FILE...
# The generator of Debian 12 knows lower-case interface names only, as the Varlink specification once
# had them; so it is given such names, and the calls get the real ones afterwards.
set -eu
folder=$1
shift
for file in "$@"; do
    grep -q '^method ' "$file" || continue
    name=$(basename "$file" .varlink)
    lower=$(echo "$name" | tr '[:upper:]' '[:lower:]')
    package=$folder/src/$(echo "$lower" | tr -d .)
    mkdir -p "$package"
    sed "s/^interface $name\$/interface $lower/" "$file" > "$package/$lower.varlink"
    varlink-go-interface-generator "$package/$lower.varlink"
    sed -i "s/\"$lower\./\"$name./; s/\`$lower\`/\`$name\`/" "$package"/*.go
done
