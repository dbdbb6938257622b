#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What streambed costs, as ratios to the practical limit measured in the same minutes. One command: builds
# streambed's release preset and the programs of this folder, measures in interleaved rounds, prints a table.
# README.md says how to read it. Exit: 0 all within target, 1 something is over, 2 it could not be measured.
set -u -o pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
bin=$root/build/bench
server=$root/build/release/streambed
is_server_given='' before=''
rounds=11 warmup_ms=200 window_ms=1000 memory_rounds=3
only='' mode=measure with_peers=1
busy=50 idle=10000

usage() {
	cat <<'TEXT'
usage: bench/run.sh [--only SHAPE[,SHAPE...]] [--rounds N] [--quick] [--no-peers] [--server PATH]
       bench/run.sh --instructions | --framing | --gates | --self-check
SHAPE is one of: small deep 4k 64k u32be line idle memory churn
--quick         3 rounds of 0.3 s: does it work, not what does it cost
--no-peers      without libuv and libevent
--server PATH   this streambed, instead of building the release preset
--before PATH   beside another one: what a change costs (a ratio of 1.03 is too much)
--instructions  user-space instructions per message, counted by callgrind
--framing       the framing limits in memory
--gates         pieces a second behind gate=read, what a stalled peer costs, whether back-pressure repeats
--self-check    that the load generator notices wrong echoes
TEXT
}

# ---- the servers ----

# The one place that knows how streambed is started. It must print tcp://127.0.0.1:PORT for port 0.
# $1: the program. $2: none, the frame= of the line, or a line. $3: connections it must hold.
streambed_command() {
	local line=ECHO
	[[ $2 == none ]] || line="ECHO frame=$2"
	[[ $2 != *' '* ]] || line=$2
	command=("$1" serve --listen "tcp://127.0.0.1:0,$line" --max-conns "$3" --log-level error)
}

# Sets command for one of the names used in the results. The digit 2 is the same program once more.
command_for() {
	case $1 in
	ours* | base*) streambed_command "$server" "$2" "$3" ;;
	before) streambed_command "$before" "$2" "$3" ;;
	limit*) command=("$bin/echo_epoll") ;;
	uv) command=("$bin/echo_uv") ;;
	uv_try) command=("$bin/echo_uv" --try) ;;
	event) command=("$bin/echo_event") ;;
	esac
}

pid='' port=''
# start NAME FRAME MAX_CONNS [RUNNER...]: afresh, on CPU 0; sets pid and port.
start() {
	local name=$1 frame=$2 max_conns=$3 command i
	shift 3
	command_for "$name" "$frame" "$max_conns"
	: >"$tmp/out"
	"${on_server_cpu[@]}" "$@" "${command[@]}" >"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	for ((i = 0; i < 3000; i++)); do
		port=$(sed -nE 's#.*(tcp://127\.0\.0\.1:|port=)([0-9]+).*#\2#p;t done;b;:done;q' "$tmp/out")
		[[ -n $port ]] && return 0
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.01
	done
	echo "bench: $name did not start: ${command[*]}" >&2
	tail -n 5 "$tmp/err" "$tmp/out" >&2
	stop
	return 1
}

stop() {
	local i
	[[ -n $pid ]] || return 0
	kill -TERM "$pid" 2>/dev/null
	for ((i = 0; i < 500; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.01
	done
	((i < 500)) || echo "bench: process $pid did not end within 5 s of SIGTERM; killed" >&2
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	pid=
}

resident_kib() {
	sed -n 's/^Rss: *\([0-9]*\) kB/\1/p' "/proc/$pid/smaps_rollup"
}

# ---- the shapes ----

# Sets what one shape is: load (the load generator's options), frame, target, title, names (who is measured).
shape() {
	local peers=("${all_peers[@]}")
	frame=none target=1.10 max_conns=$((busy + idle + 50)) load=(--conns "$busy" --size 64)
	names=(ours limit limit2)
	case $1 in
	small) title="$busy x 64 B" ;;
	deep) title="$busy x 64 B x 16" load+=(--depth 16) ;;
	4k) title="$busy x 4 KiB" load=(--conns "$busy" --size 4096) ;;
	64k) title="10 x 64 KiB" load=(--conns 10 --size 65536) ;;
	u32be | line)
		title="$busy x 64 B x 16, frame=$1" target=1.25 frame=$1 load+=(--depth 16 --frame "$1")
		;;
	idle) title="$busy x 64 B among $idle idle" names=(ours base base2 limit) ;;
	memory) title="bytes per idle connection" target=256 names=(ours limit) ;;
	churn) title="connect + message + close" target=1.15 peers=() load+=(--churn) ;;
	*)
		echo "bench: no shape $1" >&2
		usage >&2
		exit 2
		;;
	esac
	names+=("${peers[@]}")
}

# measure ROUND SHAPE NAME: one server, one run, one line of results.
measure() {
	local name=$3 options=("${load[@]}") line fresh=0
	if [[ $2 == idle && $name != base* ]]; then
		options+=(--idle "$idle")
	elif [[ $2 == memory ]]; then
		read_fresh_kib "$name" || return 1
		options=(--conns 1 --idle "$idle" --messages 1)
	fi
	[[ $2 == memory ]] || options+=(--warmup-ms "$warmup_ms" --window-ms "$window_ms")
	start "$name" "$frame" "$max_conns" || return 1
	options+=(--port "$port" --server-pid "$pid")
	line=$("${on_load_cpu[@]}" "$bin/loadgen" "${options[@]}" 2>"$tmp/load.err") ||
		echo "bench: $2, $name: $(cat "$tmp/load.err")" >&2
	stop
	echo "round=$1 shape=$2 name=$name fresh_rss_kib=$fresh ${line:-errors=1}" >>"$results"
	[[ -t 2 ]] && printf '\r%-14s round %2d  %-8s' "$2" "$1" "$name" >&2
	return 0
}

# Sets fresh: what the server holds when it has just started for 16 connections. The pause lets it finish starting.
read_fresh_kib() {
	start "$1" none 16 || return 1
	sleep 0.1
	fresh=$(resident_kib)
	stop
}

measure_shape() {
	local n round i count=$rounds
	shape "$1"
	[[ $1 == memory ]] && count=$memory_rounds
	echo "shape=$1 target=$target idle=$idle title=$title" >>"$results"
	n=${#names[@]}
	for ((round = 1; round <= count; round++)); do
		for ((i = 0; i < n; i++)); do
			measure "$round" "$1" "${names[(i + round) % n]}" || return 1
		done
	done
}

measure_all() {
	local shapes=${only:-small,deep,4k,64k,u32be,line,idle,memory,churn} s
	local files
	files=$(ulimit -n)
	for s in ${shapes//,/ }; do
		shape "$s" # ends here when there is no such shape
	done
	: >"$results"
	describe_machine
	for s in ${shapes//,/ }; do
		if [[ $s == idle || $s == memory ]] && ((files < idle + busy + 100)); then
			echo "skipped $s: $files open files allowed, $((idle + busy + 100)) needed"
			continue
		fi
		measure_shape "$s" || return 2
	done
	[[ -t 2 ]] && printf '\r%40s\r' '' >&2
	/usr/bin/python3 "$root/bench/compare.py" "$results"
}

describe_machine() {
	echo "$(uname -sr), $(nproc) CPUs, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)," \
		"load $(cut -d' ' -f1 /proc/loadavg); $rounds rounds of $window_ms ms after $warmup_ms ms"
}

# ---- instructions ----

# count NAME FRAME MESSAGES: sets total, the instructions of one whole life that echoes so many messages.
count() {
	local out=$tmp/callgrind.out framing=()
	[[ $2 == none ]] || framing=(--frame "$2")
	rm -f "$out"
	start "$1" "$2" "$((busy + 50))" valgrind --tool=callgrind "--callgrind-out-file=$out" || return 1
	"${on_load_cpu[@]}" "$bin/loadgen" --port "$port" --conns "$busy" --size 64 --depth 16 "${framing[@]}" \
		--messages "$3" >"$tmp/load.out" || return 1
	stop
	total=$(sed -n 's/^totals: \([0-9]*\).*/\1/p' "$out")
	[[ -n $total ]]
}

# Two lives, one longer by 80,000 messages: start and end cancel out.
instructions() {
	local what frame total few limit=
	command -v valgrind >/dev/null || {
		echo "skipped instructions: no valgrind"
		return 0
	}
	echo "user-space instructions per message, $busy x 64 B x 16, and how many more than the limit's:"
	for what in limit:none ${before:+before:none} ours:none ours:u32be ours:line; do
		frame=${what#*:}
		count "${what%:*}" "$frame" 8000 || return 2
		few=$total
		count "${what%:*}" "$frame" 88000 || return 2
		: "${limit:=$((total - few))}"
		awk -v n="$what" -v d="$((total - few))" -v l="$limit" \
			'BEGIN { printf "  %-12s %8.1f  %+8.1f\n", n, d / 80000, (d - l) / 80000 }'
	done
}

# ---- gates ----

# gate_row TITLE LINE KEY LEAST|MOST VALUE OPTION...: one fresh server with this line, one run of gated, judged by KEY.
gate_row() {
	local title=$1 line=$2 key=$3 sense=$4 bound=$5 out value
	shift 5
	start ours "$line" 200 "${at_once[@]}" || return 2
	out=$("${on_load_cpu[@]}" "${at_once[@]}" "$bin/gated" --port "$port" --server-pid "$pid" "$@" \
		2>"$tmp/load.err")
	stop
	value=$(sed -n "s/.*\b$key=\([0-9.]*\).*/\1/p" <<<"$out")
	if [[ -z $value ]]; then
		echo "bench: $title: $(cat "$tmp/load.err")" >&2
		return 2
	fi
	awk -v t="$title" -v o="$out" -v v="$value" -v s="$sense" -v b="$bound" 'BEGIN {
		ok = (s == "least" ? v >= b : v <= b) && o !~ /merges=[1-9]/
		printf "%-34s %s\n%34s %s at %s %s: %s\n", t, o, "", v, s, b, ok ? "ok" : "OVER"
		exit !ok
	}'
}

# A rate is what is left of the machine, unlike CPU time a message: so nobody else may run meanwhile.
gates() {
	local failed=0 read='CHARGEN frag=1 gate=read'
	at_once=(env)
	if chrt -r 1 true 2>/dev/null; then
		at_once=(chrt -r 1)
	else
		echo "no real-time priority: whatever else runs takes its share of these rates"
	fi
	gate_row '1 connection, single bytes' "$read" cuts_per_s least 20000 --conns 1 || failed=1
	gate_row '100 connections, single bytes' "$read" cuts_per_s least 100000 --conns 100 || failed=1
	gate_row 'a peer that stalls for 3 s' "$read" server_busy most 0.05 --stall-ms 3000 || failed=1
	at_once=(env) # nobody may be kept from delivering what is under way
	gate_row 'back-pressure, 20 times' 'ECHO rcvbuf=2304 stopread=20s' same least 20 --fill 20 || failed=1
	return $failed
}

# ---- building, options ----

build_streambed() {
	cd "$root" && cmake --preset release && cmake --build --preset release
}

build_bench() {
	cmake -S "$root/bench" -B "$bin" -DCMAKE_BUILD_TYPE=Release && cmake --build "$bin"
}

# Quiet, unless it fails.
build() {
	if [[ -z $is_server_given && $mode != self_check ]] && ! (build_streambed) >"$tmp/build" 2>&1; then
		tail -n 30 "$tmp/build" >&2
		return 1
	fi
	if ! build_bench >"$tmp/build" 2>&1; then
		tail -n 30 "$tmp/build" >&2
		return 1
	fi
	sed -n 's/^-- skipped/skipped/p' "$tmp/build"
}

find_peers() {
	all_peers=()
	[[ -z $before ]] || all_peers+=(before)
	[[ -n $with_peers ]] || return 0
	[[ -x $bin/echo_uv ]] && all_peers+=(uv uv_try)
	[[ -x $bin/echo_event ]] && all_peers+=(event)
	return 0
}

# Server and load on a CPU each; on a machine with one, or without taskset, wherever they land.
choose_cpus() {
	on_server_cpu=(env) on_load_cpu=(env)
	if taskset -c 0 true 2>/dev/null && taskset -c 1 true 2>/dev/null; then
		on_server_cpu=(taskset -c 0) on_load_cpu=(taskset -c 1)
	else
		echo "not pinned: CPU 0 and CPU 1 are not both ours; ratios will be loose"
	fi
}

need() {
	[[ -n ${2:-} ]] && return 0
	echo "bench: $1 needs a value" >&2
	exit 2
}

while (($#)); do
	case $1 in
	--only) need "$@" && only=$2 && shift ;;
	--rounds) need "$@" && rounds=$2 && shift ;;
	--before) need "$@" && before=$2 && shift ;;
	--server) need "$@" && server=$2 && is_server_given=1 && shift ;;
	--quick) rounds=3 warmup_ms=100 window_ms=300 memory_rounds=1 ;;
	--no-peers) with_peers= ;;
	--instructions | --framing | --gates | --self-check) mode=${1#--} && mode=${mode/-/_} ;;
	--help) usage && exit 0 ;;
	*)
		echo "bench: no option $1" >&2
		usage >&2
		exit 2
		;;
	esac
	shift
done
[[ $rounds =~ ^[1-9][0-9]{0,2}$ ]] || { echo "bench: --rounds is 1 to 999" >&2 && exit 2; }

tmp=$(mktemp -d) || exit 2
trap 'stop; rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
ulimit -Sn "$(ulimit -Hn)"
choose_cpus
build || exit 2
find_peers
results=$bin/results.txt
case $mode in
measure) measure_all ;;
instructions) instructions ;;
gates) gates ;;
self_check) /usr/bin/python3 "$root/bench/selfcheck.py" "$bin/loadgen" ;;
framing)
	if [[ ! -x $bin/framing ]]; then
		echo "skipped framing: it is not built"
	else
		"${on_server_cpu[@]}" "$bin/framing"
	fi
	;;
esac
