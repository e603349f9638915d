#!/usr/bin/env bash
# Install Debian packages without questions, and without letting Debian start a service of theirs. Needs root, or sudo
# without a password.
set -euo pipefail

as_root=()
if [ "$(id -u)" != 0 ]; then as_root=(sudo -n); fi

# invoke-rc.d asks this script whether it may start something; 101 is "no". One that is there already is left alone.
policy=/usr/sbin/policy-rc.d
if ! [ -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi

apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@" </dev/null; }

install() { apt install --yes --no-install-recommends "$@"; }

# A fresh machine has no package lists, one that was set up long ago has old ones: fetch them only when they fail us.
install "$@" 2>/dev/null || { apt update && install "$@"; }
