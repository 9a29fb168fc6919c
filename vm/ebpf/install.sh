#!/bin/sh
# Installs what the host `linux` needs on Debian: the compiler of its eBPF programs, and what sets up that which
# `bench observers` and `syn-flood` measure.
set -e
command -v clang >/dev/null && command -v nft >/dev/null && command -v ip >/dev/null && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends clang iproute2 nftables
