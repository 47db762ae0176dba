#!/bin/sh
# Installs the Debian packages that building and testing need (or those named as arguments), when it
# may (root, or sudo without a password); otherwise prints the one command to run. Says nothing when
# all are there.
set -eu
packages="gcc g++ make pkg-config binutils libc6-dev libevent-dev libsqlite3-dev libjansson-dev
 libsystemd-dev libglib2.0-dev tzdata libtomlplusplus-dev libsmartcols-dev zlib1g-dev check python3 python3-pytest python3-pytest-xdist faketime socat tmux jq clang
 libclang-rt-14-dev spin clang-format-14 clang-tidy-14 universal-ctags mandoc zsh fish ffmpeg
 python3-pil python3-jsonschema libseccomp-dev nettle-dev libavformat-dev libavcodec-dev libavfilter-dev libswscale-dev libavutil-dev libvips-dev"
[ $# = 0 ] || packages=$* # only these
missing=""
for package in $packages; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
if [ -n "$as_root" ] && ! sudo -n true 2>/dev/null; then
    echo "batchd needs these Debian packages; run this once, then again what you ran:" >&2
    echo "    sudo apt-get install$missing" >&2
    exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$as_root apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing >/dev/null 2>&1 ||
    { $as_root apt-get -o DPkg::Lock::Timeout=300 update >/dev/null 2>&1 &&
      $as_root apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing >/dev/null; }
