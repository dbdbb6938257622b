#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Counts what was reached, from llvm-cov's exports: see ci/coverage.sh

  ci/coverage.py [--gate] LCOV JSON LAYER...
  ci/coverage.py --self-test   plants all that can be wrong in a tree of its own and demands that it is told

What is counted:
  - lines that hold code, and both outcomes of each condition (what llvm-cov calls branches), in src/LAYER/*.[ch]
  - what is written once is counted once: an inline function in a header, or a macro, is reached when any of its uses
    reaches it, and is a line of the file it is written in
  - a source that no target links counts as not reached; one that is not in the build at all is an error, unless it
    has no function, as a file that holds only a table
  - of an assert, the failing outcome is not counted: reached, it would end the program, and the replay with it. This
    is told by the text: the outcome "false" of a condition that begins at the word assert. (The HTML shows it.)

fuzz/unreached.txt says why something is not reached. Its rows only explain: what they name stays counted as not
reached. A row whose line is reached in all ways is out of date, and fails the check.
"""
import collections
import json
import pathlib
import re
import sys

import tidy

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXPLAINED = ROOT / 'fuzz/unreached.txt'
LINES_WANTED, BRANCHES_WANTED = 99.0, 97.0


def read_lines(path, wanted):
    """{file: {line: was it reached}}"""
    files, now = {}, None
    for record in path.read_text().splitlines():
        if record.startswith('SF:'):
            now = wanted(record[3:])
            files.setdefault(now, {})
        elif record.startswith('DA:') and now:
            line, count = record[3:].split(',')[:2]
            files[now][int(line)] = files[now].get(int(line), False) or int(count) > 0
    files.pop(None, None)
    return files


def read_branches(path, wanted):
    """{file: {(line, column, end line, end column, outcome): was it reached}}"""
    files = collections.defaultdict(dict)
    for function in json.loads(path.read_text())['data'][0]['functions']:
        names = [wanted(name) for name in function['filenames']]
        for *place, yes, no, file_id, _, _ in function['branches']:
            known = files[names[file_id]]
            for outcome, count in (('true', yes), ('false', no)):
                known[*place, outcome] = known.get((*place, outcome), False) or count > 0
    files.pop(None, None)
    return files


class Row:
    """A row of the list: where it stands, the file, the source line, how many more lines it is about, the reason."""

    def __init__(self, at, m):
        self.at, self.file, self.text, self.more, self.reason = at, m[1], m[2], int(m[3] or 0), ''
        self.is_used = False

    def covers(self, lines, i):
        """Whether it is about line i of the file."""
        return any(lines[k - 1].strip() == self.text for k in range(max(1, i - self.more), i + 1))


def read_explained():
    rows = []
    for i, line in enumerate(EXPLAINED.read_text().splitlines() if EXPLAINED.exists() else [], 1):
        m = re.match(r'(src/\S+\.[ch]): (\S.*?)(?: \+(\d))?$', line)
        if m:
            rows.append(Row(i, m))
        elif line[:1].isspace() and line.strip() and rows:
            rows[-1].reason += ' ' + line.strip()
        elif line.strip() and not line.startswith('#'):
            sys.exit(f'{EXPLAINED.name}:{i}: neither FILE: SOURCE LINE nor an indented reason')
    return rows


class Report:
    def __init__(self, lcov, exported, layers):
        self.files = sorted(p.relative_to(ROOT).as_posix() for layer in layers
                            for p in (ROOT / 'src' / layer).glob('*.[ch]'))
        known = set(self.files)

        def wanted(name):
            path = pathlib.Path(name)
            local = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else name
            return local if local in known else None

        self.text = {f: (ROOT / f).read_text().splitlines() for f in self.files}
        self.lines = read_lines(lcov, wanted)
        self.asserts = 0
        self.branches = {f: self.without_asserts(f, b) for f, b in read_branches(exported, wanted).items()}

    def without_asserts(self, name, branches):
        kept = {}
        for place, reached in branches.items():
            line, column, *_, outcome = place
            if outcome == 'false' and re.match(r'assert\b', self.text[name][line - 1][column - 1:]):
                self.asserts += 1
            else:
                kept[place] = reached
        return kept

    def missing(self):
        return [f for f in self.files if f.endswith('.c') and f not in self.lines
                and tidy.functions(tidy.File(ROOT, ROOT / f))]

    def unreached(self):
        """(file, line, what) in order."""
        for name in self.files:
            lines = {i for i, reached in self.lines.get(name, {}).items() if not reached}
            found = [(i, 0, 'not run') for i in lines]
            found += [(place[0], place[1], f'never {place[4]}: {self.condition(name, place)}')
                      for place, reached in self.branches.get(name, {}).items()
                      if not reached and place[0] not in lines]
            yield from ((name, i, what) for i, _, what in sorted(found))

    def condition(self, name, place):
        line, column, end_line, end_column, _ = place
        text = self.text[name][line - 1]
        return text[column - 1:end_column - 1 if end_line == line else None].strip()

    def source(self, name, line):
        return self.text[name][line - 1].strip()


def share(part, whole):
    return f'{part:5d} of {whole:5d} {100 * part / whole if whole else 100:6.1f} %'


def row(name, n):
    print(f'{name:28} {share(*n[:2])}   {share(*n[2:])}')


def figures(report):
    """Prints a line a file; returns [lines reached, lines, branches reached, branches] of each folder."""
    folders = collections.defaultdict(lambda: [0, 0, 0, 0])
    for name in report.files:
        lines, branches = report.lines.get(name, {}), report.branches.get(name, {})
        n = [sum(lines.values()), len(lines), sum(branches.values()), len(branches)]
        if n[1]:
            row(name.removeprefix('src/'), n)
        folder = folders[name.split('/')[1]]
        folder[:] = [a + b for a, b in zip(folder, n)]
    print(f'not counted: the failing outcome of {report.asserts} asserts')
    return folders


def close(folders):
    """Prints a line a folder and one for all; returns whether that is enough."""
    total = [sum(n[i] for n in folders.values()) for i in range(4)]
    print(f'\n{"":28} {"lines reached":>23}   {"branches reached":>23}')
    for name, n in folders.items():
        row(name + '/', n)
    row('all', total)
    lines, branches = (100 * total[i] / total[i + 1] if total[i + 1] else 0 for i in (0, 2))
    is_enough = lines >= LINES_WANTED and branches >= BRANCHES_WANTED
    print(f'{lines:.2f} % of lines, {branches:.2f} % of branches: {"not " if not is_enough else ""}'
          f'the {LINES_WANTED:g} % and {BRANCHES_WANTED:g} % that are wanted')
    return is_enough


def explain(report):
    """Prints what is not reached; returns how many rows of the list are wrong."""
    rows, silent = read_explained(), []
    for name, line, what in report.unreached():
        known = next((r for r in rows if r.file == name and r.covers(report.text[name], line)), None)
        if known:
            known.is_used = True
        else:
            silent.append(f'{name}:{line}: {what}')
    where = EXPLAINED.relative_to(ROOT)
    if rows:
        print(f'\nnot reached, and why ({where}):')
    for r in rows:
        if r.is_used:
            print(f'  {r.file}: {r.text}\n      {r.reason.strip()}')
    print(f'\nnot reached, and no reason is given: {len(silent)}')
    for what in silent:
        print('  ' + what)
    for r in rows:
        if not r.is_used:
            is_there = r.text in map(str.strip, report.text.get(r.file, []))
            print(f'{where}:{r.at}: "{r.text}" {"is reached now" if is_there else "is no line of the file"}: '
                  'remove the row')
        elif not r.reason:
            print(f'{where}:{r.at}: say why')
    return sum(not (r.is_used and r.reason) for r in rows)


def main(args):
    if args == ['--self-test']:
        import coverage_test
        return coverage_test.run()
    is_gate = args[:1] == ['--gate']
    lcov, exported, *layers = args[is_gate:]
    report = Report(pathlib.Path(lcov), pathlib.Path(exported), layers)
    missing = report.missing()
    folders = figures(report)
    bad = explain(report)
    for name in missing:
        print(f'{name} is not in the build')
    is_enough = close(folders)
    return 1 if missing or bad or (is_gate and not is_enough) else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
