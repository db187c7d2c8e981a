#!/usr/bin/env bash
# Runs a command where only IPv6 is, beside a VictoriaMetrics: ipv6-only.sh VICTORIA_METRICS HOSTS DATA COMMAND…
# Its own network, in which HOSTS is /etc/hosts and fd00::1 the one address.
set -eu
if [ "${IPV6_ONLY_INSIDE:-}" != yes ]; then
  IPV6_ONLY_INSIDE=yes exec unshare --map-root-user --net --mount "$0" "$@"
fi
victoria_metrics=$1 hosts=$2 data=$3
shift 3
ip link set lo up
ip address delete 127.0.0.1/8 dev lo
ip -6 address add fd00::1/128 dev lo nodad
mount --bind "$hosts" /etc/hosts
"$victoria_metrics" -storageDataPath="$data" -httpListenAddr='[fd00::1]:8428' -enableTCP6 >/dev/null 2>&1 &
server=$!
trap 'kill -9 $server' EXIT
until (exec 3<>/dev/tcp/fd00::1/8428) 2>/dev/null; do sleep 0.05; done
"$@"
