#!/bin/sh
# Installs what the host `wine` needs, on Debian and its kin: Wine (64 bits are enough), mingw-w64 for the
# probe, and the sources of locales, without which Chinese file names are not found.
set -eu
export DEBIAN_FRONTEND=noninteractive
run() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}
run apt-get update -q
run apt-get install -y -q --no-install-recommends wine wine64 gcc-mingw-w64-x86-64 locales
