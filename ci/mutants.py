#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The mutant benchmark: each patch plants one bug in a copy of the tree, and the fuzz targets it names must find it.

A patch begins with a header, one "Key: value" a line, then an empty line:

  Class: framing|buffer|option|state|io-error|limit|timer|udp|backend|config
  Expect: TARGET[,TARGET...]   who should find it; one that does is enough
  Budget: 60s                  of fuzzing from the committed corpus
  Story: one line
  Smoke: yes                   in the small set as well
  Control: equivalent          changes nothing that can be seen: it must not be found
  Oracle: TEXT                 canaries: what the line that says so must have in it
  Preset: NAME                 canaries: built with this preset, and replayed only

How it is found: stage 0 replays corpus/TARGET; stage 1 fuzzes from it; with --empty, it is also fuzzed from nothing.
Executions are inputs run until then. With --sanitizers, the corpus, and the input that found it, are run again with
every check of the harness muted (replay_TARGET -q): what still ends the process is a sanitizer, an assert of src/, or
a hang. That is what fuzzing without oracles would have had.

Only what a patch needs is built, when it is needed; runs at the same time have trees of their own. The last line is
N passed, N failed, and what has failed is named before it.
"""
import argparse
import collections
import concurrent.futures
import dataclasses
import fcntl
import filecmp
import json
import os
import pathlib
import queue
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOME = ROOT / 'build/mutants'
CLASSES = 'framing buffer option state io-error limit timer udp backend config'.split()
EMPTY_SECONDS, CONTROL_SECONDS, INPUT_SECONDS = 300, 10, 10
REPLAY_SECONDS = 60  # the tree as it is; with a bug in it, what is much longer than that has no end

# What was said, by what it is about: the first that fits; the rest is what the targets with a model say.
ORACLES = [(name, re.compile(regex)) for name, regex in [
    ('split≠whole', 'split≠whole'), ('batch≠whole', 'batch≠whole'), ('whole≠reference', 'whole≠reference'),
    ('encode≠reference', 'encode≠reference'), ('decode(encode(x))≠x', 'decode.encode'), ('promise', 'promise'),
    ('progress', 'progress:'), ('script', '^script:'), ('second run', 'the second run differs'),
    ('busy loop', 'busy loop|no rest after'), ('backends differ', 'backends differ'), ('kernel', '^kernel:'),
    ('log', '^log:|: log:'), ('counters', 'counter'), ('deadline', 'past its|too early|too late|still served'),
    ('reason', 'its reason was|which cannot be|ends with|without a reason|reset, and was not|was not reset'),
    ('leak', 'left open|left in use|left set|as open|held back|is counted with|are open|holds|forgotten'),
    ('datagram', 'datagram'), ('source', 'of the source'), ('echo', 'came back|reads on|went out|counts|DISCARD sent'),
    ('reading', 'does not read|drains on|recv of'), ('sending', 'does not send|sent'),
    ('liveness', 'not served|still open|still waits|does not|cannot go on|not received'),
    ('limit', 'more than|max-|limit|refus'),
]]


@dataclasses.dataclass
class Patch:
    path: pathlib.Path
    header: dict

    @property
    def name(self):
        return self.path.stem

    @property
    def targets(self):
        return self.header['Expect'].split(',')

    @property
    def budget(self):
        return int(self.header.get('Budget', '60s').rstrip('s'))

    @property
    def is_control(self):
        return 'Control' in self.header


@dataclasses.dataclass
class Kill:
    target: str
    stage: str
    line: str
    oracle: str
    seconds: float
    executions: int
    by_sanitizers: str = ''


def read_patch(path):
    header = {}
    for line in path.read_text(encoding='utf-8').splitlines():
        if not line.strip():
            break
        key, colon, value = line.partition(': ')
        if not colon:
            break
        header[key] = value.strip()
    for key in ('Class', 'Expect', 'Story'):
        if key not in header:
            sys.exit(f'{path}: no {key}: in its header')
    if header['Class'] not in CLASSES + ['canary']:
        sys.exit(f'{path}: Class: {header["Class"]} is none of {" ".join(CLASSES)}')
    for target in header['Expect'].split(','):
        if not (ROOT / 'corpus' / target).is_dir():
            sys.exit(f'{path}: Expect: {target} is no target')
    return Patch(path, header)


# ---- a copy of the tree --------------------------------------------------------------------------------------


class BuildError(Exception):
    pass


class Tree:
    """A copy of the tree, kept in step with it by content, so that only what has changed is built again."""

    def __init__(self):
        self.replayed = {}
        self.path, self.lock = self.first_free()
        self.copy()

    @staticmethod
    def first_free():
        for number in range(1000):
            path = HOME / f'tree{number or ""}'
            path.mkdir(parents=True, exist_ok=True)
            lock = open(f'{path}.lock', 'w', encoding='utf-8')  # pylint: disable=consider-using-with
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return path, lock
            except BlockingIOError:
                lock.close()
        sys.exit(f'{HOME}: no tree that nobody uses')

    def copy(self):
        names = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard', '-z'], cwd=ROOT, check=True,
                               capture_output=True).stdout.decode().split('\0')
        names = {n for n in names if n and (ROOT / n).is_file()}
        for old in self.path.rglob('*'):
            inside = old.relative_to(self.path)
            if inside.parts[0] != 'build' and old.is_file() and inside.as_posix() not in names:
                old.unlink()
        for name in names:
            to = self.path / name
            if to.exists() and filecmp.cmp(ROOT / name, to, shallow=False):
                continue
            to.parent.mkdir(parents=True, exist_ok=True)
            is_new = not to.exists()
            (shutil.copy2 if is_new else shutil.copy)(ROOT / name, to)

    def apply(self, patch, reverse=False):
        env = os.environ | {'GIT_CEILING_DIRECTORIES': str(HOME), 'GIT_DIR': str(HOME / 'none')}
        r = subprocess.run(['git', 'apply', *(['-R'] if reverse else []), str(patch.path)], cwd=self.path, env=env,
                           capture_output=True, text=True, errors='replace')
        if r.returncode:
            raise BuildError(f'does not apply: {r.stderr.strip().splitlines()[0]}')

    def build(self, preset, programs):
        build = self.path / 'build' / preset
        if not (build / 'build.ninja').exists():
            shutil.rmtree(build, ignore_errors=True)
            self.run(['cmake', '--preset', preset, '-G', 'Ninja'])
        self.run(['ninja', '-C', f'build/{preset}', *programs])

    def run(self, command):
        # Half of what is compiled is what the last patch had changed, as it was before: ccache knows it, where it is.
        env = os.environ | {'CCACHE_BASEDIR': str(self.path), 'CCACHE_NOHASHDIR': '1'}
        if shutil.which('ccache'):
            env.setdefault('CMAKE_C_COMPILER_LAUNCHER', 'ccache')
        r = subprocess.run(command, cwd=self.path, env=env, capture_output=True, text=True, errors='replace')
        if r.returncode:
            lines = [x for x in (r.stdout + r.stderr).splitlines() if 'rror' in x or '***' in x] or ['no reason given']
            raise BuildError(f'does not build: {lines[0]}')

    def replay(self, preset, targets):
        """Without a bug in it all must be well, or nothing that is found says anything. Keeps how long it takes."""
        for target in targets:
            status, said, seconds = run([self.program(preset, f'replay_{target}'), f'{self.path}/corpus/{target}'],
                                        REPLAY_SECONDS)
            if status != 0:
                raise BuildError(f'{target} finds something where no bug was planted: {oracle_of(said)[1]}')
            self.replayed[preset, target] = seconds

    def seconds_for(self, preset, target):
        return 5 + 10 * self.replayed.get((preset, target), REPLAY_SECONDS / 10)

    def program(self, preset, name):
        return str(self.path / 'build' / preset / name)


# ---- running it ----------------------------------------------------------------------------------------------


def oracle_of(text):
    """What ended the process, and the line that says so."""
    lines = text.splitlines()
    found = next((x[len('FOUND '):] for x in lines if x.startswith('FOUND ')), None)
    if found:
        plain = re.sub(r'^(e?poll): ', '', found)
        return next((name for name, regex in ORACLES if regex.search(plain)), 'model'), found
    for regex, name in ((r'Assertion .* failed', 'assert'), (r'runtime error: ', 'UBSan'), (r'LeakSanitizer', 'LSan'),
                        (r'MemorySanitizer', 'MSan'), (r'AddressSanitizer', 'ASan'),
                        (r'ERROR: libFuzzer: timeout', 'hang'), (r'ERROR: libFuzzer', 'libFuzzer')):
        line = next((x for x in lines if x.startswith('SUMMARY') and re.search(regex, x)),
                    next((x for x in lines if re.search(regex, x)), None))
        if line:
            return name, line.strip()
    return 'other', lines[-1].strip() if lines else ''


def run(command, seconds):
    """Its status (None: it had to be stopped), what it said, how long it took."""
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True) as p:
        try:
            said = p.communicate(timeout=seconds)[1]
            status = p.returncode
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, 9)
            said = p.communicate()[1]
            status = None
    return status, said.decode(errors='replace'), time.monotonic() - began


def replay(tree, preset, target):
    program = tree.program(preset, f'replay_{target}')
    limit = tree.seconds_for(preset, target)
    status, said, seconds = run([program, f'{tree.path}/corpus/{target}'], limit)
    if status == 0:
        return None
    ran = re.findall(r'(?m)^after (\d+) executions', said)
    oracle, line = oracle_of(said) if status is not None else ('hang', f'no end after {limit:.0f} s')
    return Kill(target, 'replay', line, oracle, seconds, int(ran[-1]) if ran else 0)


def fuzz(tree, target, seconds, seed, is_empty, finds):
    with tempfile.TemporaryDirectory() as room:
        corpus = [room] + ([] if is_empty else [f'{tree.path}/corpus/{target}'])
        command = [tree.program('fuzz', f'fuzz_{target}'), f'-max_total_time={seconds}', f'-seed={seed}',
                   f'-timeout={INPUT_SECONDS}', '-max_len=4096', '-print_final_stats=1', '-rss_limit_mb=0',
                   f'-artifact_prefix={finds}/']
        dictionary = tree.path / f'fuzz/dict/{target}.dict'
        if dictionary.exists():
            command.append(f'-dict={dictionary}')
        status, said, took = run(command + corpus, seconds + 60)
    if status == 0:
        return None
    ran = re.findall(r'stat::number_of_executed_units: *(\d+)', said) or re.findall(r'(?m)^#(\d+)', said)
    oracle, line = oracle_of(said) if status is not None else ('hang', 'no end')
    return Kill(target, 'empty' if is_empty else 'fuzz', line, oracle, took, int(ran[-1]) if ran else 0)


def sanitizers(tree, preset, target, finds):
    """What ends the process when the harness says nothing; '' for nothing."""
    inputs = [f'{tree.path}/corpus/{target}'] + [str(x) for x in sorted(pathlib.Path(finds).glob('*'))]
    status, said, _ = run([tree.program(preset, f'replay_{target}'), '-q', *inputs],
                          2 * tree.seconds_for(preset, target))
    if status == 0:
        return ''
    return oracle_of(re.sub(r'(?m)^FOUND .*', '', said))[0] if status is not None else 'hang'


def attack(tree, patch, options):
    """The kill, or None; and, with --empty, a kill or None for each seed."""
    preset = patch.header.get('Preset', 'fuzz')
    kill, empties = None, []
    with tempfile.TemporaryDirectory() as finds:
        for target in patch.targets:
            if not kill:
                tree.build(preset, [f'replay_{target}'])
                kill = replay(tree, preset, target)
        for target in patch.targets if preset == 'fuzz' and options.budget else []:
            seconds = min(patch.budget, options.budget, CONTROL_SECONDS if patch.is_control else patch.budget)
            if not kill:
                tree.build(preset, [f'fuzz_{target}'])
                kill = fuzz(tree, target, seconds, options.seed, False, finds)
        if kill and options.sanitizers:
            kill.by_sanitizers = sanitizers(tree, preset, kill.target, finds)
        if options.empty:
            tree.build(preset, [f'fuzz_{t}' for t in patch.targets])
        for seed in range(options.seed, options.seed + options.seeds) if options.empty and not patch.is_control else []:
            empties.append(next((k for t in patch.targets
                                 if (k := fuzz(tree, t, options.empty_seconds, seed, True, finds))), None))
    return kill, empties


def judge(patch, options, kill):
    """What is wrong with this result, '' for nothing."""
    if patch.is_control:
        return 'FOUND, though it changes nothing' if kill else ''
    if not kill:
        return 'SURVIVES'
    want = patch.header.get('Oracle')
    if options.canaries and want not in kill.line:
        return f'FOUND BY ANOTHER ORACLE than "{want}"'
    return ''


def one(tree, patch, options):
    kill, empties, wrong = None, [], ''
    try:
        tree.apply(patch)
        try:
            kill, empties = attack(tree, patch, options)
        finally:
            tree.apply(patch, reverse=True)
        wrong = judge(patch, options, kill)
    except BuildError as e:
        wrong = str(e)
    return patch, kill, empties, wrong


# ---- telling -------------------------------------------------------------------------------------------------


def say(patch, kill, empties, wrong, is_muted_too):
    number = patch.name.split('-')[0]
    text = f'{number:>4} {patch.header["Class"]:9}'
    if kill:
        text += f' {kill.target:9} {kill.stage:6} {kill.oracle:19} {kill.seconds:6.2f} s {kill.executions:9} runs'
        text += f'  sanitizers: {kill.by_sanitizers or "no"}' if is_muted_too else ''
    else:
        text += ' as it must be: not found' if patch.is_control and not wrong else ' -'
    for k in empties:
        text += f'  empty: {k.seconds:.1f} s, {k.executions} runs' if k else '  empty: NOT FOUND'
    text += f'  {wrong}: {patch.name}' if wrong else ''
    print(text, flush=True)
    if wrong and kill:
        print(f'      {kill.line[:300]}', flush=True)


def spread(values, form):
    if not values:
        return '-'
    values = sorted(values)
    ninety = values[min(len(values) - 1, -(-len(values) * 9 // 10) - 1)]
    return f'median {form(statistics.median(values))}, p90 {form(ninety)}, most {form(values[-1])}'


def say_group(what, kills, total):
    print(f'{what:14} {len(kills):3} of {total:3}   {spread([k.seconds for k in kills], lambda v: f"{v:.2f} s")};'
          f' {spread([k.executions for k in kills], lambda v: f"{v:.0f} runs")}')


def sum_up(results, options):
    mutants = [r for r in results if not r[0].is_control]
    controls = [r for r in results if r[0].is_control]
    kills = [k for _, k, _, _ in mutants if k]
    print()
    for name in CLASSES + ['canary']:
        of_class = [r for r in mutants if r[0].header['Class'] == name]
        if of_class:
            say_group(name, [k for _, k, _, _ in of_class if k], len(of_class))
    say_group('all', kills, len(mutants))
    by = collections.Counter(k.oracle for k in kills)
    print('by oracle:', ', '.join(f'{name} {n}' for name, n in by.most_common()))
    stages = collections.Counter(k.stage for k in kills)
    print('by stage:', ', '.join(f'{name} {n}' for name, n in stages.most_common()))
    if options.sanitizers:
        alone = collections.Counter(k.by_sanitizers for k in kills if k.by_sanitizers)
        print(f'by sanitizers, asserts and hangs alone: {sum(alone.values())} of {len(mutants)}'
              f' ({", ".join(f"{name} {n}" for name, n in alone.most_common())})')
    runs = [k for _, _, empties, _ in mutants for k in empties]
    if runs:
        say_group('from nothing', [k for k in runs if k], len(runs))
    if controls:
        print(f'controls: {sum(not k for _, k, _, _ in controls)} of {len(controls)} not found')
    bad = [(p, w) for p, _, _, w in results if w]
    for patch, wrong in bad:
        print(f'FAILED: {patch.name}: {wrong}')
    print(f'{len(results) - len(bad)} passed, {len(bad)} failed')
    return 1 if bad else 0


def save(path, results):
    rows = [{'name': p.name, **{k.lower(): v for k, v in p.header.items()}, 'wrong': wrong,
             'kill': kill and dataclasses.asdict(kill), 'empty': [k and dataclasses.asdict(k) for k in empties]}
            for p, kill, empties, wrong in results]
    pathlib.Path(path).write_text(json.dumps({'v': 1, 'mutants': rows}, indent=1) + '\n', encoding='utf-8')


# ---- which ---------------------------------------------------------------------------------------------------


def choose(options):
    folder = ROOT / ('fuzz/canaries' if options.canaries else 'fuzz/mutants')
    patches = [read_patch(p) for p in sorted(folder.glob('*.patch'))]
    for p in patches:
        if options.canaries and 'Oracle' not in p.header:
            sys.exit(f'{p.path}: no Oracle: in its header')
    if options.smoke:
        patches = [p for p in patches if p.header.get('Smoke') == 'yes']
    if options.names:
        def is_named(p):
            return any(p.name == n or p.name.split('-')[0].lstrip('0') == n.lstrip('0') for n in options.names)
        patches = [p for p in patches if is_named(p)]
    if not patches:
        sys.exit('no such patch')
    return patches


def work(patches, options):
    trees = queue.Queue()
    began = time.monotonic()
    needed = collections.defaultdict(set)
    for p in patches:
        needed[p.header.get('Preset', 'fuzz')] |= set(p.targets)
    for _ in range(options.jobs):
        tree = Tree()
        for preset, targets in needed.items():
            tree.build(preset, [f'replay_{t}' for t in sorted(targets)])
            tree.replay(preset, sorted(targets))
        trees.put(tree)
    print(f'built in {time.monotonic() - began:.0f} s, and well without a bug', flush=True)

    def with_tree(patch):
        tree = trees.get()
        try:
            result = one(tree, patch, options)
        finally:
            trees.put(tree)
        say(*result, options.sanitizers)
        return result

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        return list(pool.map(with_tree, patches))


def self_test(options):
    """A bug that nothing finds, a patch that does not fit and one that does not compile must all be told."""
    head = 'Class: framing\nExpect: crlf\nBudget: 2s\nStory: of a test\n\n'
    diff = '--- a/fuzz/target.h\n+++ b/fuzz/target.h\n@@ -1,3 +1,4 @@\n'
    lines = (ROOT / 'fuzz/target.h').read_text(encoding='utf-8').splitlines()[:3]
    plants = {
        'survivor': diff + f' {lines[0]}\n+ * .\n {lines[1]}\n {lines[2]}\n',
        'unfit': diff + ' no such line\n no such line\n+\n no such line\n',
        'broken': diff + f'+no C at all;\n {lines[0]}\n {lines[1]}\n {lines[2]}\n',
    }
    with tempfile.TemporaryDirectory() as room:
        patches = []
        for name, text in plants.items():
            path = pathlib.Path(room) / f'{name}.patch'
            path.write_text(head + text, encoding='utf-8')
            patches.append(read_patch(path))
        options.budget = 2
        results = work(patches, options)
        status = sum_up(results, options)
    told = {p.name: w for p, _, _, w in results}
    is_well = (status == 1 and told['survivor'] == 'SURVIVES' and told['unfit'].startswith('does not apply') and
               told['broken'].startswith('does not build'))
    print('self-test:', 'well' if is_well else f'FAILED: {told}')
    return 0 if is_well else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='NUMBER|NAME')
    parser.add_argument('--smoke', action='store_true', help='those that say Smoke: yes')
    parser.add_argument('--canaries', action='store_true', help='fuzz/canaries instead of fuzz/mutants')
    parser.add_argument('--empty', action='store_true', help='from an empty corpus as well')
    parser.add_argument('--empty-seconds', type=int, default=EMPTY_SECONDS, metavar='S')
    parser.add_argument('--seeds', type=int, default=1, metavar='N', help='runs from an empty corpus (default 1)')
    parser.add_argument('--seed', type=int, default=1, metavar='N', help='the first seed (default 1)')
    parser.add_argument('--budget', type=int, default=3600, metavar='S', help='fuzz no longer; 0: only replay')
    parser.add_argument('--sanitizers', action='store_true', help='also what the sanitizers find by themselves')
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='patches at a time, each in a tree of its own')
    parser.add_argument('--json', metavar='FILE', help='write the results there too')
    parser.add_argument('--self-test', action='store_true', help='see that what goes wrong is told')
    options = parser.parse_args()
    HOME.mkdir(parents=True, exist_ok=True)
    try:
        if options.self_test:
            return self_test(options)
        results = work(choose(options), options)
    except BuildError as e:
        sys.exit(f'FAILED: the tree as it is: {e}\n0 passed, 1 failed')
    if options.json:
        save(options.json, results)
    return sum_up(results, options)


if __name__ == '__main__':
    sys.exit(main())
