#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The long fuzzing, with inputs that nobody has seen: ci/nightly.sh [SECONDS [TARGET...]]
# Each target, or those named, by libFuzzer for SECONDS (600), by turns as ci/fuzz.sh does it, with value profiles, and
# with inputs as long as they may be from the start; then by AFL++ for a third of that; then scripts at random
# (fuzz/soak_main.c) and all planted bugs; to try it, with less than 60 s, few of both. Finds are printed in base64 as
# well, as nothing else may be left of the machine. The last line is: N passed, N failed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
seconds=${1:-600}
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then
	echo "usage: ci/nightly.sh [SECONDS [TARGET...]]" >&2
	exit 2
fi
third=$(((seconds + 2) / 3))
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 # what is too slow by day: fuzz_lib.sh
scripts=200000 faults=5000 planted=()
[ "$seconds" -ge 60 ] || scripts=2000 faults=50 planted=(--smoke)
passed=0 failed=0

count() { # NAME COMMAND...
	local name=$1
	shift
	printf '\n== %s\n' "$name"
	"$@"
	case $? in
	0) passed=$((passed + 1)) ;;
	130) exit 130 ;; # Ctrl-C
	*) failed=$((failed + 1)) && echo "FAILED: $name" ;;
	esac
}

targets=("${@:2}")
[ $# -gt 1 ] || mapfile -t targets < <(ci/fuzz.sh | cut -d ' ' -f 1)
for target in "${targets[@]}"; do
	for arguments in '' -use_value_profile=1 -len_control=0; do
		count "$target, libFuzzer $arguments" \
			env "SB_FUZZ_ARGS=-verbosity=0 $arguments" ci/fuzz.sh "$target" "$third"
	done
	count "$target, AFL++" ci/fuzz.sh --engine afl "$target" "$third"
done
seed=$(date +%s)
soak() {
	cmake --preset asan >/dev/null &&
		cmake --build --preset asan --parallel "$(nproc)" --target soak_server soak_fault >/dev/null &&
		(cd build/asan && ./soak_server -s "$seed" -n $scripts && ./soak_fault -s "$seed" -n $faults)
}
count "scripts at random from seed $seed" soak
count 'planted bugs' ci/mutants.sh "${planted[@]}"

for file in build/fuzz/*/finds/h_* build/asan/soak.find; do
	[ -f "$file" ] || continue
	printf '\n%s: echo %s | base64 -d\n' "$file" "$(base64 -w 0 "$file")"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
