# SPDX-License-Identifier: MIT
"""FORWARD: a client that knows nothing of us, its real server, and what is between them."""
import contextlib
import hashlib
import json
import os
import socket
import subprocess
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
    with open(f'{harness.ROOT}/docs/receipt.schema.json', encoding='ascii') as f:
        schema = json.load(f)
    assert set(receipt) == {'v', 'id', 'peer', 'line', 'up', 'down'} <= set(schema['properties'])
    ways = schema['$defs']['way']
    for way in ('up', 'down'):
        assert set(ways['required']) <= set(receipt[way]) <= set(ways['properties'])


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


# ---- where it may lead -------------------------------------------------------------------------------------


def test_a_port_forwards_only_to_what_is_listed(serve, upstream, io):
    up = upstream()
    server = serve('ECHO', '--io', io, '--forward-to', f'127.0.0.0/8:{up.sock.getsockname()[1]}')
    with Control(server) as control:
        port = control.listen(f'FORWARD to={up.endpoint} up.frag=1 conns=1')
        with client_of(server, port) as client, up.accept() as behind:
            client.sendall(b'ab')
            assert take(behind, 1) == b'a' and take(behind, 1) == b'b'
            finish(client)
            finish(behind)
            assert take_all(client) == (b'', 'eof')
        assert '--forward-to' in control('LISTEN FORWARD to=tcp://127.0.0.1:1')
        assert control('LISTEN FORWARD to=tcp://localhost:1').startswith('-ERR col=25 "localhost" is no address')
        assert '--forward-to' in control('LISTEN FORWARD to=unix:/tmp/x')


def test_a_port_forwards_nowhere_by_default(serve, upstream):
    up = upstream()
    with Control(serve('ECHO')) as control:
        answer = control(f'LISTEN FORWARD to={up.endpoint}')
        assert answer.startswith('-ERR col=23 a port of LISTEN may not forward to') and '--forward-to' in answer


def test_a_port_forwards_to_a_listed_unix_socket(serve, upstream):
    up = upstream('unix')
    server = serve('ECHO', '--forward-to', up.endpoint)
    with Control(server) as control, client_of(server, control.listen(f'FORWARD to={up.endpoint}')) as client:
        client.sendall(b'x')
        with up.accept() as behind:
            assert take(behind, 1) == b'x'


def test_the_ports_of_a_control_connection_go_with_it(serve, upstream):
    up = upstream()
    server = serve('ECHO', '--forward-to', f'127.0.0.1/32:{up.sock.getsockname()[1]}')
    with Control(server) as control:
        client = client_of(server, control.listen(f'FORWARD to={up.endpoint}'))
        behind = up.accept()
    assert take_all(client) == (b'', 'reset')
    assert take_all(behind) == (b'', 'reset')


def test_not_on_a_connection(serve):
    with serve('ECHO').connect() as client:
        client.sendall(b'SB1 FORWARD to=tcp://127.0.0.1:1\n')
        assert client.recv(100).startswith(b'-ERR col=5 FORWARD is for a line of --listen or of LISTEN')


def test_not_to_itself(serve):
    port = serve('ECHO').port()  # that is taken until the end: the next will do
    why = harness.refuses('serve', '--listen', f'tcp://127.0.0.1:{port + 1},FORWARD to=tcp://127.0.0.1:{port + 1}',
                          code=2)
    assert 'col=' in why and 'a listener of this server itself' in why


def test_a_name_is_looked_up_at_start(serve, upstream):
    first = socket.getaddrinfo('localhost', None, type=socket.SOCK_STREAM)[0][0]
    up = upstream('ipv6' if first == socket.AF_INET6 else 'ipv4')
    server = serve(f'FORWARD to=tcp://localhost:{up.sock.getsockname()[1]}')
    with server.connect() as client, up.accept() as behind:
        client.sendall(b'x')
        assert take(behind, 1) == b'x'
    why = harness.refuses('serve', '--listen', 'tcp://127.0.0.1:0,FORWARD to=tcp://nobody.invalid:1', code=2)
    assert 'name not found: nobody.invalid' in why


@pytest.mark.parametrize('line, col, what', [
    ('FORWARD to=tcp://127.0.0.1:1 frag=1', 30, 'up.frag= or down.frag='),
    ('FORWARD to=tcp://127.0.0.1:1 up.frgg=1', 30, 'did you mean up.frag?'),
    ('FORWARD up.frag=1', 1, 'FORWARD needs to='),
    ('ECHO up.frag=1', 6, 'the directions of FORWARD'),
    ('FORWARD to=udp://127.0.0.1:1', 12, 'datagrams are not forwarded'),
    ('FORWARD to=tcp://127.0.0.1:0', 12, 'needs a port'),
    ('FORWARD to=tcp://127.0.0.1:1 up.frag=1 up.frag=2', 40, 'is given twice'),
    ('FORWARD to=tcp://127.0.0.1:1 down.max=2', 30, 'is of no direction'),
    ('FORWARD to=tcp://127.0.0.1:1 seed=2', 30, 'frag=random'),
])
def test_what_is_wrong_is_said_with_its_column(line, col, what):
    why = harness.refuses('serve', '--listen', f'tcp://127.0.0.1:0,{line}', code=2)
    assert f'col={col + len("tcp://127.0.0.1:0,")} ' in why and what in why


def test_not_over_udp():
    why = harness.refuses('serve', '--listen', 'udp://127.0.0.1:0,FORWARD to=tcp://127.0.0.1:1', code=2)
    assert 'FORWARD is for streams' in why


def test_two_places_for_each(serve, upstream):
    up = upstream()
    server = serve(f'FORWARD to={up.endpoint}', '--max-conns', '3')
    with server.connect() as one, up.accept() as behind:
        one.sendall(b'x')
        assert take(behind, 1) == b'x'
        with server.connect() as other:
            assert take_all(other)[0] == b''
        assert server.event('refuse')['reason'] == 'max-conns'


# ---- a real client and its real server ---------------------------------------------------------------------


@pytest.fixture
def redis(tmp_path):
    """redis-server on a port of its own: its port."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(['redis-server', '--port', str(port), '--save', '', '--bind', '127.0.0.1', '--dir',
                                str(tmp_path)], stdout=subprocess.DEVNULL)
    try:
        harness.until(lambda: redis_cli(port, 'ping') == 'PONG\n', 'redis answers')
        yield port
    finally:
        process.terminate()
        process.wait(harness.GENEROUS)


def redis_cli(port, *words, text=None):
    return subprocess.run(['redis-cli', '-p', str(port), *words], capture_output=True, text=True, input=text,
                          timeout=harness.GENEROUS, check=False).stdout


COMMANDS = '\n'.join(['set a ' + 'x' * 300, 'get a', 'rpush l 1 2 3', 'lrange l 0 -1', 'hset h f 1 g 2', 'hgetall h',
                      'incr n', 'nonsense', 'strlen a', 'flushall']) + '\n'


@harness.needs('redis-server')
@pytest.mark.parametrize('keys', ['', 'up.frag=1 down.frag=1', 'up.frag=random down.frag=random seed=7'])
def test_redis_answers_as_directly(serve, redis, io, keys):
    server = serve(f'FORWARD to=tcp://127.0.0.1:{redis} {keys}'.rstrip(), '--io', io)
    assert redis_cli(server.port(), text=COMMANDS) == redis_cli(redis, text=COMMANDS)


@harness.needs('redis-benchmark')
def test_redis_benchmark_through_single_bytes(serve, redis, tmp_path):
    server = serve(f'FORWARD to=tcp://127.0.0.1:{redis} up.frag=1 down.frag=1', '--receipts', f'{tmp_path}/receipts')
    done = subprocess.run(['redis-benchmark', '-p', str(server.port()), '-n', '100', '-c', '5', '-t', 'set,get',
                           '--csv'], capture_output=True, text=True, timeout=harness.GENEROUS * 2, check=True)
    assert '"SET"' in done.stdout and '"GET"' in done.stdout
    for receipt in receipts(f'{tmp_path}/receipts'):
        for way in ('up', 'down'):
            cuts = receipt[way]['cuts']
            assert receipt[way]['in'] == receipt[way]['out'] + receipt[way]['unsent'] + receipt[way]['dropped']
            assert cuts['all'] == receipt[way]['out'] and cuts['time'] == cuts['ack'] == 0
