#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The fuzzing of every submission: ci/fuzz_short.sh [TARGET...]
#
# Each target by libFuzzer from its committed corpus, always the same inputs (-seed=1 -runs=N, the corpus in the order
# of its names): nobody's change goes red by luck. Nor does it learn from what is compared with what (-use_cmp=0): some
# of that are addresses, which depend on the folder that it was built in; the nightly run does. Then one target by AFL++
# for a few seconds, which shows that this engine still works: that it runs and is stable. Its inputs depend on the
# clock: what it finds is printed, and is for the nightly run to fail on. New inputs are thrown away. One line a target;
# the last is: N passed, N failed. Exit 1 when one failed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
. ci/fuzz_lib.sh

seconds_max=90 # a machine that is this slow runs fewer inputs
afl_target=server afl_seconds=20

# How many inputs: some seconds' worth.
runs_of() { # TARGET
	case $1 in
	server | forward) echo 25000 ;;
	config | log | open | sockopt | script) echo 25000 ;;
	backend) echo 10000 ;;
	fault) echo 8000 ;;
	*) echo 50000 ;;
	esac
}

# The line of one target, in a folder of its own, so that as many run at once as there are processors.
short() { # TARGET
	local log status runs
	runs=$(runs_of "$1")
	fuzz_room=$fuzz_room/of_$1
	log=$fuzz_room/out
	mkdir -p "$fuzz_room"
	export fuzz_is_ordered=1
	fuzz_libfuzzer "$1" "$fuzz_room/corpus" -seed=1 -runs="$runs" -max_total_time=$seconds_max \
		-use_cmp=0 -reload=0 >"$log" 2>&1
	status=$?
	if [ $status = 0 ] && grep -aq '^#[0-9]*.DONE' "$log"; then
		sed -n "s/^#\([0-9]*\)\tDONE *\(cov: [0-9]*\).*/$(printf %-12s "$1") \1 inputs, \2/p" "$log"
		return 0
	fi
	tail -n 40 "$log"
	printf '%-12s FAILED\n' "$1"
	return 1
}

afl() { # TARGET
	local log=$fuzz_room/out
	fuzz_make afl "fuzz_$1" && fuzz_make afl-cmplog "fuzz_$1" || return 2
	fuzz_afl "$1" "$fuzz_room/corpus" $afl_seconds >"$log" 2>&1
	grep -a -A 1 '^FOUND ' "$log"
	sed -n "s/^c[a-z]*: /$(printf %-12s "$1") AFL++ &/p" "$log"
	fuzz_afl_check "$fuzz_room/afl" "$1" >/dev/null && return 0
	tail -n 40 "$log"
	printf '%-12s AFL++ FAILED\n' "$1"
	return 1
}

# ended STATUS
ended() {
	if [ "$1" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

passed=0 failed=0
fuzz_begin
fuzz_install "${fuzz_packages[@]}" "${fuzz_afl_packages[@]}" || exit 2
targets=("$@")
[ $# != 0 ] || mapfile -t targets < <(fuzz_targets | cut -f 1)
fuzz_make fuzz "${targets[@]/#/fuzz_}" "${targets[@]/#/replay_}" || exit 2
running=0
for target in "${targets[@]}"; do
	(trap - EXIT && short "$target") &
	running=$((running + 1))
	[ $running -ge "$(nproc)" ] || continue
	wait -n
	ended $?
	running=$((running - 1))
done
while [ $running != 0 ]; do
	wait -n
	ended $?
	running=$((running - 1))
done
if [ $# = 0 ] && [ -z "$fuzz_interrupted" ]; then
	afl $afl_target
	ended $?
fi
echo "$passed passed, $failed failed"
[ -z "$fuzz_interrupted" ] || exit 130
[ $failed = 0 ]
