# SPDX-License-Identifier: MIT
"""Nobody who has not proved that his address is his is sent more bytes in datagrams than have come in his name.

Random lines and requests, on servers that others can reach. Some lines are refused: they amplify nothing.
"""
import re
import socket
import subprocess

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import harness
from harness import BIN, GENEROUS, Server
from lines import Control

EXAMPLES = 300 if harness.FULL else 30
SETTINGS = {'deadline': None, 'database': None, 'derandomize': not harness.FULL,
            'suppress_health_check': list(HealthCheck)}

INDEX = st.integers(1, 9)
SETS = st.one_of(INDEX.map(str), st.tuples(INDEX, INDEX).map(lambda p: f'{min(p)}-{max(p)}'),
                 st.integers(1, 99).map('{}%'.format))
KEYS = {
    'drop': SETS,
    'dup': SETS,
    'reorder': st.tuples(SETS, st.integers(1, 3)).map(lambda p: f'{p[0]}:{p[1]}'),
    'hold': st.integers(1, 30).map('{}ms'.format),
    'trunc': st.integers(0, 2000).map(str),
    'size': st.integers(0, 2000).map(str),
    'reply': st.sampled_from(['silent', 'refused']),
    'frame': st.sampled_from(['raw', 'line', 'u8', 'netstring', 'fixed:3']),
    'max': st.integers(1, 2000).map(str),
    'len': st.integers(0, 2000).map(str),
    'count': st.integers(1, 20).map(str),
    'pattern': st.sampled_from(['zero', 'random', 'chargen', 'ab']),
}


@st.composite
def lines(draw):
    keys = draw(st.lists(st.sampled_from(sorted(KEYS)), max_size=4, unique=True))
    verb = draw(st.sampled_from(['ECHO', 'ECHO', 'ECHO', 'CHARGEN', 'SOURCE', 'DISCARD']))
    return ' '.join([verb, *(f'{key}={draw(KEYS[key])}' for key in keys)])


REQUESTS = st.lists(st.one_of(st.binary(max_size=8), st.binary(min_size=20, max_size=1400),
                              st.sampled_from([b'', b'x\n', b'\1a', b'1:a,', b'abc'])), min_size=1, max_size=8)


def client_at(address):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 0))
    return sock


def took(sock, quiet):
    """Bytes that have come to it when nothing more does."""
    n = 0
    while not harness.is_quiet(sock, quiet):
        try:
            n += len(sock.recv(70000))
        except ConnectionRefusedError:
            pass
    return n


def send_all(clients, port, requests):
    for i, request in enumerate(requests):
        try:
            clients[i % len(clients)].sendto(request, ('127.0.0.1', port))
        except ConnectionRefusedError:  # reply=refused: of the one before
            pass


def is_refused(line):
    """Whether a strict server does not take it; it must not start then."""
    argv = [BIN, 'serve', '--listen', f'udp://0.0.0.0:0,{line}', '--allow', '127.0.0.0/8', '--ready-fd', '1']
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        started = process.stdout.read(1) == b'\n'
        process.terminate()
        process.communicate(timeout=GENEROUS)
    return not started


@settings(max_examples=EXAMPLES, **SETTINGS)
@given(lines(), REQUESTS)
@example('ECHO dup=1-9', [b'x'] * 4)
@example('ECHO size=2000', [b'x'])
@example('SOURCE count=20 len=100', [b''])
@example('CHARGEN', [b'', b'x'])
@example('ECHO reorder=1-9:1 hold=5ms', [b'abc', b'd'])
def test_nobody_is_sent_more_than_he_has_sent(line, requests):
    if is_refused(line):
        return
    with Server('--listen', f'udp://0.0.0.0:0,{line}', '--allow', '127.0.0.0/8') as server, \
            client_at('127.0.0.9') as one, client_at('127.0.0.10') as two:
        assert server.event('profile')['name'] == 'strict'
        send_all([one, two], server.port(), requests)
        for i, client in enumerate([one, two]):
            assert took(client, 0.05) <= sum(map(len, requests[i::2])), line
        counters = server.stop()
    # And nothing that would have come later.
    assert counters['bytes-out'] <= counters['bytes-in'] == sum(map(len, requests)) or 'reply=refused' in line


def test_a_port_is_its_makers_whatever_its_line():
    with Server('--listen', 'tcp://0.0.0.0:0,ECHO', '--allow', '127.0.0.0/8', '--log-level', 'notice',
                '--max-ports', '8192') as server, Control(server) as control, \
            client_at('127.0.0.9') as stranger, client_at('127.0.0.1') as maker:

        @settings(max_examples=2 * EXAMPLES, **SETTINGS)
        @given(lines(), REQUESTS)
        @example('ECHO dup=1-9 size=100', [b'x'] * 4)
        @example('SOURCE count=20 len=100', [b''])
        def check(line, requests):
            answer = control(f'LISTEN {line} proto=udp keep=1ms')
            if answer.startswith('-ERR'):
                return
            words = dict(w.split('=', 1) for w in answer.split() if '=' in w)
            send_all([stranger], int(words['port']), requests)
            count = dict(re.findall(r'(\S+)=(\d+)(?= |$)', control.text(f'RECEIPT id={words["id"]}').rstrip()))
            assert count['out'] == count['bytes-out'] == '0', line
            ports.append(int(words['port']))

        ports = []
        check()
        assert took(stranger, 0.2) == 0
        # The lines are such that others are answered with more: or all this would say nothing.
        port = control.listen('SOURCE count=20 len=100 proto=udp')
        maker.sendto(b'x', ('127.0.0.1', port))
        assert took(maker, 0.3) == 2000
        assert len(ports) > EXAMPLES // 4
