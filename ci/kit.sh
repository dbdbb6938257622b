#!/bin/sh
# SPDX-License-Identifier: MIT
#
# ci/kit.sh LIBRARY    the parser kit, fuzz/streambed_fuzz.h, on the parsers of docs/kit: compiles as C99 and as C++11
# without a warning, finds what docs/fuzzing-your-parser.md says it finds, and finds nothing in ours.
# LIBRARY: libstreambed.a, built by clang-19 with its sanitizers. Prints a line a check, then "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
library=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
warnings='-pedantic -Wall -Wextra -Wshadow -Werror'
kit='-g -I fuzz -I src'
fuzzer='clang-19 -O1 -fsanitize=fuzzer,address,undefined'

check() { # NAME COMMAND...
	name=$1
	shift
	if "$@" >"$work/log" 2>&1; then
		echo "ok      $name"
		passed=$((passed + 1))
	else
		echo "FAILED  $name"
		tail -n 20 "$work/log"
		failed=$((failed + 1))
	fi
}

# finds TEXT COMMAND...: it ends with a failure that says TEXT.
finds() {
	text=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		cat "$work/out"
		echo "it found nothing; expected: $text"
		return 1
	fi
	cat "$work/out"
	grep -aqF "$text" "$work/out"
}

# shellcheck disable=SC2086 # lists of words
{
	check 'C99' gcc -std=c99 $warnings -DSBF_MAIN $kit docs/kit/broken.c -o "$work/c99"
	check 'C++11' g++ -x c++ -std=c++11 $warnings -DSBF_MAIN $kit docs/kit/broken.c -o "$work/cxx11"
	check 'broken: builds as a target' $fuzzer $kit docs/kit/broken.c -o "$work/fuzz_broken"
	check 'ours: builds as a target' $fuzzer $kit docs/kit/ours.c "$library" -o "$work/fuzz_ours"
	check 'ours: builds as a replay' \
		clang-19 -fsanitize=address,undefined -DSBF_MAIN $kit docs/kit/ours.c "$library" -o "$work/ours"
	check 'http_parser: builds' \
		gcc -std=c99 $warnings -DSBF_MAIN $kit docs/kit/http_parser.c -o "$work/http" -lhttp_parser
	check 'http_parser, tokens dropped: builds' \
		gcc -std=c99 $warnings -DKIT_DROP -DSBF_MAIN $kit docs/kit/http_parser.c -o "$work/drop" -lhttp_parser
}

# The page shows the file, but for its two lines of comment.
shown() {
	sed -n '/^```c$/,/^```$/p;/^```$/q' docs/fuzzing-your-parser.md | sed '/^```/d' >"$work/page"
	tail -n +3 docs/kit/broken.c | cmp - "$work/page"
}
check 'broken: as the page shows it' shown

printf 'PING\r\nPONG\r\n' >"$work/ping_pong"
broken='FOUND split≠whole at cut 5: whole = line "PING"; cut = line "PING\x0d\x0aPONG" (event 1)'
check 'broken: found by the replay, C99' finds "$broken" "$work/c99" "$work/ping_pong"
check 'broken: found by the replay, C++11' finds "$broken" "$work/cxx11" "$work/ping_pong"
check 'broken: found from nothing in 20,000 runs' finds 'FOUND split≠whole' \
	"$work/fuzz_broken" -seed=1 -runs=20000 -artifact_prefix="$work/"

check 'ours: 20,000 runs from nothing' "$work/fuzz_ours" -seed=1 -runs=20000 -artifact_prefix="$work/"
for seed in corpus/netstring/*; do
	tail -c +2 "$seed" >"$work/n_$(basename "$seed")" # without the byte that chooses max
done
check 'ours: our corpus' "$work/ours" "$work"/n_*

printf 'GET / HTTP/1.1\r\nHos@: x' >"$work/token"
printf 'POST / HTTP/1.1\r\nUpgrade: x\r\nConnection: upgrade\r\nContent-Length: 5\r\n\r\nhello' >"$work/upgrade"
printf 'GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello' >"$work/fine"
check 'http_parser: a token before an error' finds 'cut = field "H"' "$work/http" "$work/token"
check 'http_parser: which can be let pass' "$work/drop" "$work/token"
check 'http_parser: upgrade with a body' \
	finds 'whole = body "hello"; cut = upgrade at' "$work/drop" "$work/upgrade"
check 'http_parser: what is well-formed' "$work/http" "$work/fine"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
