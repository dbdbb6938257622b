#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Plants bugs and sees whether the fuzz targets find them: ci/mutants.sh [OPTION...] [NUMBER|NAME...]
#   ci/mutants.sh              every patch of fuzz/mutants: all must be found, controls must not
#   ci/mutants.sh --smoke      the dozen that say Smoke: yes
#   ci/mutants.sh --canaries   every patch of fuzz/canaries: found by the oracle that it is for
#   ci/mutants.sh --sanitizers and what the sanitizers would have found without the checks of the harness
#   ci/mutants.sh --empty      and once more from an empty corpus, 300 s at most; --seeds N: so often
# The rest is in ci/mutants.py (--help). Installs what is missing (Debian 12).
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. ci/install.sh
sb_install git gcc make cmake ninja-build clang-19 llvm-19 libclang-rt-19-dev python3 >&2
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 ci/mutants.py "$@"
