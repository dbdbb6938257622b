# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by what fuzzes: which targets there are, how they are built and run, what becomes of a find. All paths are
# relative to the project's folder. fuzz_begin comes first.
# shellcheck disable=SC2034 # some of it is for who sources this
. ci/install.sh

fuzz_build=build/fuzz
fuzz_max_len=4096
fuzz_packages=(clang-19 libclang-rt-19-dev llvm-19 cmake make)
fuzz_afl_packages=(afl++ clang-14)

# What AFL++ must have, or it refuses to run where it is busy, not set up for it, or a container.
fuzz_afl_environment=(AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_AFFINITY=1
	AFL_FAST_CAL=1 AFL_CMPLOG_ONLY_NEW=1 AFL_FORKSRV_INIT_TMOUT=60000)

fuzz_room=''        # a folder for what does not outlive the script
fuzz_interrupted='' # by Ctrl-C: what was found until then is still reported

fuzz_begin() {
	fuzz_room=$(mktemp -d)
	trap 'rm -rf "$fuzz_room"' EXIT
	trap 'fuzz_interrupted=1' INT TERM
	# To keep the frames of what has returned costs a quarter of a run. The replays of the corpora, which run nearly
	# every line, do (check.sh), and so does the nightly run.
	export ASAN_OPTIONS=${ASAN_OPTIONS-detect_stack_use_after_return=0:strict_string_checks=1}
	export UBSAN_OPTIONS=${UBSAN_OPTIONS-print_stacktrace=1}
	local symbolizer=/usr/bin/llvm-symbolizer-19
	[ ! -x $symbolizer ] || export ASAN_SYMBOLIZER_PATH=$symbolizer
}

# One a line: its name, a tab, what it is.
fuzz_targets() {
	sed -n 's/^SB_FUZZ(\([a-z0-9_]*\), *[a-z0-9_]*, *"\([^"]*\)".*)$/\1\t\2/p' fuzz/targets.def
	sed -n 's/^SB_CODEC(\([a-z0-9_]*\),.*"\([^"]*\)")$/\1\tthe framing: \2/p' src/codec/codecs.def
}

fuzz_is_real() { # TARGET
	grep -q "^SB_FUZZ($1,.*, REAL)\$" fuzz/targets.def
}

fuzz_install() { # PACKAGE...
	sb_install "$@" >"$fuzz_room/install" 2>&1 && ! grep installing: "$fuzz_room/install" >&2 && return 0
	cat "$fuzz_room/install" >&2
}

# fuzz_make PRESET TARGET...: quiet, unless it fails.
fuzz_make() {
	local preset=$1 log=$fuzz_room/make
	shift
	cmake --preset "$preset" >"$log" 2>&1 &&
		cmake --build --preset "$preset" --parallel "$(nproc)" --target "$@" >>"$log" 2>&1 && return 0
	tail -n 40 "$log" >&2
	echo "the preset $preset does not build" >&2
	return 1
}

fuzz_dict() { # TARGET
	[ ! -f "fuzz/dict/$1.dict" ] || printf '%s' "fuzz/dict/$1.dict"
}

# ---- finds -----------------------------------------------------------------------------------------------------

# What a run that failed says of it, in one line.
fuzz_line_of() { # LOG
	grep -a -m 1 '^FOUND ' "$1" || grep -a -m 1 '^SUMMARY: ' "$1"
}

# The same for all lines that say the same of different inputs.
fuzz_kind_of() { # LINE
	case $1 in
	'FOUND promise'* | 'FOUND '[!\ ]*≠*) cut -d ' ' -f 1-2 <<<"${1//:/}" ;;
	SUMMARY*) cut -d ' ' -f 1-4 <<<"$1" ;; # with the place
	*) sed 's/["(].*//; s/ [0-9a-f]*[0-9][^ ]*//g' <<<"$1" ;;
	esac
}

# Runs one input by itself; what it says is left in LOG. 0: nothing is wrong.
fuzz_again() { # LOG PROGRAM ARGUMENT...
	local log=$1 status
	shift
	(timeout 20 "$@" || exit) >"$log" 2>&1
	status=$?
	[ $status != 124 ] || echo 'FOUND timeout: more than 20 s for one input' >>"$log"
	return $status
}

# fuzz_judge TARGET FILE LOG: sets again and line: the program that shows what is wrong with the file, and what that
# is. LOG is what the engine said when it found it.
fuzz_judge() {
	local log=$fuzz_room/again
	again=$fuzz_build/replay_$1
	if fuzz_again "$log" "$again" "$2"; then
		again=$fuzz_build/fuzz_$1 # memory used up, say: only the engine minds
		fuzz_again "$log" "$again" -timeout=10 -rss_limit_mb=2048 "$2" && : >"$log"
	fi
	line=$(fuzz_line_of "$log") || line=$(fuzz_line_of "$3") || line='FOUND the program ended without a word'
	[ -s "$log" ] || line+=' (not by this input alone, but after others)'
}

# fuzz_report TARGET FILE LOG MORE: makes the find small, names it, says it.
fuzz_report() {
	local small=$fuzz_room/small again line name
	# Not by libFuzzer's -minimize_crash nor by afl-tmin: these are content with any other crash.
	ASAN_OPTIONS=$ASAN_OPTIONS:symbolize=0 timeout 60 "$fuzz_build/replay_$1" -m "$small" "$2" >/dev/null 2>&1 ||
		cp "$2" "$small"
	fuzz_judge "$1" "$small" "$3"
	name=$fuzz_build/$1/finds/h_$(sha256sum "$small" | cut -c 1-16)
	[ ! -e "$name" ] || line="known already: $line"
	cp "$small" "$name"
	printf '\n%s\nagain: %s    keep: %s\n' "$line" "$again $name" "cp $name corpus/$1/r_NAME"
	[ "$4" = 0 ] || echo "and $4 more that fail in the same way"
}

# fuzz_finds TARGET LOG FILE...: reports the files that exist, one of each kind; 1 when there are any.
fuzz_finds() {
	local target=$1 log=$2 file again line kind
	local -A smallest=() more=()
	shift 2
	mkdir -p "$fuzz_build/$target/finds"
	while IFS= read -r file; do
		fuzz_judge "$target" "$file" "$log"
		kind=$(fuzz_kind_of "$line")
		if [ -n "${smallest[$kind]-}" ]; then
			more[$kind]=$((more[$kind] + 1))
		else
			smallest[$kind]=$file more[$kind]=0
		fi
	done < <(find "$@" -maxdepth 1 -type f ! -name 'slow-unit-*' -printf '%s %p\n' 2>/dev/null |
		sort -n | cut -d ' ' -f 2-) # a slow unit is below the limit
	for kind in "${!smallest[@]}"; do
		fuzz_report "$target" "${smallest[$kind]}" "$log" "${more[$kind]}"
	done
	[ ${#smallest[@]} = 0 ]
}

# ---- libFuzzer -------------------------------------------------------------------------------------------------

# What a run begins with. A folder is read in the order in which its file system has it; in order, as a list, every
# machine does the same (fuzz_is_ordered).
fuzz_seeds() { # TARGET
	if [ -n "${fuzz_is_ordered-}" ]; then
		LC_ALL=C find "corpus/$1" -type f | LC_ALL=C sort | paste -sd , >"$fuzz_room/seeds"
		printf -- '-seed_inputs=@%s' "$fuzz_room/seeds"
	else
		printf 'corpus/%s' "$1"
	fi
}

# fuzz_libfuzzer TARGET CORPUS ARGUMENT...: from corpus/TARGET, new inputs to CORPUS. Prints what libFuzzer prints, and
# the finds. 0: nothing found, 1: a find, 2: it could not run.
fuzz_libfuzzer() {
	local target=$1 corpus=$2 artifacts=$fuzz_room/artifacts log=$fuzz_room/log status line dict seeds
	shift 2
	rm -rf "$artifacts"
	mkdir -p "$corpus" "$artifacts"
	dict=$(fuzz_dict "$target")
	seeds=$(fuzz_seeds "$target")
	# What is behind it outlives a Ctrl-C, or it would end for want of a reader.
	"$fuzz_build/fuzz_$target" -max_len=$fuzz_max_len -timeout=10 -rss_limit_mb=2048 \
		${dict:+-dict="$dict"} -artifact_prefix="$artifacts/" "$@" "$corpus" "$seeds" 2>&1 |
		(trap '' INT TERM && tee "$log" | sed -u '/^###### Recommended dictionary/,/^###### End of/d')
	status=${PIPESTATUS[0]}
	fuzz_finds "$target" "$log" "$artifacts"/* || return 1
	case $status in
	0 | 72) return 0 ;; # 72: interrupted
	esac
	if line=$(fuzz_line_of "$log"); then
		printf '\n%s\nagain: %s\n' "$line" "$fuzz_build/fuzz_$target -runs=0"
		return 1
	fi
	echo "libFuzzer could not run: exit $status" >&2
	return 2
}

# ---- AFL++ -----------------------------------------------------------------------------------------------------

fuzz_afl_value() { # FOLDER INSTANCE KEY
	sed -n "s/^$3 *: *//p" "$1/$2/fuzzer_stats" 2>/dev/null
}

# From plot_data, which is written more often than fuzzer_stats.
fuzz_afl_progress() { # FOLDER SECOND
	local name line="$2 s"
	for name in clang cmplog; do
		line+=$(tail -n 1 "$1/$name/plot_data" 2>/dev/null | awk -F ', *' -v n=$name \
			'/^[0-9]/ { printf " | %s: %d runs, %d inputs, %d edges", n, $12, $4, $13 }')
	done
	echo "$line"
}

# Two instances that share a folder, until the time is up or there is a find. The first has clang's own coverage and
# the sanitizers; the second has AFL++'s plugin, which sees what is compared with what, and no sanitizers.
fuzz_afl_run() { # FOLDER TARGET SECONDS
	local dict pids=() since=$SECONDS
	local run=(env -u ASAN_OPTIONS -u UBSAN_OPTIONS "${fuzz_afl_environment[@]}" afl-fuzz)
	dict=$(fuzz_dict "$2")
	run+=(-i "$1/in" -o "$1" -V "$3" -t 10000 -G "$fuzz_max_len" ${dict:+-x "$dict"})
	# Sanitizers reserve more memory than there is, so that only the second has a limit.
	"${run[@]}" -m none -S clang "build/afl/fuzz_$2" >"$1/clang.log" 2>&1 </dev/null &
	pids+=($!)
	# A CMPLOG binary beside the main one (-c FILE) found nothing in nine runs; as the main one it does.
	"${run[@]}" -m 2048 -S cmplog -c 0 "build/afl-cmplog/fuzz_$2" >"$1/cmplog.log" 2>&1 </dev/null &
	pids+=($!)
	while kill -0 "${pids[@]}" 2>/dev/null; do
		sleep 1
		(((SECONDS - since) % 5)) || fuzz_afl_progress "$1" $((SECONDS - since))
		if [ -n "$fuzz_interrupted" ] || compgen -G "$1/c*/[ch]*s/id*" >/dev/null; then
			break
		fi
	done
	kill -INT "${pids[@]}" 2>/dev/null
	wait "${pids[@]}"
}

# What must be true of both when they have ended. What the real kernel does is not the same each time.
fuzz_afl_check() { # FOLDER TARGET
	local name runs stability status=0
	for name in clang cmplog; do
		runs=$(fuzz_afl_value "$1" $name execs_done)
		stability=$(fuzz_afl_value "$1" $name stability)
		if [ "${runs:-0}" = 0 ]; then
			tail -n 20 "$1/$name.log" >&2
			echo "afl-fuzz ($name) could not run" >&2
			status=2
			continue
		fi
		echo "$name: $runs runs, $(fuzz_afl_value "$1" $name execs_per_sec)/s, stability $stability"
		[ "$stability" != 100.00% ] && ! fuzz_is_real "$2" || continue
		echo "FAILED: stability must be 100 %: something is remembered from one input to the next"
		status=1
	done
	return $status
}

# fuzz_afl TARGET CORPUS SECONDS: the same as fuzz_libfuzzer.
fuzz_afl() {
	local target=$1 corpus=$2 seconds=$3 folder=$fuzz_room/afl log=$fuzz_room/log status=0
	rm -rf "$folder"
	mkdir -p "$corpus" "$folder/in"
	# A seed that fails: AFL++ would leave it out and go on.
	cp "corpus/$target"/* "$folder/in/"
	find "$corpus" -type f -exec cp -t "$folder/in/" {} +
	if ! fuzz_again "$log" "$fuzz_build/replay_$target" "$folder/in"; then
		fuzz_finds "$target" "$log" "$(sed -n 's/^input: //p' "$log" | head -n 1)" && cat "$log" >&2
		return 1
	fi
	fuzz_afl_run "$folder" "$target" "$seconds"
	cat "$folder"/c*.log >"$log"
	fuzz_finds "$target" "$log" "$folder"/c*/crashes/id* "$folder"/c*/hangs/id* || status=1
	fuzz_afl_check "$folder" "$target" || status=$?
	"$fuzz_build/fuzz_$target" -merge=1 -max_len=$fuzz_max_len "$corpus" "$folder"/c*/queue >/dev/null 2>&1
	return $status
}
