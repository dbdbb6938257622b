# SPDX-License-Identifier: MIT
"""`streambed lab`: each experiment comes out as documented, by relations and never by times."""
import errno
import json
import os
import resource
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
        'and kept back' not in m or m['lost: it goes back to'] < m['the sender begins with'],
        'and kept back' not in m or m['sent again in all, in bytes'] >= 40000 - m['and kept back'],
        'and kept back' not in m or 0 < m['and kept back'] < 40000 < m['the receiver has room for'],
    ],
    'any-address': lambda m: [m['there is IPv6 here (0: that part is left out)'] in (0, 1)],
    'echo-deadlock': lambda m: [
        0 < m[f'{which}: the server has echoed'] < m[f'{which}: the client has sent']
        for which in ('small buffers', 'buffers as they are')
    ] + [m['small buffers: the client has sent'] < m['buffers as they are: the client has sent']],
    'buffer-birth': lambda m: [
        m['memory that 1000 bytes take in the receive buffer'] > 1000 > m['and when they are read'],
        m['after connect, the send buffer may take'] >= m['after socket, the send buffer may take'] > 0,
    ],
    'framing': lambda m: [
        m[f'by {way}: messages restored'] == 10 and m[f'by {way}: ten messages of 98 bytes took'] > 98
        for way in ('length header', 'delimiter', 'fixed size')
    ],
    'linger': lambda m: [
        m['off: the server received after close'] == m['off: the client sent'],
        m['0 seconds: lost'] == m['0 seconds: the client sent'] - m['0 seconds: the server received'] > 0,
    ],
    'recv-zero': lambda m: [
        m["at the peer's end recv returned"] == 0,
        m['and errno was still of the call before it (EAFNOSUPPORT)'] == errno.EAFNOSUPPORT,
    ],
    'segments': lambda m: [
        m['ten messages of 100 bytes, in'] < 10 <= m['one message of 10000 bytes, in'],
    ],
    'send-blocks': lambda m: [
        m['taken before there is no room'] ==
        m["in the client's send buffer"] + m["in the server's receive buffer"] > 0,
    ],
    'split': lambda m: [
        (m['the first recv of 950'], m['the second'], m['one recv then']) == (950, 50, 1000),
        m['SO_RCVBUF=950 becomes'] > 950,
    ],
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
    rows = [line.split()[:2] for line in lab('--claims').splitlines() if not line.startswith(' ')]
    assert len({which for _, which in rows}) == len(rows) > 50
    for where, _ in rows:
        assert where in NAMES or os.path.exists(f'{harness.ROOT}/{where}')
    assert {where for where, _ in rows} >= set(NAMES), 'each experiment is about a claim of the notes'


def is_here(name):
    found = json.loads(lab(name, '--json'))
    if found['verdict'] == 'not here':
        pytest.skip(found['why'])
    return found


def test_what_is_sent_lies_in_one_buffer_and_then_in_the_other_and_a_closed_end_has_none():
    at_the_client, carried, both_ways = is_here('send-returns')['pictures']
    assert at_the_client['server-send']['used'] == at_the_client['client-recv']['used'] == 0
    assert carried['server-recv']['used'] == 100 == both_ways['client-recv']['used']
    assert carried['server-recv']['held'] > 0
    closed = is_here('linger')['pictures'][0]
    assert closed['client-send'] is closed['client-recv'] is None and closed['server-recv']['used'] > 0


def test_each_step_that_fails_says_why_and_a_step_that_does_not_says_who():
    calls = is_here('server-steps')['calls']
    came = [call for call in calls if call.startswith('accept(listener, &address) = server, from 127.0.0.2 port ')]
    assert len(came) == 1
    assert calls.index('close(idle) = 0') < calls.index('accept(closed) = -1 EBADF')
    calls = is_here('client-steps')['calls']
    unlooked = calls.index('inet_pton(AF_INET, "localhost", &address) = 0')
    assert calls[unlooked + 1].startswith('connect(unlooked, 0.0.0.0 port ')


def test_a_killed_server_leaves_its_port_and_one_in_time_wait_does_not():
    calls = is_here('reuseaddr')['calls']
    killed = calls.index('kill(that process, SIGKILL)')
    assert calls[killed - 1].startswith('bind(new server') and calls[killed - 1].endswith('= -1 EADDRINUSE')
    binds = [call for call in calls[killed:] if call.startswith('bind(new server')]
    assert binds[0].endswith(' = 0') and binds[1].endswith('= -1 EADDRINUSE')


def test_what_is_submitted_is_done_later_and_with_the_bytes_as_they_are_then():
    found = is_here('overlapped')
    measured, calls = found['measured'], found['calls']
    assert calls.index('io_uring_peek_cqe(): done = 0') < calls.index('completion of tag 1 = 100')
    assert measured["left for others in the kernel's receive buffer"] == 0
    assert measured['of these the peer got as they were changed later'] > 0
    assert 'completion of tag 6 = -1 ECANCELED' in calls and 'completion of tag 7 = -1 EAGAIN' in calls
    assert calls.index('close(server) = 0') < calls.index('completion of tag 9 = 100')


def test_a_call_that_would_wait_says_so_and_to_ask_again_and_again_takes_the_cpu():
    found = is_here('blocking-vs-nonblocking')
    measured, calls = found['measured'], found['calls']
    assert 'accept(listener) = -1 EAGAIN' in calls
    assert measured['asking again and again'] > 100 and measured['blocked'] == 1
    assert measured['asking again and again: CPU time'] > measured['blocked: CPU time']


def test_socket_models_look_at_as_many_connections_as_each_of_them_has_to():
    found = is_here('models')
    measured, calls = found['measured'], found['calls']
    n = measured['connections']
    assert n == min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - 24)
    for model in ('select', 'poll'):
        assert measured[f'{model}: looked at for messages'] == n * measured[f'{model}: waits']
    assert measured['epoll: looked at for messages'] == 2001
    assert measured['threads: context switches'] >= 1000
    assert measured.get('io_uring: looked at for messages', 4001) == 4001
    assert 'FD_SET(1023), in a process of its own: signal 0' in calls
    assert 'FD_SET(1024), in a process of its own: signal 6' in calls


def test_reliable_udp_misses_nothing_of_what_plain_udp_loses():
    measured = is_here('reliable-udp')['measured']
    assert 0 < measured['plain UDP: messages that came'] == 100 - measured['plain UDP: dropped on the way'] < 100
    assert measured['plain UDP: came after one that was sent later'] > 0
    assert measured['ENet: messages that came'] == 100
    assert measured['ENet: came after one that was sent later'] == 0
    assert measured['ENet: dropped on the way'] > 0 and measured['ENet: messages that it sent again'] > 0
    assert measured['ENet: bytes on the wire'] > measured['plain UDP: bytes on the wire']
