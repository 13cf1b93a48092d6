#!/bin/sh
# What keepalived asks of a Ringshard node: fit | master | backup | fault | stop.
#
# Safe where the usual scripts are not: a node follows its peer only if the peer is a master and
# holds the address, so two nodes never become replicas of each other and none loses its data to an
# empty one; and a node is promoted only if it has once had all data, or is the one that begins.
#
# Settings come from node.env beside this file:
#   PEER=192.0.2.12  ADDRESS=192.0.2.10  PORT=6379  REDISCLI_AUTH=password
#   STATE=/var/lib/ringshard/keepalived   where this node remembers that it has had all data
#   BEGINS=yes                            on one node: it may be the first master
set -u
here=$(dirname "$0")
# shellcheck source=/dev/null
[ -r "$here/node.env" ] && . "$here/node.env"
PEER=${PEER:?the address of the other node}
ADDRESS=${ADDRESS:?the address that moves}
HERE=${HERE:-127.0.0.1}
PORT=${PORT:-6379}
STATE=${STATE:-/var/lib/ringshard/keepalived}
BEGINS=${BEGINS:-no}
export REDISCLI_AUTH="${REDISCLI_AUTH:-}"

ask() { # HOST WORDS..: the answer of a node, or nothing within a second
    host=$1
    shift
    timeout 1 redis-cli -h "$host" -p "$PORT" "$@" 2>/dev/null
}

field() { # HOST NAME: a field of INFO
    ask "$1" INFO everything | tr -d '\r' | sed -n "s/^$2://p"
}

log() { logger -t ringshard-keepalived "$*" 2>/dev/null || echo "$*" >&2; }

# Remembers that this node has had all data once.
remember() { mkdir -p "$STATE" && : >"$STATE/complete"; }

is_complete() { [ -e "$STATE/complete" ] || [ "$BEGINS" = yes ]; }

# Whether the peer is a master and holds the address.
peer_leads() {
    id=$(field "$PEER" run_id)
    [ -n "$id" ] && [ "$(field "$PEER" role)" = master ] && [ "$(field "$ADDRESS" run_id)" = "$id" ]
}

follow() {
    ask "$HERE" REPLICAOF "$PEER" "$PORT" >/dev/null || exit 1
    log "follows $PEER"
}

fit() {
    [ "$(ask "$HERE" PING)" = PONG ] || exit 1
    case $(field "$HERE" role) in
    slave) [ "$(field "$HERE" master_link_status)" = up ] && remember ;;
    master) if peer_leads; then follow; fi ;;
    esac
    is_complete
}

become_master() {
    if ! is_complete; then
        log "not promoted: this node has never had all data"
        exit 1
    fi
    ask "$HERE" REPLICAOF NO ONE >/dev/null || exit 1
    remember
    log "promoted"
}

become_backup() {
    if peer_leads; then
        follow
    else
        log "left alone: the peer does not lead"
    fi
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
