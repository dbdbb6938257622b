#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What FORWARD without cutting costs beside socat and haproxy (mode tcp, one thread): CPU time of the proxy per message,
# measured in interleaved rounds, the same load through each to the same echo server. bench/forward.sh [ROUNDS]
# One connection, by the clock of the proxy; 50, by what it and its children have used in the end, since socat has
# a process for each connection. Exit: 0 within the goals, 1 over one, 2 it could not be measured.
set -u -o pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
bin=$root/build/bench
rounds=${1:-7} many=200000
tmp=$(mktemp -d) || exit 2
proxy='' echo_pid=''
trap 'kill $proxy $echo_pid 2>/dev/null; rm -rf "$tmp"' EXIT

{
	(cd "$root" && cmake --preset release && cmake --build --preset release -j2) &&
		cmake -S "$root/bench" -B "$bin" -DCMAKE_BUILD_TYPE=Release && cmake --build "$bin" -j2
} >"$tmp/build" 2>&1 || {
	tail -n 20 "$tmp/build" >&2
	exit 2
}
names=(ours)
for name in socat haproxy; do
	if command -v "$name" >/dev/null; then names+=("$name"); else echo "skipped $name: not installed"; fi
done

# A port that is free now.
free_port() {
	/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Waits until something listens there.
listens() { # PORT
	local hex i
	hex=$(printf ':%04X ' "$1")
	for ((i = 0; i < 500; i++)); do
		grep -q "$hex.* 0A " /proc/net/tcp && return 0
		sleep 0.01
	done
	return 1
}

start() { # NAME PORT TO
	local fork=
	[[ -z ${4:-} ]] || fork=,fork
	case $1 in
	ours)
		taskset -c 0 "$root/build/release/streambed" serve --log-level error \
			--listen "tcp://127.0.0.1:$2,FORWARD to=tcp://127.0.0.1:$3" >/dev/null 2>&1 &
		;;
	socat)
		taskset -c 0 socat "TCP4-LISTEN:$2,reuseaddr,nodelay,backlog=100,bind=127.0.0.1$fork" \
			"TCP4:127.0.0.1:$3,nodelay" &
		;;
	haproxy)
		printf '%s\n' global 'nbthread 1' defaults 'mode tcp' 'timeout connect 5s' 'timeout client 60s' \
			'timeout server 60s' 'listen f' "bind 127.0.0.1:$2" "server s 127.0.0.1:$3" >"$tmp/haproxy.cfg"
		taskset -c 0 haproxy -f "$tmp/haproxy.cfg" >/dev/null 2>&1 &
		;;
	esac
	proxy=$!
}

measure() { # ROUND SHAPE NAME LOAD...
	local round=$1 shape=$2 name=$3 port line
	shift 3
	port=$(free_port)
	start "$name" "$port" "$echo_port"
	listens "$port" || return 1
	line=$(taskset -c 1 "$bin/loadgen" --port "$port" --server-pid "$proxy" --conns 1 --warmup-ms 200 \
		--window-ms 1000 "$@" 2>"$tmp/err") || cat "$tmp/err" >&2
	kill "$proxy" 2>/dev/null
	wait "$proxy" 2>/dev/null
	proxy=
	echo "$round $shape $name $line" >>"$tmp/results"
}

# The same for many connections: what the proxy and its children have used for so many messages.
measure_many() { # ROUND NAME
	local port inner
	port=$(free_port)
	(
		start "$2" "$port" "$echo_port" many
		echo "$proxy" >"$tmp/pid"
		wait "$proxy"
		times >"$tmp/times"
	) 2>/dev/null &
	inner=$!
	listens "$port" || return 1
	taskset -c 1 "$bin/loadgen" --port "$port" --conns 50 --size 64 --messages "$many" >"$tmp/load" 2>&1 ||
		cat "$tmp/load" >&2
	sleep 0.3
	kill "$(<"$tmp/pid")"
	wait "$inner"
	awk -v n="$many" -v head="$1 50-x-64B $2" 'NR == 2 { for (i = 1; i <= 2; i++) { split($i, t, "[ms]")
		cpu += t[1] * 60 + t[2] } printf "%s errors=0 cpu_us_per_msg=%f\n", head, cpu * 1e6 / n }' \
		"$tmp/times" >>"$tmp/results"
}

taskset -c 1 "$bin/echo_epoll" >"$tmp/echo" 2>&1 &
echo_pid=$!
for ((i = 0; i < 300; i++)); do
	echo_port=$(sed -nE 's#.*(tcp://127\.0\.0\.1:|port=)([0-9]+).*#\2#p' "$tmp/echo" | head -n 1)
	[[ -n $echo_port ]] && break
	sleep 0.01
done
for ((round = 0; round < rounds; round++)); do
	for ((i = 0; i < ${#names[@]}; i++)); do
		name=${names[(i + round) % ${#names[@]}]}
		measure "$round" 64B-x-16 "$name" --size 64 --depth 16 || exit 2
		measure "$round" 64KiB "$name" --size 65536 || exit 2
		measure_many "$round" "$name" || exit 2
	done
done
/usr/bin/python3 - "$tmp/results" <<'PY'
import sys
from statistics import median

GOALS = {'socat': 0.5, 'haproxy': 1.2}
cpu = {}
for line in open(sys.argv[1], encoding='utf-8'):
    number, shape, name, *words = line.split()
    row = dict(w.split('=', 1) for w in words if '=' in w)
    if row.get('errors') == '0':
        cpu.setdefault(shape, {}).setdefault(name, {})[number] = float(row['cpu_us_per_msg'])
status = 0 if cpu else 2
for shape, of in cpu.items():
    ours = of.get('ours', {})
    print(shape, ' '.join(f'{n}={median(v.values()):.3g}us' for n, v in of.items()))
    for name, goal in GOALS.items():
        ratios = [ours[n] / v for n, v in of.get(name, {}).items() if n in ours and v > 0]
        if not ratios:
            continue
        said = 'ok' if median(ratios) <= goal else 'over'
        status = max(status, said == 'over')
        print(f'  / {name:<8} {median(ratios):.2f} [{min(ratios):.2f} {max(ratios):.2f}]  <= {goal}  {said}')
sys.exit(status)
PY
