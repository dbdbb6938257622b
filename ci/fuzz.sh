#!/bin/bash
# SPDX-License-Identifier: MIT
#
# ci/fuzz.sh                                   lists the targets
# ci/fuzz.sh [--engine afl] TARGET [SECONDS]   fuzzes one, for 60 s unless it finds something before
#
# With libFuzzer or with AFL++, under address and undefined-behaviour sanitizers. What is missing is installed (Debian
# 12). The seeds are corpus/TARGET, which is only read; new inputs go to build/fuzz/TARGET/corpus, for both engines, and
# finds, made small, to build/fuzz/TARGET/finds. Exit: 0 nothing found, 1 a find, 2 usage or no build, 130 interrupted.
# SB_FUZZ_ARGS: further arguments for libFuzzer, as "-seed=1 -runs=100000".
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
. ci/fuzz_lib.sh

usage() {
	echo "usage: ci/fuzz.sh [--engine libfuzzer|afl] TARGET [SECONDS]; without a target: lists them" >&2
	exit 2
}

engine=libfuzzer
if [ "${1-}" = --engine ]; then
	engine=${2-}
	shift 2 || usage
fi
case $engine in
libfuzzer | afl) ;;
*) usage ;;
esac
if [ $# = 0 ]; then
	fuzz_targets | expand -t 12
	exit 0
fi
target=$1
seconds=${2:-60}
[[ $# -le 2 && $seconds =~ ^[0-9]+$ ]] || usage
if ! fuzz_targets | cut -f 1 | grep -qx -- "$target"; then
	echo "no target \"$target\"; ci/fuzz.sh lists them" >&2
	exit 2
fi

fuzz_begin
fuzz_install "${fuzz_packages[@]}" || exit 2
echo "building fuzz_$target and replay_$target" >&2
fuzz_make fuzz "fuzz_$target" "replay_$target" || exit 2
corpus=$fuzz_build/$target/corpus
if [ "$engine" = afl ]; then
	fuzz_install "${fuzz_afl_packages[@]}" || exit 2
	echo "building the same for AFL++, twice" >&2
	fuzz_make afl "fuzz_$target" || exit 2
	fuzz_make afl-cmplog "fuzz_$target" || exit 2
	fuzz_afl "$target" "$corpus" "$seconds"
else
	# shellcheck disable=SC2086 # a list of words
	fuzz_libfuzzer "$target" "$corpus" -max_total_time="$seconds" -print_final_stats=1 ${SB_FUZZ_ARGS:-}
fi
status=$?
[ $status != 0 ] || [ -z "$fuzz_interrupted" ] || status=130
exit $status
