# SPDX-License-Identifier: MIT
"""FORWARD: a client that knows nothing of us, its real server, and what is between them."""
import contextlib
import hashlib
import json
import os
import socket
import threading

import pytest

import harness
from harness import exchange, finish, reset, take, take_all
from lines import sizes_blocking
from test_ports import Control, client_of


class Upstream:
    """The real server: a listening socket that the test answers for."""

    def __init__(self, via='ipv4', path=None, **options):
        family = {'ipv4': socket.AF_INET, 'ipv6': socket.AF_INET6, 'unix': socket.AF_UNIX}[via]
        self.sock = socket.socket(family)
        for name, value in options.items():
            self.sock.setsockopt(socket.SOL_SOCKET, getattr(socket, 'SO_' + name.upper()), value)
        self.sock.bind({'ipv4': ('127.0.0.1', 0), 'ipv6': ('::1', 0), 'unix': path}[via])
        self.sock.listen(16)
        self.sock.settimeout(harness.GENEROUS)
        if via == 'unix':
            self.endpoint = f'unix:{path}'
        else:
            host = '127.0.0.1' if via == 'ipv4' else '[::1]'
            self.endpoint = f'tcp://{host}:{self.sock.getsockname()[1]}'

    def accept(self):
        sock = self.sock.accept()[0]
        sock.settimeout(harness.GENEROUS)
        return sock

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


@pytest.fixture
def upstream(tmp_path):
    with contextlib.ExitStack() as stack:
        yield lambda via='ipv4', **options: stack.enter_context(Upstream(via, f'{tmp_path}/upstream', **options))


@pytest.fixture
def pair(serve, upstream):
    """pair('up.frag=1') -> server, the client's socket and the upstream's."""
    socks = []

    def make(keys='', *options, via='ipv4', **more):
        up = upstream(via, **more)
        server = serve(f'FORWARD to={up.endpoint} {keys}'.rstrip(), *options, via=via)
        socks.extend([server.connect(), up.accept()])
        return server, *socks[-2:]

    yield make
    for sock in socks:
        sock.close()


def receipts(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


# ---- what passes -------------------------------------------------------------------------------------------


def test_bytes_pass_and_each_half_close_by_itself(pair, io, via):
    server, client, up = pair('', '--io', io, via=via)
    client.sendall(b'question')
    assert take(up, 8) == b'question'
    finish(client)
    assert up.recv(1) == b''  # the client's end, and the other direction goes on
    up.sendall(b'answer')
    assert take(client, 6) == b'answer'
    assert harness.is_quiet(client)
    up.close()
    assert client.recv(1) == b''
    client.close()
    one, other = server.event('close', way='up'), server.event('close', way='down')
    assert (one['reason'], one['in'], one['out']) == ('eof', 8, 8)
    assert (other['reason'], other['in'], other['out']) == ('eof', 6, 6)


def test_the_server_may_end_first(pair, io):
    server, client, up = pair('', '--io', io)
    up.sendall(b'bye')
    finish(up)
    assert take_all(client) == (b'bye', 'eof')
    client.sendall(b'I go on')
    finish(client)
    assert take_all(up) == (b'I go on', 'eof')
    server.event('close', way='down', reason='eof')


@pytest.mark.parametrize('who', ['client', 'upstream'])
def test_a_reset_passes_as_a_reset(pair, io, who):
    server, client, up = pair('', '--io', io)
    one, other = (client, up) if who == 'client' else (up, client)
    one.sendall(b'x')
    assert take(other, 1) == b'x'
    reset(one)
    assert take_all(other) == (b'', 'reset')
    way = 'up' if who == 'client' else 'down'
    assert server.event('close', way=way)['reason'] == 'reset'
    assert server.stop()['closed-reset'] == 1


def test_a_reset_passes_after_a_half_close(pair, io):
    _, client, up = pair('', '--io', io)
    finish(client)
    assert up.recv(1) == b''
    reset(up)
    assert take_all(client) == (b'', 'reset')


# ---- pieces ------------------------------------------------------------------------------------------------


def test_each_direction_is_cut_by_its_own_keys(pair, io, via, tmp_path):
    path = f'{tmp_path}/receipts'
    server, client, up = pair('up.frag=1 up.gate=read down.cut=2,5 down.gate=read', '--io', io, '--receipts', path,
                              via=via)
    client.sendall(b'hello')
    assert [len(take(up, 1)) for _ in range(5)] == [1] * 5
    assert harness.is_quiet(up)
    finish(client)
    assert up.recv(1) == b''
    up.sendall(b'hello, you')
    finish(up)
    assert sizes_blocking(client) == [2, 3, 5]
    client.close()
    up.close()
    server.event('close', way='down')
    harness.until(lambda: os.path.getsize(path), 'there is a receipt')
    receipt, = receipts(path)
    assert receipt['up']['cuts'] == {'all': 5, 'read': 5, 'ack': 0, 'time': 0, 'none': 0}
    assert receipt['down']['cuts']['read'] == 2
    assert [e['send'] for e in receipt['down']['events'] if 'send' in e] == [2, 3, 5]
    assert receipt['up']['in'] == receipt['up']['out'] == 5
    assert receipt['down']['reason'] == receipt['up']['reason'] == 'eof'


def test_the_same_seed_cuts_the_same_and_each_direction_otherwise(serve, upstream):
    data = bytes(range(256)) * 2
    up = upstream()
    server = serve(f'FORWARD to={up.endpoint} up.frag=random up.gate=read down.frag=random down.gate=read seed=5')

    def sizes():
        with server.connect() as client, up.accept() as behind:
            client.sendall(data)
            finish(client)
            there = sizes_blocking(behind)
            behind.sendall(data)
            finish(behind)
            return there, sizes_blocking(client)

    first = sizes()
    assert first == sizes()
    assert first[0] != first[1]
    assert sum(first[0]) == sum(first[1]) == len(data)


def test_a_direction_ends_as_its_keys_say(pair, io):
    server, client, up = pair('up.limit=3 up.close=rst', '--io', io)
    client.sendall(b'hello')
    assert take_all(up) == (b'hel', 'reset')
    assert take_all(client) == (b'', 'reset')
    closed = server.event('close', way='up')
    assert (closed['reason'], closed['out'], closed['dropped']) == ('limit', 3, 2)


# ---- a server that is not there ----------------------------------------------------------------------------


def test_refused(serve, upstream, io, tmp_path):
    up = upstream()
    server = serve(f'FORWARD to={up.endpoint}', '--io', io, '--receipts', f'{tmp_path}/receipts')
    up.sock.close()
    with server.connect_first() as client:
        assert take_all(client) == (b'', 'reset')
    closed = server.event('close', reason='upstream')
    assert (closed['errno'], closed['how'], closed['way']) == ('ECONNREFUSED', 'rst', 'up')
    receipt, = receipts(f'{tmp_path}/receipts')
    assert receipt['up']['reason'] == 'upstream' and receipt['up']['errno'] == 'ECONNREFUSED'


def test_a_black_hole(serve, upstream, io):
    up = upstream(via='ipv4')
    up.sock.listen(0)
    with contextlib.ExitStack() as stack:
        for _ in range(4):  # its backlog is full: further SYNs are dropped
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(up.sock.getsockname())
        server = serve(f'FORWARD to={up.endpoint}', '--io', io, '--connect-timeout', '300ms')
        with server.connect() as client:
            client.sendall(b'anybody?')
            assert take_all(client) == (b'', 'reset')
        closed = server.event('close', reason='upstream')
        assert (closed['errno'], closed['in']) == ('ETIMEDOUT', 0)


def test_no_unix_socket_there(serve, tmp_path):
    server = serve(f'FORWARD to=unix:{tmp_path}/nobody')
    with server.connect_first() as client:
        assert take_all(client) == (b'', 'reset')
    assert server.event('close', reason='upstream')['errno'] == 'ENOENT'


# ---- back-pressure, and much -------------------------------------------------------------------------------


def test_a_reader_that_stalls_stops_the_writer(pair, io):
    server, client, up = pair('', '--io', io, rcvbuf=4096)
    before = server.resident()
    sent = harness.fill(client)
    assert sent < 32 << 20
    assert server.resident() - before < 16 << 20
    got = take(up, sent)
    assert got == b'x' * sent


@pytest.mark.parametrize('size', [1 << 20, pytest.param(100 << 20, marks=harness.long_test)])
def test_much_both_ways_at_once(pair, io, size):
    _, client, up = pair('', '--io', io)
    there, back = os.urandom(1 << 16) * (size >> 16), os.urandom(1 << 16) * (size >> 16)
    found = {}

    def behind():
        found['there'] = exchange(up, back)

    other = threading.Thread(target=behind, daemon=True)
    other.start()
    got, how = exchange(client, there)
    other.join(harness.GENEROUS * 5)
    assert how == found['there'][1] == 'eof'
    assert hashlib.sha256(got).digest() == hashlib.sha256(back).digest()
    assert hashlib.sha256(found['there'][0]).digest() == hashlib.sha256(there).digest()
