# SPDX-License-Identifier: MIT
"""`streambed lab`: each experiment comes out as documented, by relations and never by times."""
import json
import os
import subprocess

import pytest

import harness

NAMES = [line.split()[0] for line in subprocess.run([harness.BIN, 'lab', '--list'], capture_output=True, text=True,
                                                    check=True).stdout.splitlines() if not line.startswith(' ')]
# What a machine may lack, and nothing else.
MAY_LACK = ('namespace', 'IPv6', 'io_uring')


def lab(*args, code=0):
    r = subprocess.run([harness.BIN, 'lab', *args], capture_output=True, text=True, check=False,
                       timeout=harness.GENEROUS)
    assert not harness.DEATH_CRIES.search(r.stderr), r.stderr
    assert r.returncode == code, r.stdout + r.stderr
    return r.stdout


@pytest.mark.parametrize('name', NAMES)
def test_an_experiment_comes_out_as_documented(name):
    found = json.loads(lab(name, '--json'))
    assert found['experiment'] == name
    if found['verdict'] == 'not here':
        assert any(word in found['why'] for word in MAY_LACK), found['why']
        pytest.skip(found['why'])
    assert found['verdict'] == found['documented']
    assert found['calls'] and found['calls-left-out'] == 0
    assert found['must'] and all(m['is'] for m in found['must'])


# What an experiment measured, related once more from outside: no times, and nothing that a load moves.
RELATIONS = {
    'congestion-control': lambda m: [
        m['before a MiB that is answered'] < m['and after it'],
        'and kept back' not in m or m['lost: it goes back to'] < m['the sender begins with'] <= m['sent again in all'],
        'and kept back' not in m or 0 < m['and kept back'] < 40000 < m['the receiver has room for'],
    ],
    'any-address': lambda m: [m['there is IPv6 here (0: that part is left out)'] in (0, 1)],
    'echo-deadlock': lambda m: [
        0 < m[f'{which}: the server has echoed'] < m[f'{which}: the client has sent']
        for which in ('small buffers', 'buffers as they are')
    ] + [m['small buffers: the client has sent'] < m['buffers as they are: the client has sent']],
    'keepalive': lambda m: [
        m['questions without an answer'] == 1,
        m['sent where nobody asks'] == 0 < m['sent to the one that is there'],
    ],
    'lecture-server': lambda m: [
        m['ten messages: bytes of one recv'] == 1000 > m['ten messages: bytes shown'],
        m['3 bytes without NUL: bytes shown'] > 1000,
        m['ours: messages that it has found'] == 17,
        m['ours: clients that it has had'] == 5,
    ],
}


@pytest.mark.parametrize('name', RELATIONS)
def test_what_it_measured_is_what_the_lesson_says(name):
    found = json.loads(lab(name, '--json'))
    if found['verdict'] == 'not here':
        pytest.skip(found['why'])
    assert all(RELATIONS[name](found['measured'])), found['measured']


def test_all_of_them_in_80_columns_without_colour_when_piped():
    text = lab()
    assert max(map(len, text.splitlines())) <= 80
    assert '\033' not in text and all(ord(c) < 128 for c in text)
    for name in NAMES:
        assert f'\n{name}\n' in '\n' + text


def test_what_is_not_there_is_a_usage_error_and_nothing_is_run():
    assert lab('coalesce', 'spilt', code=2) == ''
    assert lab('--jsn', code=2) == ''


def test_the_page_of_docs_says_what_the_program_says():
    with open(f'{harness.ROOT}/docs/lab.md', encoding='utf-8') as page:
        text = page.read()
    assert [line[3:] for line in text.splitlines() if line.startswith('## ')] == NAMES
    words = ' '.join(text.split())
    for name in NAMES:
        found = json.loads(lab(name, '--json'))
        for part in (found['claim'], 'verdict: ' + found['documented'] + ' ' + found['lesson']):
            assert ' '.join(part.split()) in words, f'{name}: streambed lab --markdown >docs/lab.md'


def test_each_claim_of_the_notes_has_an_experiment_or_a_page():
    rows = [line.split()[0] for line in lab('--claims').splitlines() if not line.startswith(' ')]
    assert len(rows) > 30
    for row in rows:
        assert row in NAMES or os.path.exists(f'{harness.ROOT}/{row}')
