#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the corpora reach: ci/coverage.sh [--gate]
#
# Builds preset cov, replays corpus/TARGET for every fuzz target (no unit tests: what counts is what fuzzing starts
# from), and prints one line a source file, then what was not reached, with the reason or without. An HTML report is
# build/cov/html/index.html. What is counted, and how, is said in ci/coverage.py.
#
# Exit: 0; 1 when an input was found to be wrong, a source is not in the build, or fuzz/unreached.txt names what is
# reached; 2 for usage or no build. With --gate also 1 below 99 % of lines or 97 % of branches.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
. ci/install.sh

gate=
case "${1-} $#" in
' 0') ;;
'--gate 1') gate=--gate ;;
*)
	echo "usage: ci/coverage.sh [--gate]" >&2
	exit 2
	;;
esac

build=build/cov
layers='base codec scenario service core sockopt io server'
python=/usr/bin/python3
export PYTHONDONTWRITEBYTECODE=1

"$python" ci/coverage.py --self-test || exit 2
sb_install clang-19 llvm-19 libclang-rt-19-dev cmake make python3 || exit 2
mapfile -t targets < <(ci/fuzz.sh | awk '{ print $1 }')
mkdir -p $build
{
	cmake --preset cov -DSB_TESTS=OFF &&
		cmake --build $build --parallel "$(nproc)" --target "${targets[@]/#/replay_}"
} >$build/coverage.log 2>&1 || {
	cat $build/coverage.log
	exit 2
}

# ---- replaying: a corpus that fails still says how far it came (fuzz/replay_main.c) ------------------------------

status=0
rm -rf $build/profile $build/html
mkdir -p $build/profile
replay() { # TARGET
	local to=build/cov/profile/$1
	LLVM_PROFILE_FILE=$to.profraw build/cov/replay_"$1" corpus/"$1" >"$to.log" 2>&1 && return
	echo "corpus/$1:"
	tail -n 5 "$to.log"
	return 1
}
export -f replay
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I TARGET bash -c 'replay TARGET' || status=1
[ -z "$(git status --porcelain corpus 2>/dev/null)" ] || echo "corpus/ has changes that are not committed"
llvm-profdata-19 merge -sparse -o $build/all.profdata $build/profile/*.profraw || exit 2

# ---- reporting: the objects themselves, so that what no target links counts as not reached -----------------------

objects=()
sources=()
for layer in $layers; do
	sources+=(src/"$layer")
	for object in $build/CMakeFiles/sb_objects.dir/src/"$layer"/*.o; do
		objects+=(-object "$object")
	done
done
cov() { # COMMAND...
	llvm-cov-19 "$@" -instr-profile=$build/all.profdata "${objects[@]}" -sources "${sources[@]}"
}
cov export -format=lcov >$build/all.lcov && cov export -format=text >$build/all.json &&
	cov show -format=html -show-branches=count -output-dir=$build/html >/dev/null || exit 2
echo "HTML: $build/html/index.html"
# shellcheck disable=SC2086 # gate is a word or none
"$python" ci/coverage.py $gate $build/all.lcov $build/all.json $layers || status=1
[ $status = 0 ] || echo "FAILED, see above"
exit $status
