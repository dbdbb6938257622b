# SPDX-License-Identifier: MIT
"""docs/recipes.md says what its blocks print: here they are run, against a real server, and must print it.

A block in front of `prints` is a program, behind the blocks of its language that have none. A language that is not
installed is skipped.
"""
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import harness

with open(f'{harness.ROOT}/docs/recipes.md', encoding='ascii') as page:
    TEXT = page.read()

# The four peers, in every language.
LINES = ['frag=1 gate=read', 'limit=3 close=rst', 'limit=3 close=stall', 'frag=1 gap=400ms']


def blocks(section):
    """(the bold words in front of it, its language, its text), in order."""
    caption = ''
    for bold, language, text in re.findall(r'^\*\*(.+?)\*\*|^```(\w+)\n(.*?)^```$', section, re.M | re.S):
        caption = bold.rstrip('.') or caption
        if language:
            yield caption, language, text


def recipes():
    """{language: [(caption, the blocks that make it a program, what it prints)]}"""
    found = {}
    for name, section in re.findall(r'^## (\w+)\n(.*?)(?=^## |\Z)', TEXT, re.M | re.S):
        before, block = [], None
        for caption, language, text in blocks(section):
            if language == 'prints':
                found.setdefault(name, []).append((caption, [*before[:-1], block], text))
                before.pop()
            else:
                block = text
                before.append(text)
    return found


RECIPES = recipes()


def run(argv, folder, program, ending):
    """What a program prints that is one file."""
    path = folder / f'recipe.{ending}'
    path.write_text('\n'.join(program), encoding='ascii')
    return printed([*argv, str(path)], folder)


def printed(argv, folder):
    result = subprocess.run(argv, capture_output=True, text=True, cwd=folder, timeout=harness.GENEROUS, check=False)
    assert result.stdout, (argv, result.stderr)
    return result.stdout


def run_python(folder, program):
    return run([sys.executable, '-W', 'error'], folder, program, 'py')


def run_pytest(folder, program):
    argv = [sys.executable, '-m', 'pytest', '-q', '--tb=no', '-rN', '-p', 'no:cacheprovider', '-c', os.devnull]
    return re.sub(r' in [\d.]+s', '', run(argv, folder, program, 'py').splitlines()[-1]) + '\n'


def run_node(folder, program):
    return run(['node'], folder, program, 'js')


def run_bash(folder, program):
    return run(['bash'], folder, program, 'sh')


def run_c(folder, program):
    (folder / 'recipe.c').write_text('\n'.join(program), encoding='ascii')
    subprocess.run(['gcc', '-Wall', '-Wextra', '-o', 'recipe', 'recipe.c'], cwd=folder, check=True)
    return printed(['./recipe'], folder)


def run_go(folder, program):
    names = [f'recipe{i}.go' for i in range(len(program))]
    for name, text in zip(names, program, strict=True):
        (folder / name).write_text(text, encoding='ascii')
    return printed(['go', 'run', *names], folder)


RUNNERS = {'Python': (run_python, sys.executable), 'pytest': (run_pytest, sys.executable), 'Node': (run_node, 'node'),
           'Go': (run_go, 'go'), 'C': (run_c, 'gcc'), 'bash': (run_bash, 'bash')}


def is_here(name):
    return shutil.which(RUNNERS[name][1]) is not None


def test_the_page_has_what_it_promises():
    assert list(RECIPES) == list(RUNNERS)
    for name, found in RECIPES.items():
        text = '\n'.join(block for _, program, _ in found for block in program)
        assert '7777' in text and all(line in text for line in LINES), name
    for caption, language, text in blocks(TEXT):
        assert len([line for line in text.splitlines() if line]) <= 8 or language == 'prints', (caption, text)
        assert all(len(line.expandtabs(8)) <= 120 for line in text.splitlines()), (caption, text)


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """All of them against one server, some at a time: they wait more than they work, and must not meet."""
    with harness.Server('--listen', 'tcp://127.0.0.1:0,ECHO') as server, ThreadPoolExecutor(4) as pool:
        port = str(server.port())
        yield {(name, caption): pool.submit(RUNNERS[name][0], tmp_path_factory.mktemp('recipe'),
                                            [block.replace('7777', port) for block in program])
               for name, found in RECIPES.items() if is_here(name) for caption, program, _ in found}


@pytest.mark.parametrize('name, caption, prints', [(name, caption, prints) for name, found in RECIPES.items()
                                                   for caption, _, prints in found],
                         ids=lambda value: re.sub(r'\W+', '_', value) if '\n' not in value else '')
def test_a_recipe_prints_what_the_page_says(runs, name, caption, prints):
    if not is_here(name):
        pytest.skip(f'{RUNNERS[name][1]} is not installed')
    assert runs[name, caption].result() == prints
