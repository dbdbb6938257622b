#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Executions a second of the fuzz targets, under address and undefined-behaviour sanitizers, in interleaved rounds with
# the target `empty`, which does nothing: bench/fuzz.sh [--rounds N] [--runs N] [TARGET...]
#
# A second is one of processor time, so a busy machine changes little. Framings get inputs of 64 bytes, the others those
# of their seeds that are at most 200 bytes long, and nothing longer is made of them. Two figures: by replay, these
# inputs again and again; and by libFuzzer, which makes others of them, that do more, and looks at coverage. README.md
# says how to read it. Exit: 0 all as fast as wanted, 1 one is slower, 2 it could not be measured.
set -u -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
. ci/fuzz_lib.sh

rounds=5 runs=40000
while [[ ${1-} == --* ]]; do
	case $1 in
	--rounds) rounds=${2-} ;;
	--runs) runs=${2-} ;;
	*) rounds='' ;;
	esac
	if [[ ! $rounds =~ ^[1-9][0-9]*$ || ! $runs =~ ^[1-9][0-9]*$ ]]; then
		echo 'usage: bench/fuzz.sh [--rounds N] [--runs N] [TARGET...]' >&2
		exit 2
	fi
	shift 2
done

is_framing() { # TARGET
	grep -q "^SB_CODEC($1," src/codec/codecs.def
}

# The executions a second that are wanted, and how many of them one run of the harness is.
wanted_of() { # TARGET
	case $1 in
	empty) echo 0 1 ;;
	server) echo 10000 2 ;; # once for each backend
	pool | timer | buffers) echo 80000 1 ;;
	*) if is_framing "$1"; then echo 30000 1; else echo 0 1; fi ;;
	esac
}

# Fills inputs/TARGET, and sets max_len.
choose_inputs() { # TARGET
	local folder=$fuzz_room/inputs/$1 seed
	mkdir -p "$folder"
	max_len=200
	for seed in "corpus/${1/#empty/server}"/*; do
		if is_framing "$1"; then
			max_len=64
			# The mode byte, and then the stream over and over.
			{ cat "$seed" && for _ in {1..64}; do tail -c +2 "$seed" && echo; done; } 2>/dev/null |
				head -c 64 >"$folder/${seed##*/}"
		elif [ "$(stat -c %s "$seed")" -le $max_len ]; then
			cp "$seed" "$folder/"
		fi
	done
}

# Processor time of a command, in milliseconds.
time_of() { # COMMAND...
	local TIMEFORMAT='%U %S' t
	t=$({ time "$@" >"$fuzz_room/log" 2>&1; } 2>&1) || return 1
	awk '{ printf "%d\n", 1000 * ($1 + $2) }' <<<"$t"
}

# Executions a second; NOTHING is what the same program takes to do none.
rate() { # COUNT MILLISECONDS NOTHING
	echo $(($1 * 1000 / ($2 > $3 ? $2 - $3 : 1)))
}

engine() { # TARGET RUNS
	rm -rf "$fuzz_room/new" && mkdir "$fuzz_room/new" # it writes into the first folder
	time_of "$fuzz_build/fuzz_$1" -seed=1 -runs="$2" -max_len="$max_len" -len_control=0 -reload=0 \
		-artifact_prefix="$fuzz_room/" "$fuzz_room/new" "$fuzz_room/inputs/$1"
}

replay() { # TARGET ROUNDS
	time_of "$fuzz_build/replay_$1" -b "$2" "$fuzz_room/inputs/$1"
}

# One line of results: TARGET by libFuzzer, by replay.
measure() { # TARGET
	local inputs times none all fast runs=$runs
	[ "$1" != empty ] || runs=$((runs * 50))
	inputs=$(find "$fuzz_room/inputs/$1" -type f | wc -l)
	times=$((runs / inputs + 1))
	max_len=${max_lens[$1]}
	none=$(engine "$1" 0) && all=$(engine "$1" "$runs") && fast=$(rate "$runs" "$all" "$none") &&
		none=$(replay "$1" 1) && all=$(replay "$1" $((times + 1))) &&
		echo "$1 $fast $(rate $((times * inputs)) "$all" "$none")" >>"$results"
}

median() { # TARGET COLUMN
	awk -v t="$1" -v c="$2" '$1 == t { print $c }' "$results" | sort -n |
		awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

report() {
	local name fast again empty_fast want times verdict slow=0
	empty_fast=$(median empty 2)
	printf '%-12s %12s %14s %12s %10s\n' target libFuzzer/s 'empty is so' replay/s wanted/s
	for name in empty "${targets[@]}"; do
		read -r want times < <(wanted_of "$name")
		fast=$(($(median "$name" 2) * times)) again=$(($(median "$name" 3) * times)) verdict=
		[ "$want" = 0 ] || [ $again -ge "$want" ] || verdict+=' SLOW by replay'
		[ "$want" = 0 ] || [ $fast -ge "$want" ] || verdict+=' SLOW by libFuzzer'
		[ -z "$verdict" ] || slow=1
		printf '%-12s %12d %14s %12d %10s%s\n' "$name" $fast \
			"$(awk -v a="$empty_fast" -v b=$fast 'BEGIN { printf "%.1f x as fast", a / b }')" \
			$again "${want/#0/-}" "$verdict"
	done
	return $slow
}

fuzz_begin
fuzz_install "${fuzz_packages[@]}" || exit 2
targets=("$@")
[ $# != 0 ] || mapfile -t targets < <(fuzz_targets | cut -f 1)
fuzz_make fuzz fuzz_empty replay_empty "${targets[@]/#/fuzz_}" "${targets[@]/#/replay_}" || exit 2
declare -A max_lens
results=$fuzz_room/results
for name in empty "${targets[@]}"; do
	choose_inputs "$name"
	max_lens[$name]=$max_len
done
echo "$(uname -sr), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)," \
	"load $(cut -d ' ' -f 1 /proc/loadavg); $rounds rounds of $runs executions"
for ((round = 0; round < rounds; round++)); do
	for name in empty "${targets[@]}"; do
		[ -z "$fuzz_interrupted" ] || exit 130
		measure "$name" && continue
		tail -n 20 "$fuzz_room/log" >&2
		echo "bench: $name could not be measured" >&2
		exit 2
	done
done
report
