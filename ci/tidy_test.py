# SPDX-License-Identifier: MIT
"""The lint's own test: a lint that cannot fail is a defect. Run it with ci/tidy.py --self-test.

A small clean tree must give no finding; then each plant is put into it by itself and must be found, in its file
and under its rule. Every rule the lint can name must have a plant.
"""
import inspect
import pathlib
import re
import tempfile

import tidy

S = '/* SPDX-License-Identifier: MIT */\n'
PY = '# SPDX-License-Identifier: MIT\n'
ROW = 'SB_CODEC("raw", raw, "", "", "as it comes")\n'

CLEAN = {
    'src/streambed.h': S + '#ifndef STREAMBED_H\n#define STREAMBED_H\n#include <stdint.h>\n#endif\n',
    'src/base/slice.h': S + '#ifndef SB_BASE_SLICE_H\n#define SB_BASE_SLICE_H\n#include "streambed.h"\n#endif\n',
    'src/base/fault.c': S + '#include <stdio.h>\n',
    'src/codec/codecs.def': S + ROW,
    'src/codec/raw.c': S + '#include "base/slice.h"\nint f(void);\nint f(void)\n{\n\treturn 0;\n}\n',
    'src/codec/codec.c': S,
    'src/service/services.def': S + 'SB_SERVICE(ECHO, echo, SB_G_FRAMING, "gives it back")\n',
    'src/service/echo.c': S + 'int a; /* send(1) and malloc(2) are words here */\n'
                              'const char *b = "recv(3) \\" close(4)";\n'
                              'void g(void)\n{\n\tops->read(x);\n\tops.close(x);\n\tsb_sys_recv(x);\n}\n',
    'src/io/backends.def': S + 'SB_BACKEND(poll, poll, "poll(2)")\n',
    'src/io/poll.c': S + '#include "sys/sys.h"\n',
    'src/sys/sys.h': S + '#ifndef SB_SYS_SYS_H\n#define SB_SYS_SYS_H\n#endif\n',
    'src/sys/sys_linux.c': S + '#include <sys/socket.h>\nvoid g(void)\n{\n\tsocket(1, 2, 3);\n\tclose(4);\n}\n',
    'src/cli/main.c': S + '#include "server/server.h"\nvoid g(void)\n{\n\tfree(calloc(1, 2));\n\tprintf("");\n}\n',
    'src/server/server.h': S + '#ifndef SB_SERVER_SERVER_H\n#define SB_SERVER_SERVER_H\n#endif\n',
    'tests/golden/raw/one.in': 'x',
    'fuzz/targets.def': S + 'SB_FUZZ(whole, harness, "the whole of it")\n',
    'fuzz/harness.c': S + '/* Its words: fuzz/dict/whole.dict. */\n',
    'fuzz/ref/raw.c': S,
    'fuzz/ref/ref.h': S + '#ifndef REF_H\n#define REF_H\nextern const struct ref_codec ref_line, ref_raw;\n#endif\n',
    'fuzz/dict/whole.dict': '"x"\n',
    'fuzz/dict/raw.dict': '"x"\n',
    'corpus/whole/s_one': 'x',
    'corpus/whole/h_2d711642b726b044': 'x',
    'corpus/raw/r_crash_1': 'x',
    'docs/protocols/raw.md': 'raw\n',
    'tests/live/test_x.py': PY,
}


def body(line):
    return S + 'void g(void)\n{\n' + line + '\n}\n'


def long_function(lines):
    return S + 'void g(void)\n{\n' + '\tx++;\n' * (lines - 2) + '}\n'


HEADER = S + '#ifndef SB_BASE_X_H\n#define SB_BASE_X_H\n#endif\n'

# rule, where it is found, {path: text, or None to remove}
PLANTS = [
    ('include-direction', 'src/base/x.c', {'src/base/x.c': S + '#include "codec/codec.h"\n'}),
    ('include-direction', 'src/codec/raw.c', {'src/codec/raw.c': S + '#include "sys/sys.h"\n'}),
    ('include-direction', 'src/scenario/x.c', {'src/scenario/x.c': S + '#include "codec/codec.h"\n'}),
    ('include-direction', 'src/core/x.c', {'src/core/x.c': S + '#include "sys/sys.h"\n'}),
    ('include-direction', 'src/io/poll.c', {'src/io/poll.c': S + '#include "core/session.h"\n'}),
    ('include-direction', 'src/server/x.c', {'src/server/x.c': S + '#include "cli/cli.h"\n'}),
    ('include-direction', 'src/streambed.h', {'src/streambed.h': CLEAN['src/streambed.h'].replace(
        '<stdint.h>', '"base/slice.h"')}),
    ('include-root', 'src/base/x.c', {'src/base/x.c': S + '#include "slice.h"\n'}),
    ('include-root', 'src/base/x.c', {'src/base/x.c': S + '#include "../base/slice.h"\n'}),
    ('system-header', 'src/core/x.c', {'src/core/x.c': S + '#include <sys/socket.h>\n'}),
    ('system-header', 'src/base/x.c', {'src/base/x.c': S + '#include <stdio.h>\n'}),
    ('system-header', 'src/server/x.c', {'src/server/x.c': S + '#  include <unistd.h>\n'}),
    ('socket-call', 'src/io/poll.c', {'src/io/poll.c': body('\trecv(1, 2, 3, 4);')}),
    ('socket-call', 'src/cli/main.c', {'src/cli/main.c': body('\tif (x && setsockopt (1, 2))\n\t\treturn;')}),
    ('system-call', 'src/server/x.c', {'src/server/x.c': body('\tclose(1);')}),
    ('system-call', 'src/core/x.c', {'src/core/x.c': body('\tclock_gettime(1, 2);')}),
    ('system-call', 'src/server/x.c', {'src/server/x.c': S + 'static int closer(int x);\n' + body('\tclose(1);')}),
    ('system-call', 'src/sockopt/x.c', {'src/sockopt/x.c': S + 'static int close(int x);\n'}),
    ('output', 'src/server/x.c', {'src/server/x.c': body('\tfprintf(stderr, "x");')}),
    ('allocation', 'src/core/x.c', {'src/core/x.c': body('\tfree(malloc(1));')}),
    ('banned-call', 'src/cli/main.c', {'src/cli/main.c': body('\tstrcpy(a, b);')}),
    ('banned-call', 'tests/unit/test_x.c', {'tests/unit/test_x.c': body('\tsprintf(a, b);')}),
    ('banned-call', 'src/cli/main.c', {'src/cli/main.c': body('\tsignal(a, b);')}),
    ('function-length', 'src/base/x.c', {'src/base/x.c': long_function(61)}),
    ('function-length', 'src/base/x.c', {'src/base/x.c': long_function(61).replace(')\n{', ') {')}),
    ('ifdef', 'src/base/x.c', {'src/base/x.c': body('#ifdef X\n\tx++;\n#endif')}),
    ('file-length', 'src/base/x.c', {'src/base/x.c': S + '\n' * 600}),
    ('example-length', 'docs/examples/x.c', {'docs/examples/x.c': S + '\n' * 40}),
    ('example-include', 'docs/examples/x.c', {'docs/examples/x.c': S + '#include "base/slice.h"\n'}),
    ('columns', 'src/base/x.c', {'src/base/x.c': S + '\t/* ' + 'x' * 107 + ' */\n'}),
    ('spdx', 'src/base/x.c', {'src/base/x.c': 'int x;\n'}),
    ('spdx', 'ci/x.sh', {'ci/x.sh': '#!/bin/sh\n'}),
    ('unfinished', 'src/base/x.c', {'src/base/x.c': S + '/* TO' 'DO: x */\n'}),
    ('unfinished', 'tests/live/test_x.py', {'tests/live/test_x.py': PY + '# FIX' 'ME\n'}),
    ('trailing-space', 'src/base/x.c', {'src/base/x.c': S + 'int x; \n'}),
    ('trailing-space', 'src/base/x.c', {'src/base/x.c': S + 'int x;'}),
    ('include-guard', 'src/base/x.h', {'src/base/x.h': S + 'int x;\n'}),
    ('include-guard', 'src/base/x.h', {'src/base/x.h': HEADER.replace('#define SB_BASE_X_H', '#define SB_BASE_Y_H')}),
    ('include-guard', 'bench/x.h', {'bench/x.h': S + '#pragma once\n'}),
    ('layer', 'src/new/x.c', {'src/new/x.c': S}),
    ('layer', 'src/x.c', {'src/x.c': S}),
    ('table', 'src/codec/codecs.def', {'src/codec/raw.c': None}),
    ('table', 'src/codec/codecs.def', {'src/codec/codecs.def': S + ROW + 'SB_CODEC("a", raw,\n\t"")\n'}),
    ('table', 'src/codec/x.c', {'src/codec/x.c': S}),
    ('table', 'src/service/x.c', {'src/service/x.c': S}),
    ('table', 'src/io/backends.def', {'src/io/poll.c': None}),
    ('table', 'src/io/backends.def', {'src/io/backends.def': None}),
    ('golden', 'src/codec/codecs.def', {'tests/golden/raw/one.in': None}),
    ('golden', 'tests/golden/x', {'tests/golden/x/one.in': 'x'}),
    ('page', 'src/codec/codecs.def', {'docs/protocols/raw.md': None}),
    ('page', 'docs/protocols/x.md', {'docs/protocols/x.md': 'x\n'}),
    ('fuzz-target', 'fuzz/targets.def', {'fuzz/harness.c': None}),
    ('fuzz-target', 'fuzz/targets.def', {'corpus/whole/s_one': None, 'corpus/whole/h_2d711642b726b044': None,
                                         'corpus/raw/s_2': 'x', 'corpus/raw/s_3': 'x'}),
    ('fuzz-target', 'fuzz/targets.def', {'fuzz/dict/whole.dict': None}),
    ('fuzz-target', 'fuzz/targets.def', {'fuzz/targets.def': S + CLEAN['fuzz/targets.def'] + 'SB_FUZZ(a,\n\t"")\n'}),
    ('fuzz-target', 'src/codec/codecs.def', {'fuzz/targets.def': CLEAN['fuzz/targets.def']
                                             + 'SB_FUZZ(raw, harness, "again")\n'}),
    ('fuzz-target', 'src/codec/codecs.def', {'fuzz/dict/raw.dict': None}),
    ('fuzz-target', 'src/codec/codecs.def', {'corpus/raw/r_crash_1': None, 'corpus/whole/s_2': 'x'}),
    ('fuzz-target', 'fuzz/dict/x.dict', {'fuzz/dict/x.dict': '"x"\n'}),
    ('fuzz-target', 'corpus/x', {'corpus/x/s_one': 'x'}),
    ('reference', 'src/codec/codecs.def', {'fuzz/ref/raw.c': None}),
    ('reference', 'src/codec/codecs.def', {'fuzz/ref/ref.h': CLEAN['fuzz/ref/ref.h'].replace(', ref_raw', '')}),
    ('corpus', 'corpus', {'corpus/raw/r_crash_1': None, 'corpus/raw/s_x': 'x', 'corpus/whole/s_one': None}),
    ('corpus', 'corpus/whole', {f'corpus/whole/s_{i}': 'x' for i in range(249)}),
    ('corpus', 'corpus/whole', {'corpus/whole/s_large': 'x' * (512 * 1024 - 1)}),
    ('corpus', 'corpus/whole/one', {'corpus/whole/one': 'x'}),
    ('corpus', 'corpus/whole/s_a-b', {'corpus/whole/s_a-b': 'x'}),
    ('corpus', 'corpus/whole/s_more', {'corpus/whole/s_more/s_one': 'x'}),
    ('corpus', 'corpus/whole/h_2d711642b726b044', {'corpus/whole/h_2d711642b726b044': 'y'}),
    ('corpus', 'corpus/whole/h_2D711642B726B044', {'corpus/whole/h_2D711642B726B044': 'x'}),
    ('allow', 'src/base/x.c', {'src/base/x.c': body('\tx++; /* tidy: allow(allocation): not needed */')}),
]

# What looks like a violation and is none.
INNOCENT = [
    {'src/base/x.c': long_function(60)},
    {'src/base/x.c': S + '#ifdef X\n#define F(a) do { \\\n\ta++; \\\n} while (0)\n#endif\n'
                     + long_function(60)[len(S):]},
    {'src/base/x.h': HEADER.replace('#endif', 'extern "C" {\nint x;\n#if X\n#endif\n}\n#endif')},
    {'src/base/x.c': S + 'static int t[] = {\n' + '\t1,\n' * 90 + '};\n'},
    {'src/core/x.c': body('\tfree(1); /* tidy: allow(allocation): shown by a test */')},
    {'src/base/x.c': S + '/* tidy: allow(file-length): shown by a test */\n' + '\n' * 600},
    {'src/codec/codecs.def': S + ROW.replace('as it comes', 'x' * 200)},
    {'src/core/x.c': body('\treader(1);\n\tmy_free(2);\n\tx.free(3);')},
    {'src/io/poll.c': S + 'static int wait(struct x *x, int n)\n{\n\treturn wait(x, n - 1);\n}\n'},
    {'src/codec/x.c': S, 'src/codec/x.h': HEADER.replace('BASE', 'CODEC')},
    {'bench/x.h': HEADER.replace('BASE_', '')},
    {f'corpus/whole/s_{i}': 'x' for i in range(248)},
    {'corpus/whole/s_large': 'x' * (512 * 1024 - 2)},
    {'fuzz/harness.c': S, 'fuzz/dict/whole.dict': None},
    {'bench/x.c': body('\tfree(malloc(1));\n\trecv(1, 2, 3, 4);')},
]

# An allow without a reason allows nothing.
PLANTS.append(('allocation', 'src/core/x.c', {'src/core/x.c': body('\tfree(1); /* tidy: allow(allocation): */')
                                              .replace(': */', ':')}))


def findings_of(change):
    with tempfile.TemporaryDirectory(prefix='tidy-') as tmp:
        root = pathlib.Path(tmp)
        for name, text in (CLEAN | change).items():
            if text is not None:
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        return tidy.run(root)


def main():
    tidy.CORPORA_FILES = 3  # the tree here is a small one
    failed = []
    for change in [{}] + INNOCENT:
        found = findings_of(change)
        if found:
            failed.append(f'found in a clean tree with {list(change)}: {found}')
    for rule, where, change in PLANTS:
        found = findings_of(change)
        if not any(name == where and r == rule for name, _, r, _ in found):
            failed.append(f'not found: {rule} in {where} {change}; found: {found}')
        if any(r != rule for _, _, r, _ in found):
            failed.append(f'found besides {rule} in {where}: {found}')
    source = inspect.getsource(tidy)
    rules = set(re.findall(r"yield .*?, '([a-z-]+)', f?'", source)) | {'allow'} | {row[0] for row in tidy.CALLS}
    unplanted = rules - {rule for rule, _, _ in PLANTS}
    if unplanted or len(rules) < 20:
        failed.append(f'rules without a plant: {sorted(unplanted)}; rules known: {sorted(rules)}')
    for line in failed:
        print(line)
    print(f'{len(rules)} rules, {len(PLANTS)} plants, {len(INNOCENT)} innocents: '
          + ('every plant found, nothing else' if not failed else f'{len(failed)} wrong'))
    return 1 if failed else 0
