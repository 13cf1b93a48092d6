#!/bin/bash
# The one test command: gets what the tests need where that is allowed, says what is missing where
# it is not, and runs `cargo test` (format, lints, house rules, units, dialogues, processes).
set -euo pipefail
cd "$(dirname "$0")/.."

# Command, then the Debian package that brings it.
needed="redis-server:redis-server redis-cli:redis-tools redis-benchmark:redis-tools
redis-sentinel:redis-sentinel keepalived:keepalived python3:python3 cc:build-essential make:build-essential"

missing=
for pair in $needed; do
    command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
done
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"

if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # No server may start by itself when its package is installed.
    printf '#!/bin/sh\nexit 101\n' >/tmp/policy-rc.d.$$
    [ -e /usr/sbin/policy-rc.d ] || install -m 755 /tmp/policy-rc.d.$$ /usr/sbin/policy-rc.d
    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy $missing ||
        echo "run.sh: apt-get failed"
    cmp -s /tmp/policy-rc.d.$$ /usr/sbin/policy-rc.d && rm -f /usr/sbin/policy-rc.d
    rm -f /tmp/policy-rc.d.$$
fi
for pair in $needed; do
    command -v "${pair%%:*}" >/dev/null ||
        echo "run.sh: ${pair%%:*} is missing (Debian package ${pair##*:}); its tests are skipped"
done

if ! target/venv/bin/python -c 'import redis' 2>/dev/null; then
    { python3 -m venv target/venv && target/venv/bin/pip install -q 'redis>=5,<8'; } ||
        echo "run.sh: redis-py is missing (pip install redis); its tests are skipped"
fi

tests/support/versions.sh ||
    echo "run.sh: not all other versions of the server are there; their tests are skipped"

exec cargo test "$@"
