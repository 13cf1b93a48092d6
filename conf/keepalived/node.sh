#!/bin/sh
# What keepalived asks of a Ringshard node: fit | master | backup | fault | stop.
#
# Safe where the usual scripts are not: a node is promoted only if it has once completed a
# synchronization with its peer or has been a master before, and it follows its peer only if that
# one is a master. Two nodes never become replicas of each other, so neither loses its data to an
# empty one at the first start.
#
# Settings come from node.env beside this file:
#   PEER=192.0.2.12  PORT=6379  REDISCLI_AUTH=password  STATE=/var/lib/ringshard/keepalived
set -u
here=$(dirname "$0")
# shellcheck source=/dev/null
[ -r "$here/node.env" ] && . "$here/node.env"
PEER=${PEER:?the address of the other node}
PORT=${PORT:-6379}
STATE=${STATE:-/var/lib/ringshard/keepalived}
export REDISCLI_AUTH="${REDISCLI_AUTH:-}"

ask() { # HOST WORDS..: the answer of a node, or nothing within two seconds
    host=$1
    shift
    timeout 2 redis-cli -h "$host" -p "$PORT" "$@" 2>/dev/null
}

field() { # HOST NAME: a field of INFO replication
    ask "$1" INFO replication | tr -d '\r' | sed -n "s/^$2://p"
}

log() { logger -t ringshard-keepalived "$*" 2>/dev/null || echo "$*" >&2; }

# Remembers that this node has had all data once.
remember() { mkdir -p "$STATE" && : >"$STATE/complete"; }

complete() {
    case $(field 127.0.0.1 role) in
    master) [ -e "$STATE/complete" ] || [ "$(field "$PEER" role)" != master ] ;;
    slave) [ "$(field 127.0.0.1 master_link_status)" = up ] || [ -e "$STATE/complete" ] ;;
    *) false ;;
    esac
}

fit() {
    [ "$(ask 127.0.0.1 PING)" = PONG ] || exit 1
    if [ "$(field 127.0.0.1 master_link_status)" = up ]; then
        remember
    fi
    complete
}

become_master() {
    if ! complete; then
        log "not promoted: this node has never had all data"
        exit 1
    fi
    ask 127.0.0.1 REPLICAOF NO ONE >/dev/null || exit 1
    remember
    log "promoted"
}

become_backup() {
    if [ "$(field "$PEER" role)" != master ]; then
        log "left alone: the peer is no master"
        exit 0
    fi
    ask 127.0.0.1 REPLICAOF "$PEER" "$PORT" >/dev/null || exit 1
    log "follows $PEER"
}

case ${1:-} in
fit) fit ;;
master) become_master ;;
backup) become_backup ;;
fault | stop) log "keepalived says $1" ;;
*)
    echo "use: $0 fit|master|backup|fault|stop" >&2
    exit 2
    ;;
esac
