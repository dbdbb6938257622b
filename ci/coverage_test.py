# SPDX-License-Identifier: MIT
"""The own test of ci/coverage.py: what can be wrong is planted in a small tree, one at a time, and must be told."""
import contextlib
import io
import json
import pathlib
import tempfile

import coverage

S = '/* SPDX-License-Identifier: MIT */\n'
SOURCE = S + 'int f(int x)\n{\n\tassert(x);\n\tif (x > 9)\n\t\treturn 1;\n\treturn 0;\n}\n'
ROW = 'src/base/a.c: if (x > 9)\n'
WHY = '\tNobody has so many.\n'


def lcov(counts):
    """Lines 2 to 8 of a.c; twice, as for a header that two sources include: one use is enough."""
    return ''.join('SF:%s\n%send_of_record\n' % ('{a}', ''.join(f'DA:{i},{n}\n' for i, n in enumerate(c, 2)))
                   for c in (counts, [0] * len(counts)))


def exported(of_assert, of_if):
    branches = [[4, 2, 4, 11, *of_assert, 0, 0, 4], [5, 6, 5, 11, *of_if, 0, 0, 4]]
    return {'data': [{'functions': [{'filenames': ['{a}'], 'branches': branches}]}]}


ALL = lcov([5, 5, 5, 5, 1, 4, 5])
BOTH = exported((5, 0), (1, 4))
NOT_IF = lcov([5, 5, 5, 5, 0, 5, 5])
NEVER = exported((5, 0), (0, 5))

# what it is, arguments, LCOV, JSON, the list, other sources, exit status, what is told
PLANTS = [
    ('all is reached', ['--gate'], ALL, BOTH, '', {}, 0, '100.00 % of lines, 100.00 % of branches: the 99 %'),
    ('a line is not', ['--gate'], NOT_IF, BOTH, '', {}, 1, 'src/base/a.c:6: not run'),
    ('an outcome is not', ['--gate'], ALL, NEVER, '', {}, 1, 'src/base/a.c:5: never true: x > 9'),
    ('nobody asks for the gate', [], ALL, NEVER, '', {}, 0, 'not the 99 %'),
    ('what is explained is not reached', ['--gate'], NOT_IF, NEVER, ROW.replace('9)', '9) +1') + WHY, {}, 1,
     'no reason is given: 0'),
    ('the explanation is told', [], NOT_IF, NEVER, ROW.replace('9)', '9) +1') + WHY, {}, 0, 'Nobody has so many.'),
    ('a row is about one line', [], NOT_IF, NEVER, ROW + WHY, {}, 0, 'no reason is given: 1'),
    ('a row is out of date', [], ALL, BOTH, ROW + WHY, {}, 1, 'unreached.txt:1: "if (x > 9)" is reached now'),
    ('a row is about no line', [], ALL, BOTH, ROW.replace('9', '8') + WHY, {}, 1, 'is no line of the file'),
    ('a row says nothing', [], ALL, NEVER, ROW, {}, 1, 'unreached.txt:1: say why'),
    ('a row is no row', [], ALL, NEVER, 'if (x > 9)\n', {}, 'unreached.txt:1: neither FILE', ''),
    ('a source is not built', [], ALL, BOTH, '', {'b.c': SOURCE}, 1, 'src/base/b.c is not in the build'),
    ('a table need not be', [], ALL, BOTH, '', {'b.c': S + 'const int t[] = {1};\n'}, 0, 'base/'),
    ('other folders do not count', ['--gate'], ALL, BOTH, '', {'../cli/b.c': SOURCE}, 0, '100.00 % of lines'),
]


def plant(root, args, lines, branches, explained, others):
    """The exit status, and what is printed."""
    for name, text in {'a.c': SOURCE, **others}.items():
        path = root / 'src/base' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / 'fuzz').mkdir()
    (root / 'fuzz/unreached.txt').write_text(explained)
    a = str(root / 'src/base/a.c')
    (root / 'lcov').write_text(lines.replace('{a}', a))
    (root / 'json').write_text(json.dumps(branches).replace('{a}', a))
    coverage.ROOT, coverage.EXPLAINED = root, root / 'fuzz/unreached.txt'
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            status = coverage.main([*args, str(root / 'lcov'), str(root / 'json'), 'base'])
        except SystemExit as e:
            status = e.code
    return status, out.getvalue()


def run():
    bad = 0
    for what, *given, status, told in PLANTS:
        with tempfile.TemporaryDirectory() as folder:
            is_status, is_told = plant(pathlib.Path(folder).resolve(), *given)
        is_same = is_status == status or (isinstance(status, str) and str(is_status).startswith(status))
        if not is_same or told not in is_told:
            print(f'self-test: {what}: exit {is_status}, and it tells:\n{is_told}')
            bad += 1
    print(f'self-test: {len(PLANTS) - bad} of {len(PLANTS)} plants are told as they should be')
    return 1 if bad else 0
