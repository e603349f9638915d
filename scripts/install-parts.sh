#!/usr/bin/env bash
# What the tests need beyond Python, from Debian's packages. It installs what is missing when it may (root, or sudo
# without a password) and otherwise names it, with the tests that are skipped for want of it. Quick when all is there.
# Given the name of a part, it looks after that one only.
# With RUNNERLY_NOTHING_SKIPPED=1 (CI) a part that can't be had is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# part | what shows that it is there | Debian packages | what is skipped without it
parts='
RabbitMQ|/usr/sbin/rabbitmq-server|rabbitmq-server|the bus over RabbitMQ (tests/contract)
nginx with Lua|/usr/lib/nginx/modules/ngx_http_lua_module.so /usr/share/lua/5.1/resty/lrucache.lua /usr/share/lua/5.1/cjson|nginx libnginx-mod-http-lua lua-resty-core lua-resty-lrucache lua-cjson|the door (tests/deploy, and tests/system against make up)
podman|/usr/bin/podman /usr/bin/buildah /usr/sbin/runc /usr/bin/conmon /usr/lib/podman/netavark /usr/lib/podman/aardvark-dns /usr/bin/mmdebstrap|podman buildah runc conmon netavark aardvark-dns golang-github-containers-common mmdebstrap|the image (tests/deploy)
Chromium|/usr/bin/chromium|chromium|the pages in a browser (tests/browser)
wrk|/usr/bin/wrk|wrk|make bench
FitTrackee|/usr/bin/redis-server /usr/share/doc/postgresql-15-postgis-3|redis-server postgresql-15 postgresql-15-postgis-3 postgresql-15-postgis-3-scripts libmagic1|make bench-peer
'

only=${1:-}

present() { # every path of a part is there
    local path
    for path in $1; do [ -e "$path" ] || return 1; done
}

missing() { # the lines of the parts that are not there
    local line shows
    while IFS= read -r line; do
        [ -n "$line" ] && [[ "$line" == "$only"* ]] || continue
        [[ "$line" == @(wrk|FitTrackee)* && -z "$only" ]] && continue # no test needs it
        IFS='|' read -r _ shows _ <<<"$line"
        present "$shows" || printf '%s\n' "$line"
    done <<<"$parts"
}

wanted=$(missing)
[ -n "$wanted" ] || exit 0

if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
    echo "Installing what the tests need from Debian's packages: $(cut -d'|' -f1 <<<"$wanted" | paste -sd, | sed 's/,/, /g')" >&2
    # shellcheck disable=SC2046 # words on purpose
    scripts/debian.sh $(cut -d'|' -f3 <<<"$wanted") || true
    wanted=$(missing)
fi

[ -n "$wanted" ] || exit 0
echo "Missing on this machine, so some tests will be skipped:" >&2
awk -F'|' '{printf "  %-15s skips %s; on Debian: apt-get install %s\n", $1, $4, $3}' <<<"$wanted" >&2
[ "${RUNNERLY_NOTHING_SKIPPED:-}" != 1 ]
