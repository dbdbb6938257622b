#!/bin/sh
# SPDX-License-Identifier: MIT
#
# ci/fuzz.sh                     lists the targets
# ci/fuzz.sh TARGET [SECONDS]    fuzzes one with libFuzzer under address and undefined-behaviour sanitizers (60 s)
#
# What is missing is installed (Debian: clang-19, its runtime, cmake, make). The seeds are corpus/TARGET, which is only
# read; new inputs go to build/fuzz/TARGET/corpus, finds to build/fuzz/TARGET/finds. Exit: 0 nothing found, 1 a find,
# 2 usage or no build. SB_FUZZ_ARGS: further arguments for libFuzzer, as "-seed=1 -runs=100000".
set -eu
cd "$(dirname "$0")/.."
build=build/fuzz

targets() {
	sed -n 's/^SB_FUZZ(\([a-z0-9_]*\), *[a-z0-9_]*, *"\([^"]*\)".*)$/\1\t\2/p' fuzz/targets.def
	sed -n 's/^SB_CODEC(\([a-z0-9_]*\),.*"\([^"]*\)")$/\1\tthe framing: \2/p' src/codec/codecs.def
}

need() { # COMMAND PACKAGES...
	command -v "$1" >/dev/null && return
	shift
	echo "installing $*" >&2
	as=
	[ "$(id -u)" = 0 ] || as=sudo
	$as apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1 ||
		{ $as apt-get update && $as apt-get install -y --no-install-recommends "$@"; } >/dev/null
}

if [ $# = 0 ]; then
	targets | expand -t 12
	exit 0
fi
target=$1
seconds=${2:-60}
if ! targets | cut -f 1 | grep -qx "$target"; then
	echo "no target \"$target\"; ci/fuzz.sh lists them" >&2
	exit 2
fi

need clang-19 clang-19 libclang-rt-19-dev
runtime=/usr/lib/llvm-19/lib/clang/19/lib/linux
ls $runtime/libclang_rt.fuzzer-*.a >/dev/null 2>&1 || need no-such-command libclang-rt-19-dev
need cmake cmake
need make make
cmake --preset fuzz >/dev/null || exit 2
cmake --build --preset fuzz -j"$(nproc)" --target "fuzz_$target" "replay_$target" >"$build/$target.log" 2>&1 ||
	{ cat "$build/$target.log" >&2; exit 2; }

mkdir -p "$build/$target/corpus" "$build/$target/finds"
new=$(mktemp)
dict=
[ -f "fuzz/dict/$target.dict" ] && dict="-dict=fuzz/dict/$target.dict"
set +e
# shellcheck disable=SC2086 # both are lists of words
"$build/fuzz_$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -print_final_stats=1 $dict \
	-artifact_prefix="$build/$target/finds/" ${SB_FUZZ_ARGS:-} "$build/$target/corpus" "corpus/$target"
r=$?
set -e
[ $r = 0 ] && { rm -f "$new"; exit 0; }

find "$build/$target/finds" -type f -newer "$new" | while read -r find; do
	name=h_$(sha256sum "$find" | cut -c 1-16)
	mv "$find" "$build/$target/finds/$name"
	echo
	"$build/replay_$target" "$build/$target/finds/$name" 2>&1 | grep -a -m 1 -E 'FOUND|SUMMARY' || true
	echo "again: $build/replay_$target $build/$target/finds/$name"
	echo "keep:  cp $build/$target/finds/$name corpus/$target/r_NAME"
done
rm -f "$new"
exit 1
