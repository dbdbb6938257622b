#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Builds streambed and runs it: ci/run.sh [ARGUMENT...]
#   ci/run.sh                                      serves ECHO on 127.0.0.1:7777 and [::1]:7777, TCP and UDP
#   ci/run.sh --listen tcp://127.0.0.1:0,ECHO      the same as: streambed serve --listen ...
#   ci/run.sh send tcp://127.0.0.1:7777            any other command of streambed
# Installs a C compiler and CMake when they are missing, and liburing and ENet, which two experiments of the lab need
# and everything else does without. Says nothing but on standard error, and there only when something takes long or
# fails: standard output is streambed's.
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/ci/install.sh"

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Runs a command without a word, unless it fails.
quietly() {
	if ! "$@" >"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		echo "failed: $*" >&2
		exit 1
	fi
}

if ! { command -v gcc && command -v cmake && command -v make && [ -e /usr/include/stdio.h ]; } >/dev/null; then
	echo "installing a compiler and CMake" >&2
	quietly sb_install gcc libc6-dev cmake make
fi
if command -v dpkg-query >/dev/null && [ -n "$(sb_missing liburing-dev libenet-dev)" ]; then
	echo "installing liburing and ENet" >&2
	sb_install liburing-dev libenet-dev >"$log" 2>&1 </dev/null || echo "without: the lab leaves something out" >&2
fi
[ -x "$root/build/release/streambed" ] || echo "building streambed into build/release/" >&2
quietly cmake -S "$root" --preset release
quietly cmake --build "$root/build/release" --parallel "$(nproc)"
rm -f "$log"

case ${1-} in
'' | -*) exec "$root/build/release/streambed" serve "$@" ;;
*) exec "$root/build/release/streambed" "$@" ;;
esac
