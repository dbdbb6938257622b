#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The long fuzzing, with inputs that nobody has seen: ci/nightly.sh [SECONDS [TARGET...]]
# Each target, or those named, by libFuzzer for SECONDS (600), by turns as ci/fuzz.sh does it, with value profiles, and
# with inputs as long as they may be from the start; then by AFL++ for a third of that; then scripts at random
# (fuzz/soak_main.c) and all planted bugs; below 600 s fewer of both. Finds are printed in base64 as well, as nothing
# else may be left of the machine. The last line is: N passed, N failed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
seconds=${1:-600}
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then
	echo "usage: ci/nightly.sh [SECONDS [TARGET...]]" >&2
	exit 2
fi
third=$(((seconds + 2) / 3))
passed=0 failed=0

count() { # NAME COMMAND...
	local name=$1
	shift
	printf '\n== %s\n' "$name"
	if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAILED: $name"; fi
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
		(cd build/asan && ./soak_server -s "$seed" -n $((seconds * 333)) && ./soak_fault -s "$seed" -n $((seconds * 8)))
}
count "scripts at random from seed $seed" soak
smoke=()
[ "$seconds" -ge 600 ] || smoke=(--smoke)
count 'planted bugs' ci/mutants.sh "${smoke[@]}"

for file in build/fuzz/*/finds/h_* build/asan/soak.find; do
	[ -f "$file" ] || continue
	printf '\n%s: echo %s | base64 -d\n' "$file" "$(base64 -w 0 "$file")"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
