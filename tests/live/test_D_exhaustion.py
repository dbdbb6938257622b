# SPDX-License-Identifier: MIT
"""Faults, group D: when descriptors, connections, memory or the reader of the log run out."""
import contextlib
import os
import re
import resource
import signal
import struct
import subprocess
import time

import pytest

from harness import (BIN, GENEROUS, Server, exchange, fill, finish, name_of, needs, own_network, pattern, take,
                     take_all, u32be, until)


@contextlib.contextmanager
def clients_of(server, n, i=0):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(server.connect(i)) for _ in range(n)]


# ---- descriptors -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def descriptors_limited(server, more):
    """The running server may have this many descriptors more than it has, until the block ends."""
    soft, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (server.descriptors() + more, hard))
    yield
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (soft, hard))


def test_D65_emfile_at_accept_pauses_and_sheds(serve, io):
    """m19: retrying at once would burn a core. Waiting clients get a clear end, and service is back when there
    are descriptors again."""
    server = serve('ECHO', '--io', io)
    with server.connect() as client:
        exchange(client, b'x')
    server.event('close')
    with descriptors_limited(server, 5), clients_of(server, 5) as served:
        for client in served:
            client.sendall(b'x')
            assert take(client, 1) == b'x'
        with clients_of(server, 20) as shed:
            began, cpu = time.monotonic(), server.cpu()
            for client in shed:
                assert take_all(client)[0] == b''
            # More come all the time, so that it is never let off.
            while time.monotonic() - began < 1.5:
                with server.connect() as client:
                    time.sleep(0.02)
            took, cpu = time.monotonic() - began, server.cpu() - cpu
            assert cpu < 0.25 * took
        pauses = server.events('accept-pause')
        assert pauses and pauses[0]['errno'] == 'EMFILE' and 'ulimit' in pauses[0]['change']
        for client in served:
            client.sendall(b'y')
            assert take(client, 1) == b'y'  # who was there is served all the time
    until(lambda: _is_served(server), 'it serves again')
    c = server.stop()
    assert c['shed'] >= 20
    assert 1 <= c['accept-pauses'] <= 12 * took + 5


def _is_served(server):
    with server.connect() as client:
        try:
            return exchange(client, b'back')[0] == b'back'
        except (OSError, AssertionError):
            return False


def test_D65_freed_descriptors_are_used_again(serve, io):
    """The limit stays; connections end, others can come."""
    server = serve('ECHO', '--io', io)
    with server.connect() as client:
        exchange(client, b'x')
    server.event('close')
    with descriptors_limited(server, 3):
        for _ in range(3):
            with clients_of(server, 3) as served:
                for client in served:
                    client.sendall(b'x')
                    assert take(client, 1) == b'x'
                with server.connect() as one_more:
                    assert take_all(one_more)[0] == b''
            until(lambda: _is_served(server), 'it serves again')


@needs('strace')
@pytest.mark.parametrize('error', ['ENFILE', 'ENOBUFS', 'ENOMEM', 'EMFILE'])
def test_D66_the_system_has_none_left(serve, io, tmp_path, error):
    """What a test cannot use up is injected: the first accepts fail, then there is plenty again."""
    trace = tmp_path / 'trace'
    server = serve('ECHO', '--io', io, env={**os.environ, 'ASAN_OPTIONS': 'detect_leaks=0'},
                   under=['strace', '-D', '-f', '-o', str(trace), '-e', 'trace=accept4', '-e',
                          f'inject=accept4:error={error}:when=1..5'])
    with server.connect() as client:
        got = b''
        with contextlib.suppress(OSError):
            client.sendall(b'x')
            got = client.recv(1)
    if not got:  # this one was shed
        until(lambda: _is_served(server), 'it serves again')
    assert server.event('accept-pause')['errno'] == error
    c = server.stop()
    assert 1 <= c['accept-pauses'] <= 5
    assert c['accepted'] >= 1


@needs('strace')
@pytest.mark.parametrize('error', ['ECONNABORTED', 'EPROTO', 'EPERM', 'EINTR', 'EHOSTUNREACH'])
def test_D66_a_connection_that_was_gone_is_passed_over(serve, io, tmp_path, error):
    server = serve('ECHO', '--io', io, env={**os.environ, 'ASAN_OPTIONS': 'detect_leaks=0'},
                   under=['strace', '-D', '-f', '-o', str(tmp_path / 'trace'), '-e', 'trace=accept4', '-e',
                          f'inject=accept4:error={error}:when=1..3'])
    with server.connect() as client:
        assert exchange(client, b'x') == (b'x', 'eof')
    c = server.stop()
    assert (c['accept-errors'], c['accepted'], c['accept-pauses']) == (0 if error == 'EINTR' else 3, 1, 0)


# ---- connections -------------------------------------------------------------------------------------------


def test_D68_one_more_than_max_conns_is_refused_with_the_reason(serve, io):
    server = serve('ECHO', '--io', io, '--max-conns', '3')
    with clients_of(server, 3) as served:
        for client in served:
            client.sendall(b'x')
            assert take(client, 1) == b'x'
        for n in (1, 2):
            with server.connect() as refused:
                assert take_all(refused)[0] == b''
                said = server.event('refuse', n)
                assert (said['reason'], said['change']) == ('max-conns', '--max-conns')
                assert said['peer'] == name_of(refused)
        for client in served:
            client.sendall(b'y')
            assert take(client, 1) == b'y'
    until(lambda: len(server.events('close')) >= 3, 'the three are gone')
    with server.connect() as client:
        assert exchange(client, b'z') == (b'z', 'eof')
    assert server.stop()['refused'] == 2


def test_D69_one_address_is_capped_and_the_others_are_not(serve, io):
    server = serve('ECHO', '--io', io, '--max-conns-per-ip', '2')

    def is_served(host):
        with contextlib.closing(server.socket()) as client:
            client.bind((host, 0))
            client.connect(server.address()[1])
            try:
                return exchange(client, b'x')[0] == b'x'
            except (OSError, AssertionError):
                return False

    with clients_of(server, 2) as served:
        for client in served:
            client.sendall(b'x')
            take(client, 1)
        assert not is_served('127.0.0.1')
        said = server.event('refuse')
        assert (said['reason'], said['change']) == ('max-conns-per-ip', '--max-conns-per-ip')
        assert is_served('127.0.0.2')
        assert is_served('127.0.0.3')
    until(lambda: len(server.events('close')) >= 4, 'all are gone')
    assert is_served('127.0.0.1')


@own_network
def test_D70_addresses_of_one_64_count_as_one(io):
    for address in ('2001:db8::1', '2001:db8::2', '2001:db8:0:1::1'):
        subprocess.run(['ip', '-6', 'addr', 'add', f'{address}/64', 'dev', 'lo', 'nodad'], check=True)
    with Server('--listen', 'tcp://[::1]:0,ECHO', '--max-conns-per-ip', '2', '--io', io) as server:
        open_ = []

        def is_served(host):
            client = server.socket()
            client.bind((host, 0))
            client.connect(server.address()[1])
            open_.append(client)
            try:
                client.sendall(b'x')
                return client.recv(1) == b'x'
            except OSError:
                return False

        assert [is_served('2001:db8::1'), is_served('2001:db8::2')] == [True, True]
        assert [is_served('2001:db8::1'), is_served('2001:db8::2')] == [False, False]
        assert [is_served('2001:db8:0:1::1'), is_served('::1')] == [True, True]
        for client in open_:
            client.close()


def test_D69_unix_peers_have_no_address_to_count(serve):
    server = serve('ECHO', '--max-conns-per-ip', '1', via='unix')
    with clients_of(server, 5) as clients:
        for client in clients:
            assert exchange(client, b'x') == (b'x', 'eof')


# ---- memory ------------------------------------------------------------------------------------------------


def test_D73_the_memory_budget_is_used_up_and_everybody_is_served_in_the_end(serve, io):
    """256 KiB for forty frames of 60,000 bytes that come a piece at a time: most have to wait, none for ever."""
    n, size = 40, 60000
    server = serve('ECHO frame=u32be', '--io', io, '--max-held', '256k', '--max-conns', '64')
    frames = [u32be(pattern(size, seed=i)) for i in range(n)]
    with clients_of(server, n) as clients:
        at = [0] * n
        for client in clients:
            client.setblocking(False)
        end = time.monotonic() + GENEROUS
        got = [bytearray() for _ in range(n)]
        while any(len(g) < len(f) for g, f in zip(got, frames)):
            assert time.monotonic() < end, ('a deadlock', [len(g) for g in got], at)
            for i, client in enumerate(clients):
                with contextlib.suppress(BlockingIOError):
                    if at[i] < len(frames[i]):
                        at[i] += client.send(frames[i][at[i]:at[i] + 7001])
                with contextlib.suppress(BlockingIOError):
                    got[i] += client.recv(1 << 20)
            time.sleep(0.001)
        assert got == frames
    assert server.event('memory')
    c = server.stop()
    assert c['memory-waits'] >= 1
    assert c['frames'] == n


def test_D73_who_holds_the_memory_and_stalls_is_ended_and_the_others_go_on(serve, io):
    server = serve('ECHO frame=u32be', '--io', io, '--max-held', '256k', '--max-conns', '64',
                   '--frame-timeout', '300ms')
    with clients_of(server, 8) as stalled:
        for client in stalled:
            client.sendall(struct.pack('>I', 60000) + b'x' * 20000)
        server.event('memory')
        before = server.cpu(), time.monotonic()
        with server.connect() as late:
            late.sendall(u32be(b'I waited'))
            assert take(late, 12) == u32be(b'I waited')
        spent, took = server.cpu() - before[0], time.monotonic() - before[1]
        assert spent < 0.5 * took + 0.1, 'it waited busily'
    c = server.stop()
    assert c['closed-frame-timeout'] >= 3


def test_D73_stalled_readers_hold_the_memory_only_for_so_long(serve, io):
    """They hold a block each until they are reset; another client gets through, at once or when it comes again."""
    server = serve('ECHO rcvbuf=4k sndbuf=4k', '--io', io, '--max-held', '256k', '--max-conns', '64',
                   '--idle-timeout', '250ms')
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            client = stack.enter_context(server.connect(rcvbuf=4096))
            client.setblocking(False)
            until(lambda client=client: _is_full(client), 'it takes no more')
        data = pattern(300000)

        def is_served():
            with server.connect() as late:
                try:
                    return exchange(late, data) == (data, 'eof')
                except (OSError, AssertionError):
                    return False

        until(is_served, 'another client is served')
    assert server.stop()['closed-stalled'] >= 2


def _is_full(client):
    """Sends a little less than the server holds of one, and tells whether it did not take all of it."""
    try:
        return client.send(b'x' * 60000) < 60000
    except (BlockingIOError, ConnectionResetError):  # the first may have had their time already
        return True


def test_D75_no_memory_at_start_is_said(tmp_path):
    """An address space too small for what is asked; a sanitizer's own needs are larger, so it is told to fail."""
    version = subprocess.run([BIN, '--version'], capture_output=True, text=True, check=True).stdout
    argv = [BIN, 'serve', '--listen', f'unix:{tmp_path}/s', '--max-conns', '100000', '--max-held', '8192M']
    if 'address' in version:
        result = subprocess.run(argv, capture_output=True, text=True, check=False, env={
            **os.environ, 'ASAN_OPTIONS': 'allocator_may_return_null=1:max_allocation_size_mb=100'})
    else:
        result = subprocess.run(['prlimit', f'--as={1 << 30}', *argv], capture_output=True, text=True, check=False)
    assert result.returncode == 71, result.stderr
    line = [line for line in result.stderr.splitlines() if line.startswith('streambed serve:')][-1]
    assert re.search(r'no memory: \d+ bytes.*--max-conns.*--max-held', line)
    assert not os.path.exists(tmp_path / 's')


# ---- the log's reader --------------------------------------------------------------------------------------


def test_D78_a_log_that_nobody_reads_blocks_nothing(serve, io):
    """The pipe and the server's own room for lines are full long before the end."""
    reader, writer = os.pipe()
    server = serve('ECHO recv=1', '--io', io, '--log-level', 'debug', stderr=writer)
    os.close(writer)
    with server.connect() as client:
        data = pattern(3000)
        for _ in range(3):
            client.sendall(data)
            assert take(client, len(data)) == data
            time.sleep(0.4)
    for _ in range(200):
        with server.connect() as client:
            assert exchange(client, b'x') == (b'x', 'eof')
    server.tell(signal.SIGTERM)
    assert server.wait() == 0
    # What could be said is whole lines.
    with os.fdopen(reader, 'rb') as f:
        lines = f.read().split(b'\n')
    assert len(lines) > 100
    assert all(line.startswith(b'{"v":1,"t":') and line.endswith(b'}') for line in lines[:-1])


def test_D78_a_slow_reader_learns_how_much_it_missed(serve, io):
    reader, writer = os.pipe()
    server = serve('ECHO', '--io', io, '--log-level', 'debug', stderr=writer)
    os.close(writer)
    seen = b''
    for _ in range(8):  # a second's worth of lines is limited; what does not fit is another thing
        with server.connect() as client:
            for _ in range(400):
                client.sendall(b'x')
                assert take(client, 1) == b'x'
        time.sleep(0.2)
    os.set_blocking(reader, False)
    end = time.monotonic() + GENEROUS
    while b'"event":"suppressed","of":"all"' not in seen and time.monotonic() < end:
        with contextlib.suppress(BlockingIOError):
            seen += os.read(reader, 1 << 20)
        time.sleep(0.05)
        with server.connect() as client:
            exchange(client, b'x')
    os.close(reader)
    assert b'"event":"suppressed","of":"all"' in seen
    server.tell(signal.SIGTERM)
    assert server.wait() == 0


def test_D78_a_log_whose_reader_is_gone_is_no_signal(serve, io):
    reader, writer = os.pipe()
    server = serve('ECHO', '--io', io, stderr=writer)
    os.close(writer)
    os.close(reader)
    for _ in range(20):
        with server.connect() as client:
            assert exchange(client, b'x') == (b'x', 'eof')
    server.tell(signal.SIGTERM)
    assert server.wait() == 0


@pytest.mark.parametrize('closed', ['2>&-', '0<&-', '0<&- 2>&-'])
def test_D78_started_with_a_standard_descriptor_closed(serve, io, closed):
    """The first socket would get its number, and the log would go to a client."""
    server = serve('ECHO', '--io', io, '--log-level', 'debug', stderr=subprocess.DEVNULL,
                   under=['sh', '-c', f'exec "$@" {closed}', 'sh'])
    for _ in range(5):
        with server.connect() as client:
            assert exchange(client, b'nothing else') == (b'nothing else', 'eof')
    server.tell(signal.SIGTERM)
    assert server.wait() == 0


def test_M_a_flood_of_events_is_limited_and_counted(serve, io):
    """One event a line, at most so many a second of a kind, and how many were left out is said."""
    server = serve('ECHO', '--io', io, '--max-conns', '1')
    with server.connect() as one:
        one.sendall(b'x')
        take(one, 1)
        for _ in range(100):
            with server.connect() as refused:
                take_all(refused)
    c = server.stop()  # within the second, most likely, and nothing is forgotten
    said, left_out = len(server.events('refuse')), sum(e['lines'] for e in server.events('suppressed', of='refuse'))
    assert c['refused'] == 100 == said + left_out
    assert said < 100


def test_G_a_busy_connection_does_not_starve_the_others(serve, io):
    """One floods, another asks a hundred small questions, each answered."""
    server = serve('ECHO', '--io', io)
    with server.connect() as busy, server.connect() as quiet:
        fill(busy)
        for i in range(100):
            with contextlib.suppress(BlockingIOError):
                busy.setblocking(False)
                busy.recv(1 << 20)
                busy.send(b'x' * 65536)
            quiet.sendall(b'%03d' % i)
            assert take(quiet, 3) == b'%03d' % i


def test_G_many_idle_connections_cost_no_time(serve, io):
    server = serve('ECHO', '--io', io)
    with clients_of(server, 200) as clients:
        clients[-1].sendall(b'x')
        take(clients[-1], 1)
        before = server.cpu()
        time.sleep(1)
        assert server.cpu() - before < 0.3


@needs('strace')
@pytest.mark.parametrize('call, error', [('recvfrom', 'EINTR'), ('sendto', 'EINTR'), ('recvfrom', 'EAGAIN'),
                                         ('sendto', 'EAGAIN'), ('epoll_wait', 'EINTR'), ('ppoll', 'EINTR')])
def test_G113_an_interrupted_call_is_made_again(serve, io, tmp_path, call, error):
    if (call, io) in (('epoll_wait', 'poll'), ('ppoll', 'epoll')):
        pytest.skip('the other backend makes this call')
    if error == 'EAGAIN' and io == 'epoll':
        pytest.skip('on an edge EAGAIN is a promise of the kernel to report again: injected, it is a lie')
    server = serve('ECHO frame=line', '--io', io, env={**os.environ, 'ASAN_OPTIONS': 'detect_leaks=0'},
                   under=['strace', '-D', '-f', '-o', str(tmp_path / 'trace'), '-e', f'trace={call}', '-e',
                          f'inject={call}:error={error}:when=2+3'])
    with server.connect() as client:
        for i in range(20):
            client.sendall(b'%d\n' % i)
            assert take(client, len(b'%d\n' % i)) == b'%d\n' % i
        finish(client)
        assert take_all(client) == (b'', 'eof')
    c = server.stop()
    # The log is sent too, and its last line may be what is refused.
    assert not c or (c['frames'], c['closed-eof']) == (20, 1)


def test_D_a_limit_of_descriptors_that_is_too_low_is_said(serve):
    server = serve('ECHO', '--max-conns', '500', under=['prlimit', '--nofile=100:100'])
    until(lambda: '--max-conns 500' in server.text, 'it says so')
    assert 'only 100 descriptors' in server.text


def test_D_the_limit_of_descriptors_is_raised(serve):
    server = serve('ECHO', under=['prlimit', '--nofile=50:400'])
    with clients_of(server, 120) as clients:
        for client in clients:
            client.sendall(b'x')
            assert take(client, 1) == b'x'
