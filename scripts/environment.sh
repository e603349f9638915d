#!/usr/bin/env bash
# Bring .venv to what a lock file says: `environment.sh run` to run Runnerly, `environment.sh dev` to work on it too.
# It installs once; while the lock, the interpreter and the place stay the same, it answers in a few milliseconds and
# touches no network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

what=${1:?run or dev}
venv=$PWD/.venv

say() { printf '%s\n' "$*" >&2; }

usable() { "$1" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null; }

interpreter() {
    local candidate
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11 /usr/bin/python3; do
        if usable "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    say "Runnerly needs Python 3.11 or later. Install it (on Debian: apt-get install python3) or say where it is: make PYTHON=/path/to/python3 ..."
    exit 1
}

# Debian keeps the part of Python that makes virtual environments in a package of its own.
ensure_venv() {
    local python=$1
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then return; fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing python3-venv"
        scripts/debian.sh python3-venv
    fi
    "$python" -c 'import ensurepip, venv' 2>/dev/null || {
        say "$python can't make virtual environments. On Debian, as root: apt-get install python3-venv"
        exit 1
    }
}

stamp_of() { # one line that changes when the lock, the interpreter, the package's own metadata or the place changes
    { cat "requirements/$1.txt" pyproject.toml; printf '%s\n' "$PWD" "$("$venv/bin/python" -V)"; } | sha256sum | cut -d' ' -f1
}

current() { [ -x "$venv/bin/python" ] && "$venv/bin/python" -V >/dev/null 2>&1 && [ "$(cat "$venv/$1.stamp" 2>/dev/null)" = "$(stamp_of "$1")" ]; }

if current "$what"; then exit 0; fi
exec 9>.venv.lock
flock 9 # two `make`s at once: the second waits, then finds it done
if current "$what"; then exit 0; fi
if [ "$what" = run ] && current dev; then exit 0; fi # what develops also runs

python=$(interpreter)
if ! [ -x "$venv/bin/python" ] || ! usable "$venv/bin/python" || [ "$(cat "$venv/place" 2>/dev/null)" != "$PWD" ]; then
    ensure_venv "$python"
    say "Making a virtual environment in .venv with $("$python" -V)"
    "$python" -m venv --clear "$venv"
    printf '%s\n' "$PWD" >"$venv/place"
fi

pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@"; }

say "Installing the locked dependencies (requirements/$what.txt); this happens once"
began=$SECONDS
rm -f "$venv"/*.stamp
pip install --quiet --require-hashes --requirement "requirements/$what.txt"
pip install -qq --no-deps --no-build-isolation --no-index --editable .
stamp_of "$what" >"$venv/$what.stamp"
say "Installed in $((SECONDS - began)) s"
