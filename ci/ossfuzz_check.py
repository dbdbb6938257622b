#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Is a folder what OSS-Fuzz would accept as $OUT? For ci/ossfuzz_local.sh.

  ci/ossfuzz_check.py OUT SANITIZER ENGINE [TARGET]    address|undefined|memory|coverage, libfuzzer|afl
  ci/ossfuzz_check.py --files OUT                      only what files there are and what is in them

Prints a line for everything that is wrong; exit 1 when there was anything. The thresholds are OSS-Fuzz's own.
"""
import concurrent.futures
import configparser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
EDGES_MIN = 100
# Calls into a sanitizer's runtime: at least so many when it is the one asked for, at most so many when it is not. Of
# __ubsan OSS-Fuzz wants 168, of which its runtime alone has 165. Debian's has 3, so 100 asks for far more.
CALLS_MIN = {'address': ('__asan', 1000), 'memory': ('__msan', 1000), 'undefined': ('__ubsan', 100)}
CALLS_MAX = {'__asan': 0, '__msan': 3, '__ubsan': 200}
OPTIONS = {'libfuzzer': {'max_len', 'dict', 'timeout', 'rss_limit_mb', 'len_control', 'close_fd_mask'},
           'asan': None, 'msan': None, 'ubsan': None, 'env': None}
SUFFIXES = ('_seed_corpus.zip', '.dict', '.options')
DICT_LINE = re.compile(r'\s*(#.*|([A-Za-z0-9_]+(@\d+)?\s*=\s*)?"([ !#-\[\]-~]|\\["\\]|\\x[0-9a-fA-F]{2})+"\s*)?')


def targets():
    """The rows of the tables but REAL and SMALL ones: a file of our own may be missing, a row may not."""
    names = re.findall(r'^SB_FUZZ\((\w+),.*"\)$', (ROOT / 'fuzz/targets.def').read_text(), re.M)
    names += re.findall(r'^SB_CODEC\((\w+),', (ROOT / 'src/codec/codecs.def').read_text(), re.M)
    return [f'fuzz_{name}' for name in names]


# ---- files -------------------------------------------------------------------------------------------------

def check_zip(path):
    seeds = sum(1 for p in (ROOT / 'corpus' / path.name[len('fuzz_'):-len(SUFFIXES[0])]).iterdir() if p.is_file())
    try:
        with zipfile.ZipFile(path) as z:
            bad, packed = z.testzip(), len(z.namelist())
    except zipfile.BadZipFile as e:
        return [f'{path.name}: {e}']
    if bad or packed == 0 or packed != seeds:
        return [f'{path.name}: {packed} files for {seeds} seeds' + (f', {bad} is broken' if bad else '')]
    return []


def check_dict(path):
    return [f'{path.name}:{n}: no dictionary line: {line}'
            for n, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1) if not DICT_LINE.fullmatch(line)]


def check_options(path):
    parser = configparser.ConfigParser()
    try:
        parser.read_string(path.read_text())
    except configparser.Error as e:
        return [f'{path.name}: {e}']
    wrong = []
    for section in parser.sections():
        for key, value in parser.items(section):
            if section not in OPTIONS or OPTIONS[section] is not None and key not in OPTIONS[section]:
                wrong.append(f'{path.name}: [{section}] {key}: nobody knows it')
            if key == 'dict' and not (path.parent / value).is_file():
                wrong.append(f'{path.name}: there is no {value}')
    return wrong


def check_files(out):
    """What is there belongs to a target, and what a target needs is there."""
    names = targets()
    wrong = [f'{name}: not there' for name in names if not os.access(out / name, os.X_OK)]
    for name in names:
        for suffix in SUFFIXES:
            needed = suffix != '.dict' or (ROOT / 'fuzz/dict' / f'{name[len("fuzz_"):]}.dict').is_file()
            if needed and not (out / (name + suffix)).is_file():
                wrong.append(f'{name}{suffix}: not there, so it would be silently done without')
    for path in sorted(out.iterdir()):
        name = next((path.name[:-len(s)] for s in SUFFIXES if path.name.endswith(s)), path.name)
        if not re.fullmatch('[A-Za-z0-9_-]+', name):
            wrong.append(f'{path.name}: a name is [A-Za-z0-9_-]+')
        if name not in names:
            wrong.append(f'{path.name}: belongs to no target of the tables')
        elif path.name.endswith(SUFFIXES[0]):
            wrong += check_zip(path)
        elif path.suffix == '.dict':
            wrong += check_dict(path)
        elif path.suffix == '.options':
            wrong += check_options(path)
    return wrong


# ---- programs ----------------------------------------------------------------------------------------------

def run(command, folder, **more):
    environment = {k: v for k, v in os.environ.items() if k not in ('OUT', 'WORK', 'SRC', 'ASAN_OPTIONS')}
    environment |= {'UBSAN_OPTIONS': 'silence_unsigned_overflow=1'} | more
    p = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=120, check=False)
    return p.returncode, p.stdout.decode(errors='replace')


def check_calls(program, sanitizer):
    text = subprocess.run(['objdump', '-d', '--no-show-raw-insn', program], check=True, capture_output=True).stdout
    wrong = []
    for prefix, most in CALLS_MAX.items():
        calls = len(re.findall(rb'\b(?:call|bl)q? +[0-9a-f]+ <' + prefix.encode(), text))
        if sanitizer in CALLS_MIN and CALLS_MIN[sanitizer][0] == prefix:
            if calls < CALLS_MIN[sanitizer][1]:
                wrong.append(f'{program.name}: {calls} calls of {prefix}*, at least {CALLS_MIN[sanitizer][1]}: '
                             f'not built with the {sanitizer} sanitizer')
        elif calls > most:
            wrong.append(f'{program.name}: {calls} calls of {prefix}*: built with another sanitizer than {sanitizer}')
    return wrong


def check_libfuzzer(program, seeds, room, sanitizer):
    profile = {'LLVM_PROFILE_FILE': str(room / 'profile')}
    status, said = run([program, '-seed=1337', '-runs=4'], room, **profile)
    edges = re.search(r'INFO: Loaded \d+ modules? *\(\d+ (?:inline 8-bit counters|guards)\): (\d+)', said)
    if status != 0 or 'Done 4 runs' not in said:
        return [f'{program.name}: does not start: {said[-500:]}']
    wrong = []
    if sanitizer != 'coverage' and (not edges or int(edges[1]) < EDGES_MIN):
        wrong.append(f'{program.name}: {edges[1] if edges else 0} edges, at least {EDGES_MIN}: not instrumented')
    options = program.with_name(program.name + '.dict')
    flags = [f'-dict={options}'] if options.is_file() else []
    status, said = run([program, '-runs=0', *flags, seeds], room, **profile)
    if status != 0:
        wrong.append(f'{program.name}: fails on its seeds: {said[-500:]}')
    size = (room / 'profile').stat().st_size if (room / 'profile').is_file() else 0
    if sanitizer == 'coverage' and size < 1000:
        wrong.append(f'{program.name}: writes no profile')
    return wrong


def check_afl(program, seeds, room):
    """Four runs by afl-fuzz itself, and all seeds as a program."""
    (room / 'in').mkdir()
    (room / 'in/one').write_bytes(b'a')
    status, said = run(['afl-fuzz', '-i', 'in', '-o', 'out', '-m', 'none', '-t', '10000', '-E', '4', '--', program],
                       room, AFL_NO_UI='1', AFL_SKIP_CPUFREQ='1', AFL_NO_AFFINITY='1', AFL_FAST_CAL='1',
                       AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES='1', AFL_FORKSRV_INIT_TMOUT='60000')
    if status != 0 or 'All set and ready to roll' not in said:
        return [f'{program.name}: afl-fuzz does not run it: {said[-500:]}']
    stats = (room / 'out/default/fuzzer_stats').read_text()
    wrong = []
    edges = re.search(r'^total_edges\s*: (\d+)', stats, re.M)
    if not edges or int(edges[1]) < EDGES_MIN:
        wrong.append(f'{program.name}: {edges[1] if edges else 0} edges, at least {EDGES_MIN}: not instrumented')
    if not re.search(r'^target_mode\s*:.*persistent', stats, re.M):
        wrong.append(f'{program.name}: not persistent: a process for every run')
    status, said = run([program, *sorted(p.name for p in seeds.iterdir())], seeds)
    if status != 0:
        wrong.append(f'{program.name}: fails on its seeds: {said[-500:]}')
    return wrong


def check_program(out, name, sanitizer, engine):
    program = out / name
    with tempfile.TemporaryDirectory() as room:
        room = pathlib.Path(room)
        seeds = room / 'seeds'
        with zipfile.ZipFile(out / (name + SUFFIXES[0])) as z:
            z.extractall(seeds)
        wrong = check_calls(program, sanitizer)
        return wrong + (check_afl(program, seeds, room) if engine == 'afl' else
                        check_libfuzzer(program, seeds, room, sanitizer))


def main():
    if sys.argv[1] == '--files':
        wrong = check_files(pathlib.Path(sys.argv[2]))
    else:
        # Moved away from where it was built, as it is there.
        with tempfile.TemporaryDirectory() as room:
            out = pathlib.Path(room) / 'moved'
            shutil.copytree(sys.argv[1], out)
            wrong = check_files(out)
            names = sys.argv[4:] or targets()
            names = [n for n in names if (out / n).is_file() and (out / (n + SUFFIXES[0])).is_file()]
            with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
                for found in pool.map(lambda n: check_program(out, n, *sys.argv[2:4]), names):
                    wrong += found
    print(*wrong, sep='\n', end='\n' if wrong else '')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
