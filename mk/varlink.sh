#!/bin/sh
# Turns the interface files named on the command line into C: one row of struct interface_text each.
set -eu
printf '/* Made by mk/varlink.sh from common/varlink. */\n#include "daemon/api/interfaces.h"\n\n'
printf 'const struct interface_text interfaces[] = {\n'
for file in "$@"; do
    name=$(basename "$file" .varlink)
    printf '    {"%s",\n' "$name"
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/     "/' -e 's/$/\\n"/' "$file"
    printf '    },\n'
done
printf '    {0, 0},\n};\n'
