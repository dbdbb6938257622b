#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The house lint: what the compiler cannot check and a reviewer should not have to.

  ci/tidy.py               checks the tree; prints file:line: rule: what to do; exit 1 when there is something
  ci/tidy.py --self-test   plants a violation of every rule in a tree of its own and demands that it is found

A line may break a rule if a comment on it says why: tidy: allow(RULE): REASON. For a rule about a whole
file any line of the file may say it. Read from the top: the policy (layers, calls), then the rules.
"""
import hashlib
import pathlib
import re
import sys

# ---- policy ------------------------------------------------------------------------------------------------

# A layer may include itself and these. src/streambed.h may be included by all. A new folder needs a row.
LAYERS = {
    'base': '',
    'codec': 'base',
    'scenario': 'base',
    'service': 'base codec scenario',
    'core': 'base codec scenario service',
    'sys': 'base',
    'sockopt': 'base sys',
    'io': 'base sys',
    'server': 'base codec scenario service core sys sockopt io',
    'script': 'base',
    'lab': 'base sockopt',
    'cli': 'base codec scenario service core sys sockopt io server script lab',
}

C_HEADERS = 'stdint stddef stdbool stdalign stdatomic string limits errno stdarg inttypes assert'
# What a layer may include with <>; None: anything.
SYSTEM_HEADERS = {layer: C_HEADERS for layer in LAYERS} | {'sys': None, 'sockopt': None, 'lab': None, 'cli': None}
SYSTEM_HEADERS_OF_FILE = {'src/base/fault.c': C_HEADERS + ' stdio'}

# Calls that only the named files may make. A folder ends in a slash.
SOCKET_CALLS = '''socket socketpair bind listen accept accept4 connect recv recvfrom recvmsg recvmmsg send sendto
    sendmsg sendmmsg sendfile splice shutdown setsockopt getsockopt getsockname getpeername poll ppoll select pselect
    epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd
    io_uring_setup io_uring_enter io_uring_register'''
SYSTEM_CALLS = '''read readv pread preadv write writev pwrite pwritev open openat creat close fcntl ioctl dup dup2 dup3
    pipe pipe2 lseek fsync stat fstat lstat unlink rename mkdir chmod mmap munmap mprotect madvise fork vfork execv
    execve execvp execlp wait waitpid kill raise sigaction sigprocmask pthread_sigmask signalfd timerfd_create
    timerfd_settime syscall prctl getrlimit setrlimit getrandom getentropy clock_gettime clock_nanosleep nanosleep
    gettimeofday usleep sleep time getaddrinfo getnameinfo if_nametoindex getenv setenv pthread_create pthread_join'''
OUTPUT_CALLS = '''printf vprintf fprintf vfprintf dprintf puts putchar putc fputs fputc fwrite fopen perror exit
    _exit atexit'''
MEMORY_CALLS = '''malloc calloc realloc reallocarray free aligned_alloc posix_memalign memalign valloc strdup strndup
    asprintf vasprintf getline'''
CALLS = [  # rule, calls, the files under src/ that may, what to do instead
    ('socket-call', SOCKET_CALLS, ['src/sys/', 'src/lab/sock.c'], 'go through src/sys/sys.h, or in the lab lab/sock.h'),
    ('system-call', SYSTEM_CALLS, ['src/sys/', 'src/cli/', 'src/lab/'], 'go through src/sys/sys.h, or be given it'),
    ('output', OUTPUT_CALLS, ['src/cli/'], 'only src/cli/ prints, exits and reads files; write into a struct sb_text'),
    ('allocation', MEMORY_CALLS, ['src/cli/'], 'memory is taken at start and handed over; use base/pool.h'),
]

# Calls nobody makes, in any C file of the project, and what to use.
BANNED = {
    'strcpy': 'sb_copy()', 'stpcpy': 'sb_copy()', 'strncpy': 'sb_copy()', 'strcat': 'sb_text_str()',
    'strncat': 'sb_text_str()', 'sprintf': 'snprintf() or sb_text_*()', 'vsprintf': 'vsnprintf()',
    'gets': 'fgets()', 'atoi': 'sb_parse_count() or strtol()', 'atol': 'sb_parse_count() or strtol()',
    'atoll': 'sb_parse_count() or strtoll()', 'strtok': 'slices', 'strtok_r': 'slices',
    'alloca': 'a fixed buffer or a pool', 'tmpnam': 'mkstemp()', 'mktemp': 'mkstemp()', 'inet_ntoa': 'inet_ntop()',
    'inet_addr': 'inet_pton()', 'gethostbyname': 'getaddrinfo()',
}
# Calls that src/ does not make either.
BANNED_IN_SRC = {
    'scanf': 'sb_parse_*()', 'sscanf': 'sb_parse_*()', 'fscanf': 'sb_parse_*()', 'longjmp': 'return codes',
    'rand': 'base/rng.h', 'srand': 'base/rng.h', 'random': 'base/rng.h', 'signal': 'sigaction()',
    'system': 'nothing: no shell', 'popen': 'nothing: no shell', 'strerror': 'sb_strerror()', 'ctime': 'monotonic time',
}

FUNCTION_LINES, FILE_LINES, EXAMPLE_LINES, COLUMNS = 60, 600, 40, 120

# A table: its rows' macro, the sources in its folder that are no row (besides those with a header of their own
# name), and whether a row has goldens and a page.
TABLES = {
    'src/codec/codecs.def': ('SB_CODEC', {'codec', 'decoder'}, True),
    'src/service/services.def': ('SB_SERVICE', {'service'}, False),
    'src/io/backends.def': ('SB_BACKEND', {'io'}, False),
}

# What a fuzz target's seeds may come to, and how many there are at least of all targets together.
CORPUS_FILES, CORPUS_BYTES, CORPORA_FILES = 250, 512 * 1024, 300
CORPUS_NAME = re.compile(r'[sr]_[A-Za-z0-9_]+|h_([0-9a-f]{16})')

FOLDERS = 'src tests fuzz bench ci docs .github'.split()
SUFFIXES = {'.c', '.h', '.def', '.py', '.sh', '.yml', '.yaml', '.cmake'}
LOOSE = ['CMakeLists.txt', '.ci/run', '.clang-format', '.clang-tidy']


# ---- a file ------------------------------------------------------------------------------------------------

ALLOW = re.compile(r'tidy: allow\(([a-z-]+)\): *(\S?)')


class File:
    """One file: its lines, and for C its lines with comments (code) and also with strings (bare) blanked."""

    def __init__(self, root, path):
        self.name = path.relative_to(root).as_posix()
        self.text = path.read_text(encoding='utf-8', errors='replace')
        self.lines = self.text.splitlines()
        self.is_c = path.suffix in ('.c', '.h', '.def')
        parts = self.name.split('/')
        self.layer = parts[1] if parts[0] == 'src' and len(parts) == 3 else None
        if self.is_c:
            code, bare = blank(self.text)
            self.code, self.bare = code.splitlines(), bare.splitlines()
        self.allowed = {(m[1], i) for i, line in enumerate(self.lines, 1) for m in ALLOW.finditer(line) if m[2]}
        self.allows_used = set()


def blank(text):
    """The C text with comments blanked, and with strings and character constants blanked as well."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def spaces(s):
        return re.sub(r'[^\n]', ' ', s)

    code = token.sub(lambda m: spaces(m[0]) if m[0][0] == '/' else m[0], text)
    bare = token.sub(lambda m: spaces(m[0]) if m[0][0] == '/' else m[0][0] + spaces(m[0][1:-1]) + m[0][-1], text)
    return code, bare


def functions(f):
    """(first, last) lines, counted from 1, of every function's body, braces included."""
    depth, start, before, in_macro, found = 0, 0, '', False, []
    for i, line in enumerate(f.bare, 1):
        is_directive = in_macro or line.lstrip().startswith('#')
        in_macro = is_directive and line.endswith('\\')
        if is_directive:
            continue
        for c in line:
            if c == '{':
                if depth == 0 and before == '"':  # extern "C"
                    continue
                if depth == 0:
                    start = i if before == ')' else 0
                depth += 1
            elif c == '}' and depth:
                depth -= 1
                if depth == 0 and start:
                    found.append((start, i))
            if not c.isspace():
                before = c
    return found


def calls(f, names):
    """(line, name) of everything that looks like a call or a definition of one of the names."""
    pattern = re.compile(r'(?<![\w.>])(' + '|'.join(sorted(names)) + r')\s*\(')
    for i, line in enumerate(f.bare, 1):
        for m in pattern.finditer(line):
            yield i, m[1]


def own_verbs(f):
    """Names the file gives to static functions of its own, where no header can have declared another."""
    if SYSTEM_HEADERS.get(f.layer) is None:
        return set()
    return set(re.findall(r'^static [\w *]*?\b(\w+)\(', '\n'.join(f.bare), re.M))


def may(name, places):
    return any(name.startswith(p) if p.endswith('/') else name == p for p in places)


# ---- rules about one file: each yields (line, rule, what to do) --------------------------------------------

def check_includes(f):
    if not f.is_c:
        return
    for i, line in enumerate(f.code, 1):
        m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not m:
            continue
        if f.name.startswith('docs/examples/') and m[1] == '"' and m[2] != 'streambed.h':
            yield i, 'example-include', 'an example includes streambed.h and system headers, nothing of src/'
        if not f.name.startswith('src/'):
            continue
        if m[1] == '<':
            yield from check_system_header(f, i, m[2])
        elif m[2] != 'streambed.h':
            yield from check_own_header(f, i, m[2])


def check_system_header(f, i, header):
    legal = SYSTEM_HEADERS_OF_FILE.get(f.name, SYSTEM_HEADERS.get(f.layer, C_HEADERS))
    if legal is not None and header.removesuffix('.h') not in legal.split():
        yield i, 'system-header', f'<{header}> is not for this layer; it may include: {legal}'


def check_own_header(f, i, header):
    layer = header.split('/')[0]
    if '/' not in header or layer not in LAYERS:
        yield i, 'include-root', f'spell "{header}" from src/, as "base/slice.h"'
    elif f.layer is None:
        yield i, 'include-direction', 'src/streambed.h includes nothing of the project'
    elif layer != f.layer and layer not in LAYERS.get(f.layer, '').split():
        yield i, 'include-direction', f'{f.layer}/ may not include {layer}/: move the thing down, or hand it in'


def check_calls(f):
    if not f.is_c:
        return
    banned = BANNED | (BANNED_IN_SRC if f.name.startswith('src/') else {})
    for i, name in calls(f, banned):
        yield i, 'banned-call', f'{name}() is not used here: {banned[name]}'
    if not f.name.startswith('src/'):
        return
    own = own_verbs(f)
    for rule, names, places, instead in CALLS:
        if may(f.name, places):
            continue
        for i, name in calls(f, set(names.split()) - own):
            yield i, rule, f'{name}() is for {" and ".join(places)}: {instead}'


def check_functions(f):
    if not f.is_c:
        return
    for first, last in functions(f):
        if last - first + 1 > FUNCTION_LINES:
            yield first, 'function-length', f'{last - first + 1} lines, at most {FUNCTION_LINES}: split it'
        for i in range(first, last):
            if re.match(r'\s*#\s*(if|ifdef|ifndef)\b', f.bare[i - 1]):
                yield i, 'ifdef', 'no #if inside a function: two functions, or two files'


def check_lengths(f):
    if len(f.lines) > FILE_LINES and not f.name.endswith('.def'):
        yield 1, 'file-length', f'{len(f.lines)} lines, at most {FILE_LINES}: one noun, one pair of files'
    if f.name.startswith('docs/examples/') and len(f.lines) > EXAMPLE_LINES:
        yield 1, 'example-length', f'{len(f.lines)} lines, at most {EXAMPLE_LINES}'
    for i, line in enumerate(f.lines, 1):
        if len(line.expandtabs(8)) > COLUMNS and not f.name.endswith('.def'):
            yield i, 'columns', f'{len(line.expandtabs(8))} columns, at most {COLUMNS}'


def check_text(f):
    if not any('SPDX-License-Identifier: MIT' in line for line in f.lines[:3]):
        yield 1, 'spdx', 'say SPDX-License-Identifier: MIT in the first lines'
    for i, line in enumerate(f.lines, 1):
        if re.search(r'\b(TO' r'DO|FIX' r'ME)\b', line):
            yield i, 'unfinished', 'finish it, or file an issue; no such marks in the tree'
        if re.search(r'[ \t]+$', line):
            yield i, 'trailing-space', 'remove the space at the end of the line'
    if f.text and not f.text.endswith('\n'):
        yield len(f.lines), 'trailing-space', 'end the file with a newline'


def check_guard(f):
    if not f.name.endswith('.h'):
        return
    path = f.name.removeprefix('src/')
    want = 'STREAMBED_H' if path == 'streambed.h' else 'SB_' + re.sub(r'\W', '_', path).upper()
    directives = [line.split() for line in f.code if line.lstrip().startswith('#')]
    if not f.name.startswith('src/') and directives and len(directives[0]) > 1:
        want = directives[0][1]  # any name of their own will do
    if directives[:2] != [['#ifndef', want], ['#define', want]]:
        yield 1, 'include-guard', f'begin with #ifndef {want} / #define {want}'


def check_layer(f):
    if f.name.startswith('src/') and f.name != 'src/streambed.h' and f.layer not in LAYERS:
        yield 1, 'layer', 'not in the folder of a layer: ci/tidy.py has the list'


FILE_RULES = [check_includes, check_calls, check_functions, check_lengths, check_text, check_guard, check_layer]


# ---- rules about the tree: each yields (file, line, rule, what to do) --------------------------------------

def check_tables(root):
    for table, (macro, others, has_pages) in TABLES.items():
        path = root / table
        if not path.exists():
            if list(path.parent.glob('*.c')):
                yield table, 1, 'table', 'the folder has sources and no table'
            continue
        rows, impls = [], set()
        for i, line in enumerate(path.read_text().splitlines(), 1):
            m = re.match(macro + r'\(\s*"?([\w-]+)"?\s*,\s*"?(\w+)"?\s*,.*\)\s*$', line)
            if line.startswith('SB_') and not m:
                yield table, i, 'table', f'a row is one line: {macro}(name, impl, ...)'
            elif m:
                rows.append((i, m[1]))
                impls.add(m[2])
                if not (path.parent / f'{m[2]}.c').exists():
                    yield table, i, 'table', f'the row has no file {m[2]}.c'
        for source in sorted(path.parent.glob('*.c')):
            if source.stem not in impls | others and not source.with_suffix('.h').exists():
                yield source.relative_to(root).as_posix(), 1, 'table', f'no row of {table} names this file'
        if has_pages:
            yield from check_pages(root, table, rows, impls)


def check_pages(root, table, rows, impls):
    golden, pages = root / 'tests/golden', root / 'docs/protocols'
    names = {name for _, name in rows}
    for i, name in rows:
        if not any((golden / name).glob('*')):
            yield table, i, 'golden', f'{name} needs inputs and event logs in tests/golden/{name}/'
    for impl in sorted(impls):
        if not (pages / f'{impl}.md').exists():
            yield table, 1, 'page', f'{impl}.c needs half a page, docs/protocols/{impl}.md'
    for folder in sorted(golden.glob('*/')):
        if folder.is_dir() and folder.name not in names:
            yield folder.relative_to(root).as_posix(), 1, 'golden', f'no row of {table} has this name'
    for page in sorted(pages.glob('*.md')):
        if page.stem not in impls | {'README'}:
            yield page.relative_to(root).as_posix(), 1, 'page', f'no row of {table} has this implementation'


def fuzz_targets(root):
    """{target: (table, line, source)} of both tables that make fuzz targets, and what is wrong with their rows."""
    targets, bad = {}, []
    for table, macro in (('fuzz/targets.def', 'SB_FUZZ'), ('src/codec/codecs.def', 'SB_CODEC')):
        path = root / table
        for i, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
            m = re.match(macro + r'\(\s*"?(\w+)"?\s*,\s*"?(\w+)"?\s*,.*\)\s*$', line)
            if m and m[1] in targets:
                bad.append((table, i, 'fuzz-target', f'{m[1]} is the name of another target too'))
            elif m:
                targets[m[1]] = (table, i, m[2])
            elif line.startswith('SB_') and macro == 'SB_FUZZ':  # check_tables is about the other
                bad.append((table, i, 'fuzz-target', 'a row is one line: SB_FUZZ(name, source, "help")'))
    return targets, bad


def check_fuzz(root):
    targets, bad = fuzz_targets(root)
    yield from bad
    refs = (root / 'fuzz/ref/ref.h').read_text() if (root / 'fuzz/ref/ref.h').exists() else ''
    for name, (table, i, source) in targets.items():
        path = root / 'fuzz' / f'{source}.c'
        wants_dict = table != 'fuzz/targets.def'
        if wants_dict:
            if not (root / f'fuzz/ref/{source}.c').exists() or not re.search(rf'\bref_{source}[,;]', refs):
                yield table, i, 'reference', f'{name} needs fuzz/ref/{source}.c, and its line in fuzz/ref/ref.h'
        elif not path.exists():
            yield table, i, 'fuzz-target', f'the row has no file fuzz/{source}.c'
        else:
            wants_dict = f'dict/{name}.dict' in path.read_text()
        if wants_dict and not (root / f'fuzz/dict/{name}.dict').exists():
            yield table, i, 'fuzz-target', f'{name} needs its words, fuzz/dict/{name}.dict'
        if not any((root / 'corpus' / name).glob('*')):
            yield table, i, 'fuzz-target', f'{name} needs seeds in corpus/{name}/'
    for path in sorted((root / 'fuzz/dict').glob('*')) + sorted((root / 'corpus').glob('*')):
        if path.stem not in targets:
            yield path.relative_to(root).as_posix(), 1, 'fuzz-target', 'no fuzz target has this name'


def check_corpora(root):
    total = 0
    for folder in sorted((root / 'corpus').glob('*/')):
        files = sorted(folder.iterdir())
        where = folder.relative_to(root).as_posix()
        total += len(files)
        size = sum(f.stat().st_size for f in files)
        if len(files) > CORPUS_FILES or size > CORPUS_BYTES:
            yield (where, 1, 'corpus',
                   f'{len(files)} files of {size} bytes, at most {CORPUS_FILES} of {CORPUS_BYTES}: merge them')
        for f in files:
            m = CORPUS_NAME.fullmatch(f.name)
            if not m or not f.is_file():
                yield (f'{where}/{f.name}', 1, 'corpus',
                       'name it s_MEANING (made by hand), h_HASH (found) or r_MEANING (a regression)')
            elif m[1] and m[1] != hashlib.sha256(f.read_bytes()).hexdigest()[:16]:
                yield f'{where}/{f.name}', 1, 'corpus', 'h_ is followed by the first 16 digits of its SHA-256'
    if (root / 'corpus').exists() and total < CORPORA_FILES:
        yield 'corpus', 1, 'corpus', f'{total} inputs in all, at least {CORPORA_FILES}'


# ---- running -----------------------------------------------------------------------------------------------

FILE_LEVEL = {'file-length', 'spdx', 'include-guard', 'example-length', 'layer'}


def tree(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob('*')):
            if path.is_file() and path.suffix in SUFFIXES and '__pycache__' not in path.parts:
                yield path
    yield from (root / name for name in LOOSE if (root / name).exists())


def is_allowed(f, line, rule):
    wanted = {(r, i) for r, i in f.allowed if r == rule and (rule in FILE_LEVEL or i == line)}
    f.allows_used |= wanted
    return bool(wanted)


def run(root):
    """Every finding in the tree: (file, line, rule, what to do)."""
    findings = []
    for path in tree(root):
        f = File(root, path)
        for rule in FILE_RULES:
            findings += [(f.name, *x) for x in rule(f) if not is_allowed(f, x[0], x[1])]
        if f.name != 'ci/tidy_test.py':  # whose plants allow things
            findings += [(f.name, i, 'allow', f'nothing on this line needs allow({r}): remove it')
                         for r, i in f.allowed - f.allows_used]
    for rule in (check_tables, check_fuzz, check_corpora):
        findings += rule(root)
    return sorted(findings)


def main(args):
    here = pathlib.Path(__file__).resolve().parent
    if args == ['--self-test']:
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(here))
        import tidy_test
        return tidy_test.main()
    if args:
        print(__doc__, file=sys.stderr)
        return 2
    findings = run(here.parent)
    for name, line, rule, what in findings:
        print(f'{name}:{line}: {rule}: {what}')
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
