#!/bin/sh
# Installs what the host `linux` needs on Debian: the compiler of its eBPF programs.
set -e
command -v clang >/dev/null && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends clang
