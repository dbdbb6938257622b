#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The build contract of OSS-Fuzz and ClusterFuzzLite, checked without Docker: ci/ossfuzz_local.sh [BUILD...]
# BUILD is address, undefined, memory, coverage (each for libFuzzer) or afl (address, for AFL++); all without one.
#
# Builds with .clusterfuzzlite/build.sh and their flags into build/ossfuzz/BUILD, and checks what comes of it from
# another folder: names, seeds, dictionaries, options, instrumentation, that it runs (ossfuzz_check.py). Then spoils it
# on purpose and demands that this is noticed. The last line is: N passed, N failed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
. ci/fuzz_lib.sh

python=/usr/bin/python3
room=$PWD/build/ossfuzz
packages=("${fuzz_packages[@]}" "${fuzz_afl_packages[@]}" zip binutils python3 g++)

# Of OSS-Fuzz's base-builder.
common='-O1 -fno-omit-frame-pointer -gline-tables-only -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION'
undefined=array-bounds,bool,builtin,enum,function,integer-divide-by-zero,null,object-size,return
undefined+=,returns-nonnull-attribute,shift,signed-integer-overflow,unreachable,vla-bound,vptr
flags_of() { # BUILD
	case $1 in
	address) echo '-fsanitize=address,fuzzer-no-link -fsanitize-address-use-after-scope' ;;
	undefined)
		echo "-fsanitize=$undefined,unsigned-integer-overflow -fno-sanitize-recover=$undefined" \
			'-fsanitize=fuzzer-no-link'
		;;
	memory) echo '-fsanitize=memory,fuzzer-no-link -fsanitize-memory-track-origins' ;;
	coverage) echo '-fprofile-instr-generate -fcoverage-mapping -pthread -Wno-unused-command-line-argument' ;;
	afl) echo '-fsanitize=address -fsanitize-address-use-after-scope' ;;
	esac
}

build() { # BUILD
	local cc=(CC=clang-19 CXX=clang++-19 LIB_FUZZING_ENGINE=-fsanitize=fuzzer FUZZING_ENGINE=libfuzzer)
	[ "$1" != afl ] || cc=(CC=afl-clang-fast CXX=afl-clang-fast++ LIB_FUZZING_ENGINE=/usr/lib/afl/libAFLDriver.a
		FUZZING_ENGINE=afl AFL_LLVM_INSTRUMENT=LLVM-NATIVE AFL_CC=clang-19 AFL_CXX=clang++-19
		AFL_QUIET=1 CCACHE_NAMESPACE=afl)
	rm -rf "$room/$1/out"
	mkdir -p "$room/$1/out" "$room/$1/work"
	local flags
	flags="$common $(flags_of "$1")"
	env "${cc[@]}" CFLAGS="$flags" CXXFLAGS="$flags" SANITIZER="${1/afl/address}" ARCHITECTURE=x86_64 \
		SRC="$room/nothing" OUT="$room/$1/out" WORK="$room/$1/work" .clusterfuzzlite/build.sh
}

check() { # BUILD
	case $1 in
	afl) "$python" ci/ossfuzz_check.py "$room/afl/out" address afl ;;
	*) "$python" ci/ossfuzz_check.py "$room/$1/out" "$1" libfuzzer ;;
	esac
}

# one NAME COMMAND...: quiet when it passes.
one() {
	local since=$SECONDS name=$1
	shift
	if "$@" >"$fuzz_room/log" 2>&1; then
		passed=$((passed + 1))
		printf '%-46s ok %5d s\n' "$name" $((SECONDS - since))
		return 0
	fi
	failed=$((failed + 1))
	tail -n 40 "$fuzz_room/log"
	printf '%-46s FAILED\n' "$name"
	return 1
}

# spoilt TEXT: the check of files, of a spoilt copy, must complain with this text.
spoilt() {
	"$python" ci/ossfuzz_check.py --files "$spoil" | grep -F -- "$1"
}

# Built for an engine, but without a sanitizer, under the name of a target.
without_asan() {
	printf 'int f(int n);int f(int n){return n*n;}\n' >"$fuzz_room/f.c"
	clang-19 -O1 -g -fsanitize=fuzzer -o "$spoil/fuzz_line" fuzz/empty.c "$fuzz_room/f.c" &&
		! "$python" ci/ossfuzz_check.py "$spoil" address libfuzzer fuzz_line >"$fuzz_room/said" &&
		cat "$fuzz_room/said" && grep -F 'fuzz_line: 0 calls of __asan*, at least 1000' "$fuzz_room/said"
}

# Each is noticed, or the checks are worth nothing.
negative_controls() { # OUT
	local line=fuzz_line
	spoil=$fuzz_room/spoil
	cp -r "$1" "$spoil"
	one 'as it is, it passes' "$python" ci/ossfuzz_check.py --files "$spoil"
	mv "$spoil/${line}_seed_corpus.zip" "$spoil/$line.zip"
	one 'a wrong name of seeds is refused' spoilt "${line}_seed_corpus.zip: not there"
	one 'a file that belongs to nothing is refused' spoilt "$line.zip: belongs to no target"
	"$python" -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1], "w").close()' "$spoil/${line}_seed_corpus.zip"
	one 'seeds without a seed are refused' spoilt "${line}_seed_corpus.zip: 0 files"
	echo 'no quotes' >>"$spoil/$line.dict"
	one 'a broken dictionary is refused' spoilt 'no dictionary line: no quotes'
	echo 'max_length = 7' >>"$spoil/$line.options"
	one 'an unknown option is refused' spoilt '[libfuzzer] max_length: nobody knows it'
	rm "$spoil/fuzz_raw"
	one 'a missing target is refused' spoilt 'fuzz_raw: not there'
	rm -rf "$spoil"
	cp -r "$1" "$spoil"
	one 'a build without ASan is refused' without_asan
}

passed=0 failed=0
builds=("$@")
[ $# != 0 ] || builds=(address undefined memory coverage afl)
for name in "${builds[@]}"; do
	if [ -z "$(flags_of "$name")" ]; then
		echo "no build \"$name\": address, undefined, memory, coverage, afl" >&2
		exit 2
	fi
done
fuzz_begin
fuzz_install "${packages[@]}" || exit 2
for name in "${builds[@]}"; do
	if one "$name: builds" build "$name"; then
		one "$name: is what OSS-Fuzz wants" check "$name"
	fi
	[ "$name" != address ] || negative_controls "$room/address/out"
	[ -z "$fuzz_interrupted" ] || exit 130
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
