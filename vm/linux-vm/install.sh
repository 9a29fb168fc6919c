#!/bin/sh
# Installs what the host `linux-vm` needs on Debian: QEMU, the compiler of its eBPF programs, and the keys that
# Debian's kernels are signed with. The kernel itself is fetched on first use, into the cache, and not installed.
set -e
command -v qemu-system-x86_64 >/dev/null && command -v clang >/dev/null &&
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends qemu-system-x86 clang debian-archive-keyring
