#!/bin/bash -eu
# SPDX-License-Identifier: MIT
#
# Builds the fuzz targets as OSS-Fuzz and ClusterFuzzLite want it; ci/ossfuzz_local.sh checks that it does. Given: $CC,
# $CXX, $CFLAGS, $CXXFLAGS, $LIB_FUZZING_ENGINE, and the folders $OUT and $WORK, which alone are written to.
# For each target of the tables $OUT gets fuzz_NAME, fuzz_NAME_seed_corpus.zip, fuzz_NAME.options and, if there is one,
# fuzz_NAME.dict.
cd "${SRC:-}/streambed" 2>/dev/null || cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Flags are the caller's: a build type that CMake knows nothing of adds none.
cmake -S . -B "$WORK/streambed" -DCMAKE_BUILD_TYPE=Given -DSB_FUZZ=ON -DSB_SHARED=OFF
cmake --build "$WORK/streambed" --parallel "$(nproc)" --target fuzz_targets

for program in "$WORK"/streambed/fuzz_*; do
	target=$(basename "$program")
	name=${target#fuzz_}
	[ "$name" != empty ] || continue # measures what the engine costs
	cp "$program" "$OUT/"
	rm -f "$OUT/${target}_seed_corpus.zip"
	zip -q -X -j -r "$OUT/${target}_seed_corpus.zip" "corpus/$name"
	printf '[libfuzzer]\nmax_len = 4096\n' >"$OUT/$target.options"
	if [ -f "fuzz/dict/$name.dict" ]; then
		cp "fuzz/dict/$name.dict" "$OUT/$target.dict"
		printf 'dict = %s.dict\n' "$target" >>"$OUT/$target.options"
	fi
done
