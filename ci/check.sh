#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Everything that must hold before a change goes in: ci/check.sh [--full]
# Installs what is missing (Debian 12), lints, builds with sanitizers, runs every test, and builds what users get.
# --full adds the long parts: formatting, clang-tidy, the memory sanitizer, fuzzing, and long live tests.
# A step that fails does not stop those that do not need it. The last line is: N passed, N failed, N skipped.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
exec </dev/null
. ci/install.sh

full=
case ${1-} in
--full) full=1 ;;
'') ;;
*)
	echo "usage: ci/check.sh [--full]" >&2
	exit 2
	;;
esac

packages=(git gcc libc6-dev make cmake clang-19 llvm-19 libclang-rt-19-dev libcmocka-dev liburing-dev libenet-dev
	pkgconf python3 python3-pytest python3-hypothesis netcat-openbsd ncat socat strace iproute2
	redis-server redis-tools)
full_packages=(clang-tidy-19 clang-format-19 afl++ clang-14 zip binutils g++ libhttp-parser-dev)

python=/usr/bin/python3
jobs=$(nproc)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONDONTWRITEBYTECODE=1
export ASAN_OPTIONS=strict_string_checks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
ASAN_SYMBOLIZER_PATH=/usr/bin/llvm-symbolizer-19
export ASAN_SYMBOLIZER_PATH MSAN_SYMBOLIZER_PATH=$ASAN_SYMBOLIZER_PATH

# ---- keeping count -------------------------------------------------------------------------------------------

passed=0 failed=0 skipped=0
summary=()
step='' since=0

begin() {
	step=$1
	since=$SECONDS
	printf '\n== %s\n' "$step"
}

# count PASSED FAILED SKIPPED [LINE...]: what the step came to, and what is to be said of it at the end.
count() {
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
	local line
	printf -v line '%-34s %5d passed %4d failed %4d skipped %5d s' "$step" "$1" "$2" "$3" $((SECONDS - since))
	summary+=("$line")
	shift 3
	for line; do
		summary+=("    $line")
	done
}

# What a log says of what failed: the summary names it, should only that be left of the output.
failures() { # LOG
	{ grep -aE '^(FOUND|FAILED|SUMMARY:) |FAILED$|: error:' "$1" || head -n 3 "$1"; } | head -n 12 | cut -c 1-300 |
		sed 's/^/failed: /'
}

# A step that is one command: passes or fails as a whole, and is quiet when it passes.
one() {
	local -a lines
	begin "$1"
	shift
	if "$@" >"$work/log" 2>&1; then
		tail -n 3 "$work/log"
		count 1 0 0
		return 0
	fi
	head -n 150 "$work/log" # the first error says most
	[ "$(wc -l <"$work/log")" -le 150 ] || { echo '[...]' && tail -n 10 "$work/log"; }
	echo "FAILED: $step"
	mapfile -t lines < <(failures "$work/log")
	count 0 1 0 "${lines[@]}"
	return 1
}

skip() {
	begin "$1"
	echo "skipped: $2"
	count 0 0 1 "skipped: $2"
}

# A step that is a runner with a JUnit report: junit STATUS REPORT.
junit() {
	local -a lines
	local p f s
	mapfile -t lines < <("$python" ci/junit.py "$2")
	read -r p f s <<<"${lines[0]}"
	if [ "$1" != 0 ] && [ "$f" = 0 ]; then
		echo "the runner itself failed: exit $1"
		f=1
	fi
	[ "$f" = 0 ] || echo "FAILED: $step"
	count "$p" "$f" "$s" "${lines[@]:1}"
}

# ---- the steps -----------------------------------------------------------------------------------------------

build() { # PRESET [DIRECTORY [OPTION...]]
	local directory=${2:-build/$1}
	cmake --preset "$1" -B "$directory" "${@:3}" && cmake --build "$directory" --parallel "$jobs" -- -k
}

unit_tests() { # NAME DIRECTORY
	if ! compgen -G 'tests/unit/test_*.c' >/dev/null; then
		skip "$1" "no tests/unit/test_*.c"
		return
	fi
	begin "$1"
	ctest --test-dir "$2" --parallel "$jobs" --output-on-failure --output-junit "$work/ctest.xml" >"$work/log" 2>&1
	local status=$?
	if [ $status = 0 ]; then tail -n 3 "$work/log"; else cat "$work/log"; fi
	junit $status "$work/ctest.xml"
	rm -f "$work/ctest.xml"
}

live_tests() {
	if [ ! -x build/asan/streambed ]; then
		skip 'live tests' 'build/asan/streambed was not built'
		return
	elif ! compgen -G 'tests/live/test_*.py' >/dev/null; then
		skip 'live tests' 'no tests/live/test_*.py'
		return
	fi
	begin 'live tests'
	SB_BIN=$PWD/build/asan/streambed SB_FULL=$full timeout -k 10 1200 "$python" -m pytest -q -p no:cacheprovider \
		--junitxml="$work/pytest.xml" tests/live
	junit $? "$work/pytest.xml"
}

# The library exports what streambed.h declares, and nothing else.
exports() { # PREFIX
	diff <(sed -n 's/^SB_API [^(]*\b\(sb_[a-z0-9_]*\)(.*/\1/p' src/streambed.h | sort) \
		<(nm -D --defined-only "$1"/lib/libstreambed.so | awk '{ print $3 }' | sort)
}

# An example as its reader would build it: pkg-config and the installed tree, shared and static.
example() { # PREFIX SOURCE
	local flags
	flags=$(PKG_CONFIG_PATH=$1/lib/pkgconfig pkg-config --cflags --libs streambed) || return 1
	echo "gcc $2 $flags"
	# shellcheck disable=SC2086
	gcc -std=c11 -Wall -Wextra -Werror -o "$work/shared" "$2" $flags &&
		LD_LIBRARY_PATH=$1/lib timeout 60 "$work/shared" &&
		gcc -std=c11 -Wall -Wextra -Werror -o "$work/static" "$2" ${flags/-lstreambed/-l:libstreambed.a} &&
		timeout 60 "$work/static"
}

installed() {
	local prefix=$work/prefix source
	one 'install' cmake --install build/check-release --prefix "$prefix" || return
	one 'exported names' exports "$prefix"
	one 'installed program' "$prefix/bin/streambed" --version
	for source in docs/examples/*.c; do
		[ -e "$source" ] || continue
		one "example $(basename "$source" .c), installed" example "$prefix" "$source"
	done
}

# Planted bugs (fuzz/mutants, fuzz/canaries) that no longer fit the sources measure nothing.
mutants_apply() {
	local patch
	for patch in fuzz/mutants/*.patch fuzz/canaries/*.patch; do
		git apply --check "$patch" || return 1
	done
}

formatting() {
	local folders
	folders=$(ls -d src tests bench docs/examples fuzz 2>/dev/null)
	# shellcheck disable=SC2086
	find $folders -name '*.[ch]' -print0 | xargs -0 -n 1 clang-format-19 --dry-run --Werror --ferror-limit=1
}

static_analysis() {
	find src -name '*.c' -print0 |
		xargs -0 -n 4 -P "$jobs" clang-tidy-19 -p build/asan --quiet --warnings-as-errors='*'
}

# A step that says itself what it came to, in its last line: N passed, N failed.
counted() { # NAME COMMAND...
	local p f
	local -a lines=()
	begin "$1"
	shift
	"$@" >"$work/log" 2>&1
	local status=$?
	cat "$work/log"
	p=$(sed -n '$s/^\([0-9]*\) passed, [0-9]* failed$/\1/p' "$work/log")
	f=$(sed -n '$s/^[0-9]* passed, \([0-9]*\) failed$/\1/p' "$work/log")
	[ $status = 0 ] || [ "${f:-0}" != 0 ] || f=1
	if [ "${f:-1}" != 0 ]; then
		echo "FAILED: $step"
		mapfile -t lines < <(failures "$work/log")
	fi
	count "${p:-0}" "${f:-1}" 0 "${lines[@]}"
}

# Where addresses are more random than a sanitizer can bear, it dies at start, now and then (clang 17 and older).
randomness() {
	local bits
	bits=$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)
	[ "$bits" -gt 28 ] || return 0
	if [ -n "${CI-}" ] && sb_as_root sh -c 'echo 28 >/proc/sys/vm/mmap_rnd_bits' >/dev/null 2>&1; then
		echo "  mmap_rnd_bits     set from $bits to 28 for the sanitizers"
	else
		echo "  mmap_rnd_bits     should a sanitizer die at start: sysctl vm.mmap_rnd_bits=28"
	fi
}

# ---- the order: what is quick to fail comes first --------------------------------------------------------------

sb_install "${packages[@]}" ${full:+"${full_packages[@]}"} >"$work/log" 2>&1
installation=$?

echo '== found'
"$python" ci/found.py
randomness

begin 'packages'
since=0
if [ $installation = 0 ]; then grep installing: "$work/log" || echo 'all there'; else cat "$work/log"; fi
count $((installation == 0)) $((installation != 0)) 0

one 'lint finds what is planted' "$python" ci/tidy.py --self-test
one 'lint' "$python" ci/tidy.py
one 'mutants still apply' mutants_apply
one 'build asan' build asan
unit_tests 'unit tests, asan' build/asan
live_tests
if one 'build release' build release build/check-release -DSB_WERROR=ON; then
	installed
else
	skip 'installed tree' 'the release does not build'
fi

if [ -n "$full" ]; then
	one 'formatting' formatting
	one 'clang-tidy' static_analysis
	one 'build msan' build msan
	unit_tests 'unit tests, msan' build/msan
	one 'build gcc' build dev build/check-gcc
	unit_tests 'unit tests and corpora, gcc' build/check-gcc
	counted 'parser kit' ci/kit.sh build/asan/libstreambed.a
	one 'coverage gate' ci/coverage.sh --gate
	counted 'canaries' ci/mutants.sh --canaries
	counted 'planted bugs, twelve' ci/mutants.sh --smoke
	counted 'fuzz, short' ci/fuzz_short.sh
	counted 'OSS-Fuzz contract' ci/ossfuzz_local.sh
fi

printf '\n== summary, %d s\n' $SECONDS
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
