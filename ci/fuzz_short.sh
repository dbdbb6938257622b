#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The fuzzing of every submission: ci/fuzz_short.sh [TARGET...]
#
# Each target by libFuzzer from its committed corpus, always the same inputs (-seed=1 -runs=N), so that nobody's change
# goes red by luck; then one target by AFL++ for a few seconds, which shows that this engine still works: that it runs
# and is stable. New inputs are thrown away. One line a target; the last is: N passed, N failed. Exit 1 when one failed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
. ci/fuzz_lib.sh

seconds_max=90 # a machine that is this slow runs fewer inputs
afl_target=server afl_seconds=20

# How many inputs: some seconds' worth.
runs_of() { # TARGET
	case $1 in
	server) echo 40000 ;;
	*) echo 50000 ;;
	esac
}

# What came of a target, for the summary: its log says what the rest is.
short() { # TARGET
	local log=$fuzz_room/out status
	local runs
	runs=$(runs_of "$1")
	rm -rf "$fuzz_room/corpus"
	fuzz_libfuzzer "$1" "$fuzz_room/corpus" -seed=1 -runs="$runs" -max_total_time=$seconds_max -reload=0 >"$log" 2>&1
	status=$?
	if [ $status = 0 ]; then
		sed -n "s/^#\([0-9]*\)\tDONE *\(cov: [0-9]*\).*/$(printf %-12s "$1") \1 inputs, \2/p" "$log"
		grep -aq '^#[0-9]*.DONE' "$log" && return 0
		status=2
	fi
	tail -n 40 "$log"
	printf '%-12s FAILED\n' "$1"
	return $status
}

afl() {
	local log=$fuzz_room/out
	fuzz_make afl "fuzz_$1" && fuzz_make afl-cmplog "fuzz_$1" || return 2
	fuzz_afl "$1" "$fuzz_room/corpus" $afl_seconds >"$log" 2>&1 && [ -z "$fuzz_interrupted" ] &&
		sed -n "s/^c[a-z]*: /$(printf %-12s "$1") AFL++ &/p" "$log" && return 0
	tail -n 40 "$log"
	printf '%-12s AFL++ FAILED\n' "$1"
	return 1
}

# count COMMAND...
count() {
	if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
	[ -z "$fuzz_interrupted" ] || exit 130
}

passed=0 failed=0
fuzz_begin
fuzz_install "${fuzz_packages[@]}" "${fuzz_afl_packages[@]}" || exit 2
targets=("$@")
[ $# != 0 ] || mapfile -t targets < <(fuzz_targets | cut -f 1)
fuzz_make fuzz "${targets[@]/#/fuzz_}" "${targets[@]/#/replay_}" || exit 2
for target in "${targets[@]}"; do
	count short "$target"
done
[ $# != 0 ] || count afl $afl_target
echo "$passed passed, $failed failed"
[ $failed = 0 ]
