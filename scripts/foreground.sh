#!/usr/bin/env bash
# Become a command that ends when the make that runs it is told to end, however it is told.
#
# make hands SIGTERM on to what it runs. At SIGINT it only waits: Ctrl-C at a terminal reaches everybody by itself, but a SIGINT
# sent to make alone would wait for ever. And a make that is killed tells nobody. So the kernel is asked for a SIGTERM at
# its death (setpriv, of Debian's essential util-linux), and a watcher looks whether it has put down its handler of SIGINT, which is
# the first thing it does when one comes.
set -euo pipefail

catches_int() { # bit 1 of the signals that make catches: SIGINT (proc(5))
    local caught
    caught=$(awk '/^SigCgt:/ {print $2}' "/proc/$1/status" 2>/dev/null) && (((0x${caught:-0} & 2) != 0))
}

if [ -r /proc/self/status ] && catches_int "$PPID"; then
    (
        while sleep 0.5 && kill -0 $$ 2>/dev/null && [ -e "/proc/$PPID" ]; do
            catches_int "$PPID" || { kill -TERM $$ && break; }
        done
    ) </dev/null >/dev/null 2>&1 &
fi

if command -v setpriv >/dev/null; then exec setpriv --pdeathsig TERM "$@"; fi
exec "$@"
