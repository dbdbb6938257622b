# SPDX-License-Identifier: MIT
"""Faults, group C: how connections begin and end."""
import contextlib
import os
import signal
import socket
import subprocess
import time

import pytest

from harness import (FULL, Server, exchange, finish, long_test, name_of, own_network, pattern, reset, spoof_syn,
                     take, take_all, u32be, until)


def test_C46_fin_at_once_is_eof(serve, io, via):
    server = serve('ECHO', '--io', io, via=via)
    for _ in range(20):
        with server.connect() as client:
            finish(client)
            assert take_all(client) == (b'', 'eof')
    assert server.stop()['closed-eof'] == 20


def test_C47_rst_before_accept_loses_no_address(serve, io):
    """m1: accept succeeds, getpeername does not. The log has what accept said."""
    server = serve('ECHO', '--io', io)
    server.tell(signal.SIGSTOP)
    client = server.connect()
    name = name_of(client)
    reset(client)
    server.tell(signal.SIGCONT)
    close = server.event('close', peer=name)
    assert (close['reason'], close['errno'], close['in']) == ('reset', 'ECONNRESET', 0)
    assert server.event('open', peer=name)['conn'] == close['conn']
    with server.connect() as other:
        assert exchange(other, b'fine') == (b'fine', 'eof')


def test_C47_data_and_rst_before_accept(serve, io):
    server = serve('ECHO', '--io', io)
    server.tell(signal.SIGSTOP)
    client = server.connect()
    name = name_of(client)
    client.sendall(b'x' * 10000)
    reset(client)
    server.tell(signal.SIGCONT)
    assert server.event('close', peer=name)['reason'] == 'reset'


@pytest.mark.parametrize('size', [1, 5000, 4 << 20])
def test_C48_half_close_then_the_full_reply(serve, io, via, size):
    """The client has said its end long before it reads: it still gets every byte, then our end."""
    server = serve('ECHO', '--io', io, via=via)
    data = pattern(size)
    with server.connect() as client:
        assert exchange(client, data) == (data, 'eof')


def test_C48_half_close_and_a_source(serve, io):
    """A client that only listens: `nc host port </dev/null` with -N. SOURCE goes on to its end."""
    server = serve('SOURCE count=2000 len=1k pattern=ab', '--io', io)
    with server.connect() as client:
        finish(client)
        got, how = take_all(client)
        assert (got, how) == (b'ab' * 512 * 2000, 'eof')
        assert server.close_of(client)['reason'] == 'done'


def test_C49_half_close_inside_a_frame_is_truncated(serve, io, via):
    server = serve('ECHO frame=u32be', '--io', io, via=via)
    with server.connect() as client:
        client.sendall(u32be(b'whole') + b'\0\0\0\5par')
        finish(client)
        assert take_all(client) == (u32be(b'whole'), 'eof')
        close = server.close_of(n=1)
        assert (close['reason'], close['frames'], close['dropped']) == ('truncated', 1, 7)


@pytest.mark.parametrize('line', ['SOURCE count=10000 len=64k', 'CHARGEN', 'ECHO'])
def test_C50_rst_inside_a_reply(serve, io, line):
    """m2: a send to who is gone is an error, not a signal that ends the server."""
    server = serve(line, '--io', io)
    for _ in range(5):
        client = server.connect()
        name = name_of(client)
        if line == 'ECHO':
            client.sendall(pattern(300000))
        take(client, 70000)
        reset(client)
        close = server.event('close', peer=name)
        assert close['reason'] == 'reset'
        assert close['errno'] in ('ECONNRESET', 'EPIPE')
    assert server.stop()['closed-reset'] == 5


def test_C50_a_client_that_closes_while_a_source_sends(serve, io, via):
    server = serve('CHARGEN', '--io', io, via=via)
    for n in range(1, 6):
        with server.connect() as client:
            take(client, 100000)
        close = server.close_of(n=n)
        assert close['reason'] == 'reset'


REPLY = 3_280_000


def test_C51_clean_with_unread_input_gives_everything(serve, io):
    """m17: close() with unread bytes would lose nearly all of it."""
    server = serve(f'SOURCE len=1000 count={REPLY // 1000} close=clean pattern=0123456789 stopread=500ms', '--io', io)
    with server.connect() as client:
        client.sendall(b'0123456789')
        got, how = take_all(client)
        assert (got, how) == (b'0123456789' * (REPLY // 10), 'eof')
        finish(client)
        close = server.close_of(client)
        assert (close['reason'], close['how'], close['out']) == ('done', 'close', REPLY)


def test_C51_clean_after_a_bad_frame_gives_what_was_answered(serve, io):
    """The client goes on sending after the frame that broke the stream. Its answers still arrive, all of them."""
    server = serve('ECHO frame=u32be', '--io', io)
    good = u32be(pattern(50000)) * 20
    with server.connect() as client:
        got, how = exchange(client, good + b'\xff\xff\xff\xff' + b'x' * 500000)
        assert (got == good, how) == (True, 'eof')
        close = server.close_of(client)
        assert (close['reason'], close['frames']) == ('too-large', 20)
        assert close['dropped'] == 500004


def test_C52_rst_leaves_what_was_delivered_readable(serve, io):
    """m4: a reset takes nothing out of the receiver's queue."""
    server = serve('SOURCE len=1000 count=20 pattern=zero close=rst', '--io', io)
    with server.connect_first() as client:
        close = server.close_of(client)
        assert (close['how'], close['out']) == ('rst', 20000)
        assert take_all(client) == (bytes(20000), 'reset')


def test_C52_rst_after_an_echo(serve, io):
    server = serve('ECHO frame=u32be close=rst', '--io', io)
    with server.connect() as client:
        client.sendall(u32be(b'answered') + b'\xff\xff\xff\xff')
        assert take_all(client) == (u32be(b'answered'), 'reset')
        assert server.close_of(client)['how'] == 'rst'


def test_C52_rst_loses_what_the_sender_still_held(serve, io):
    """m4, the other half: bytes that the receiver's window had no room for are gone."""
    server = serve('SOURCE len=1000 count=1000 pattern=zero close=rst sndbuf=4M', '--io', io)
    with server.connect_first(rcvbuf=4096) as client:
        close = server.close_of(client)
        assert close['out'] == 1000000
        got, how = take_all(client)
        assert how == 'reset'
        assert len(got) < 1000000


def test_C52_a_unix_socket_has_no_reset(serve, io):
    server = serve('SOURCE len=1000 count=20 pattern=zero close=rst', '--io', io, via='unix')
    with server.connect() as client:
        assert take_all(client)[0] == bytes(20000)


@pytest.mark.parametrize('unread, how', [(b'', 'eof'), (b'unread', 'reset')])
def test_C52_abrupt_is_close_at_once(serve, io, unread, how):
    """close() with nothing unread sends FIN; with unread bytes the kernel resets."""
    server = serve('SOURCE len=1000 count=1 pattern=zero close=abrupt stopread=5s', '--io', io)
    server.tell(signal.SIGSTOP)
    with server.connect() as client:
        client.sendall(unread)
        server.tell(signal.SIGCONT)
        server.close_of(client)
        assert take_all(client) == (bytes(1000), how)


def test_C53_who_never_closes_after_our_fin_is_reset(serve, io):
    server = serve('SOURCE len=10 count=1 pattern=zero', '--io', io, '--drain-idle-timeout', '300ms')
    with server.connect() as client:
        assert take_all(client) == (bytes(10), 'eof')
        close = server.close_of(client)
        assert (close['reason'], close['how']) == ('done', 'rst')
        with pytest.raises(OSError):
            for _ in range(100):
                client.send(b'x')
                time.sleep(0.01)


def test_C53_draining_ends_even_if_the_peer_keeps_sending(serve, io):
    """Never idle for long, and still over after --drain-timeout."""
    server = serve('SOURCE len=10 count=1 pattern=zero', '--io', io, '--drain-idle-timeout', '10s',
                   '--drain-timeout', '500ms')
    with server.connect() as client:
        with pytest.raises(OSError):
            while True:
                client.send(b'x')
                time.sleep(0.02)
        assert server.close_of(client)['how'] == 'rst'


def test_C54_draining_takes_so_many_bytes_and_no_more(serve, io):
    server = serve('SOURCE len=10 count=1 pattern=zero', '--io', io, '--drain-bytes', '100k')
    with server.connect() as client:
        with pytest.raises(OSError):
            while True:
                client.send(b'x' * 65536)
        close = server.close_of(client)
        assert (close['reason'], close['how']) == ('done', 'rst')
        assert 100 * 1024 < close['dropped'] <= 100 * 1024 + 65536


def test_C54_within_the_bound_draining_is_clean(serve, io):
    server = serve('SOURCE len=10 count=1 pattern=zero', '--io', io, '--drain-bytes', '100k')
    with server.connect() as client:
        client.sendall(b'x' * 50000)
        finish(client)
        assert take_all(client) == (bytes(10), 'eof')
        close = server.close_of(client)
        assert (close['how'], close['dropped']) == ('close', 50000)


def test_C55_both_close_at_once(serve, io):
    server = serve('SOURCE len=10 count=1 pattern=zero', '--io', io)
    before = None
    for i in range(200):
        with server.connect() as client:
            finish(client)
            assert take_all(client) == (bytes(10), 'eof')
        if i == 0:
            server.close_of()
            before = server.descriptors()
    until(lambda: server.descriptors() <= before, 'all descriptors are closed')
    assert server.stop()['closed-done'] == 200


def churn(serve, io, cycles):
    server = serve('ECHO', '--io', io, '--log-level', 'notice')

    def cycle(n):
        for i in range(n):
            with server.connect() as client:
                if i % 4 == 0:
                    client.sendall(b'x')
                    assert take(client, 1) == b'x'
                elif i % 4 == 1:
                    reset(client)

    cycle(cycles // 2)  # so that what is taken once is taken; the sanitizer's own stacks are, one after the other
    until(lambda: server.descriptors() < 20, 'descriptors are closed')
    descriptors, resident = server.descriptors(), server.resident()
    cycle(cycles)
    until(lambda: server.descriptors() <= descriptors, 'descriptors are closed')
    assert server.resident() - resident < 4 << 20
    with server.connect() as last:  # who came before it has been accepted before it
        assert exchange(last, b'x') == (b'x', 'eof')
    assert server.stop()['accepted'] == cycles + cycles // 2 + 1


def test_C58_connect_and_close_leaves_nothing(serve, io):
    churn(serve, io, 1000)


@long_test
def test_C58_ten_thousand_times(serve, io):
    churn(serve, io, 10000)


def test_C58_many_at_once(serve, io, via):
    n = 1000 if FULL else 300
    server = serve('ECHO frame=line', '--io', io, via=via)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(n)]
        for round_ in range(3):
            for i, client in enumerate(clients):
                client.sendall(b'%d %d\n' % (round_, i))
            for i, client in enumerate(clients):
                want = b'%d %d\n' % (round_, i)
                assert take(client, len(want)) == want
    c = server.stop()
    assert (c['accepted'], c['frames']) == (n, 3 * n)


def test_C61_a_fast_open_client_is_served(serve, io):
    """Fast Open is denied to the listener: its client's first bytes come after the handshake, and all is as ever."""
    server = serve('ECHO', '--io', io)
    with server.socket() as client:
        if not hasattr(socket, 'MSG_FASTOPEN'):
            pytest.skip('no MSG_FASTOPEN')
        client.settimeout(None)  # with one Python connects without waiting
        client.sendto(b'early bytes', socket.MSG_FASTOPEN, server.address()[1])
        finish(client)
        assert take_all(client) == (b'early bytes', 'eof')


@own_network
def test_C57_half_open_connections_leave_accepting_as_it_is(io):
    """A flood of SYNs is the kernel's: nothing of it is counted, and who completes a connection is served."""
    subprocess.run(['ip', 'route', 'add', '10.9.0.0/16', 'dev', 'lo'], check=True)  # and there is nobody
    for where in ('all', 'lo'):
        with open(f'/proc/sys/net/ipv4/conf/{where}/rp_filter', 'w') as setting:
            setting.write('0')
    with Server('--listen', 'tcp://127.0.0.1:0,ECHO backlog=16', '--io', io) as server:
        for i in range(2000):
            spoof_syn((f'10.9.{i // 250 + 1}.{i % 250 + 1}', 1024 + i), ('127.0.0.1', server.port()))
        waiting = subprocess.run(['ss', '-Htan', 'state', 'syn-recv'], capture_output=True, text=True, check=True)
        assert waiting.stdout.count('10.9.') >= 8
        for _ in range(20):
            with server.connect() as client:
                assert exchange(client, b'fine') == (b'fine', 'eof')
        c = server.stop()
    assert (c['accepted'], c['accept-errors'], c['accept-pauses']) == (20, 0, 0)


@own_network
def test_C59_who_is_cut_off_in_silence_is_found_by_keepalive_and_by_user_timeout(io):
    """Nothing comes any more, not even a reset: the kernel's own timers end it, and the log says so."""
    keep = 'opt.SO_KEEPALIVE=1 opt.TCP_KEEPIDLE=1 opt.TCP_KEEPINTVL=1 opt.TCP_KEEPCNT=2'
    with Server('--listen', f'tcp://127.0.0.1:0,ECHO {keep}', '--listen',
                'tcp://127.0.0.1:0,CHARGEN frag=10 gap=10ms gate=time opt.TCP_USER_TIMEOUT=1500', '--io', io) as server:
        clients = [server.connect(0), server.connect(1)]
        assert clients[1].recv(1)
        server.event('open', 2)
        subprocess.run(['ip', 'link', 'set', 'lo', 'down'], check=True)
        for n in (1, 2):
            close = server.event('close', n)
            assert (close['reason'], close.get('errno')) == ('io-error', 'ETIMEDOUT')
        for client in clients:
            client.close()


def test_C62_addresses_are_logged_as_they_are(serve, io):
    server = serve('ECHO', '--io', io, via='ipv6')
    with server.connect() as client:
        assert name_of(client).startswith('[::1]:')
        assert server.event('open')['peer'] == name_of(client)


@own_network
def test_C62_m11_a_mapped_peer_is_the_ipv4_address_that_it_is(io):
    """In the log, and where who may connect is decided: by its IPv4 range, and not by ::/0."""
    subprocess.run(['ip', 'addr', 'add', '192.0.2.1/24', 'dev', 'lo'], check=True)
    with Server('--listen', 'tcp://[::]:0,ECHO opt.IPV6_V6ONLY=0', '--allow', '192.0.2.0/30', '--io', io) as server:
        for source, answer in (('192.0.2.1', b'fine'), ('192.0.2.77', b'')):
            subprocess.run(['ip', 'addr', 'replace', f'{source}/24', 'dev', 'lo'], check=True)
            with socket.socket() as client:
                client.settimeout(60)
                client.bind((source, 0))
                client.connect(('192.0.2.1', server.port()))
                with contextlib.suppress(OSError):
                    client.sendall(b'fine')
                    finish(client)
                assert take_all(client)[0] == answer
                event = server.event('open' if answer else 'refuse', peer=name_of(client))
                assert answer or (event['reason'], event['change']) == ('not-allowed', '--allow')


@own_network
def test_C62_a_link_local_address_has_its_scope(io):
    if subprocess.run(['ip', '-6', 'addr', 'add', 'fe80::1/64', 'dev', 'lo', 'nodad'], check=False).returncode:
        pytest.skip('no link-local address to be had')
    scope = socket.if_nametoindex('lo')
    with Server('--listen', f'tcp://[fe80::1%{scope}]:0,ECHO', '--allow', 'fe80::/10', '--io', io) as server:
        assert server.listening[0][0].startswith(f'tcp://[fe80::1%{scope}]:')
        with socket.socket(socket.AF_INET6) as client:
            client.settimeout(60)
            client.connect(('fe80::1', server.port(), 0, scope))
            client.sendall(b'fine')
            finish(client)
            assert take_all(client) == (b'fine', 'eof')
            assert server.event('open')['peer'] == f'[fe80::1%{scope}]:{client.getsockname()[1]}'


def test_C63_a_unix_peer_without_an_address_is_unix(serve, io):
    server = serve('ECHO', '--io', io, via='unix')
    with server.connect() as client:
        assert exchange(client, b'x') == (b'x', 'eof')
        assert server.event('open')['peer'] == 'unix:'
        assert server.event('close')['peer'] == 'unix:'


def test_C63_a_unix_peer_with_a_name_cannot_forge_the_log(serve, io, tmp_path):
    server = serve('ECHO', '--io', io, via='unix', log='text')
    with server.socket() as client:
        client.bind(os.fspath(tmp_path / 'x\n0.000000 close conn=99 \x1b[2J'))
        client.connect(server.address()[1])
        assert exchange(client, b'x') == (b'x', 'eof')
        assert server.event('close')['conn'] == 1
    server.stop()
    assert '\x1b' not in server.text
    assert 'conn=99' not in server.text.replace('\\n0.000000 close conn=99', '')


# ---- urgent data -------------------------------------------------------------------------------------------


def test_m5_an_urgent_byte_is_dropped_and_the_rest_echoed(serve, io):
    server = serve('ECHO', '--io', io)
    with server.connect() as client:
        client.sendall(b'ab')
        client.send(b'!', socket.MSG_OOB)
        client.sendall(b'cd')
        finish(client)
        assert take_all(client) == (b'abcd', 'eof')


def test_m5_many_urgent_bytes_lose_no_other(serve, io):
    """Each ends a read early: a reader that takes a short read for an empty queue would wait for ever."""
    server = serve('ECHO', '--io', io)
    with server.connect() as client:
        for i in range(100):
            client.sendall(b'%02d' % i)
            client.send(b'!', socket.MSG_OOB)
        client.sendall(b'end')
        finish(client)
        got, how = take_all(client)
        # An urgent byte that the next one overtook is an ordinary one: only the last is out of band.
        assert (got.replace(b'!', b''), how) == (b''.join(b'%02d' % i for i in range(100)) + b'end', 'eof')


def test_m5_an_urgent_byte_alone_burns_no_time(serve, io):
    """It stays unread, and is reported: nothing is to be done about it."""
    server = serve('ECHO', '--io', io)
    with server.connect() as client:
        client.sendall(b'ab')
        client.send(b'!', socket.MSG_OOB)
        assert take(client, 2) == b'ab'
        before = server.cpu()
        time.sleep(1)
        assert server.cpu() - before < 0.4
        client.sendall(b'cd')
        assert take(client, 2) == b'cd'


def test_m5_an_urgent_byte_in_line_is_echoed(serve, io):
    server = serve('ECHO opt.SO_OOBINLINE=1', '--io', io)
    with server.connect() as client:
        client.sendall(b'ab')
        client.send(b'!', socket.MSG_OOB)
        client.sendall(b'cd')
        finish(client)
        assert take_all(client) == (b'ab!cd', 'eof')


# ---- services ----------------------------------------------------------------------------------------------


def test_discard_reads_everything_and_says_nothing(serve, io, via):
    server = serve('DISCARD', '--io', io, via=via)
    with server.connect() as client:
        assert exchange(client, pattern(3 << 20)) == (b'', 'eof')
        close = server.close_of(n=1)
        assert (close['reason'], close['in'], close['out']) == ('eof', 3 << 20, 0)


def test_chargen_sends_its_lines_until_the_peer_closes(serve, io, via):
    """RFC 864: 72 characters of the ring, each line one further."""
    server = serve('CHARGEN', '--io', io, via=via)
    ring = ''.join(chr(c) for c in range(32, 127))
    with server.connect() as client:
        lines = take(client, 74 * 200).decode().split('\r\n')
        for i, line in enumerate(lines[:200]):
            assert line == ((ring * 3)[i % 95:])[:72]
    assert server.close_of(n=1)['out'] >= 74 * 200


@pytest.mark.parametrize('keys, want', [
    ('', ''.join(chr(32 + i % 95) for i in range(1024)).encode()),
    ('len=10 count=3 pattern=zero', bytes(30)),
    ('len=5 count=3 pattern=abc frame=u16be', b'\0\5abcab' * 3),
    ('len=3 count=2 pattern=hey frame=netstring', b'3:hey,' * 2),
    ('len=0 count=4 frame=line', b'\n' * 4),
    ('len=2 count=2 pattern=\\x00\\s frame=crlf', b'\0 \r\n' * 2),
])
def test_source_sends_what_its_line_says(serve, io, keys, want):
    server = serve(f'SOURCE {keys}'.strip(), '--io', io)
    with server.connect() as client:
        assert take_all(client) == (want, 'eof')
        finish(client)
        assert server.close_of(client)['reason'] == 'done'


def test_source_random_is_its_seed(serve):
    server = serve('SOURCE len=1000 count=50 pattern=random seed=42', log='json')
    with server.connect() as one, server.connect() as two:
        first, second = take_all(one)[0], take_all(two)[0]
    assert first == second
    assert len(set(first)) == 256
    other = serve('SOURCE len=1000 count=50 pattern=random')
    seed = other.event('listening')['seed']
    again = serve(f'SOURCE len=1000 count=50 pattern=random seed={seed}')
    with other.connect() as one, again.connect() as two:
        assert take_all(one) == take_all(two)


def test_source_sends_a_file(serve, io, tmp_path):
    data = pattern(500000)
    (tmp_path / 'files').mkdir()
    (tmp_path / 'files' / 'some.bin').write_bytes(data)
    server = serve('SOURCE file=some.bin count=2', '--files', str(tmp_path / 'files'), '--io', io)
    with server.connect() as client:
        assert take_all(client) == (data * 2, 'eof')


def test_source_to_many_that_read_at_their_own_pace(serve, io):
    """One that does not read holds nobody up; each gets every byte."""
    server = serve('SOURCE len=1000 count=3000 pattern=0123456789', '--io', io)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(10)]
        for client in reversed(clients):
            assert take_all(client) == (b'0123456789' * 300000, 'eof')


# ---- conns= and backlog= -----------------------------------------------------------------------------------


def test_conns_closes_the_listener_and_ends_when_nothing_is_left(serve, io, via):
    server = serve('ECHO conns=3', '--io', io, via=via)
    clients = [server.connect() for _ in range(3)]
    server.event('not-listening')
    with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
        server.connect()
    for client in clients:
        assert exchange(client, b'still served') == (b'still served', 'eof')
        assert server.process.poll() is None or client is clients[-1]
        client.close()
    assert server.wait() == 0
    assert server.stop()['accepted'] == 3


def test_conns_leaves_the_other_listeners(serve, endpoint):
    server = serve(None, '--listen', endpoint('ipv4') + ',ECHO conns=1', '--listen', endpoint('ipv4') + ',ECHO')
    with server.connect(0) as client:
        assert exchange(client, b'x') == (b'x', 'eof')
    server.event('not-listening', listener=1)
    for _ in range(3):
        with server.connect(1) as client:
            assert exchange(client, b'y') == (b'y', 'eof')
    assert server.process.poll() is None


def test_conns_counts_connections_and_not_refusals(serve):
    server = serve('ECHO conns=2', '--max-conns', '1')
    with server.connect() as one:
        one.sendall(b'x')
        take(one, 1)
        with server.connect() as refused:
            assert take_all(refused)[0] == b''
    server.event('close')
    with server.connect() as two:
        assert exchange(two, b'y') == (b'y', 'eof')
    assert server.wait() == 0
    c = server.stop()
    assert (c['accepted'], c['refused']) == (2, 1)


@pytest.mark.parametrize('backlog', [0, 2])
def test_m13_a_backlog_of_so_many_may_wait_for_accept(serve, backlog):
    """The server sleeps: backlog + 1 connects complete, the next one hangs, and is served once it is awake."""
    server = serve(f'ECHO backlog={backlog}')
    server.tell(signal.SIGSTOP)
    clients = []
    try:
        for _ in range(backlog + 1):
            clients.append(server.connect())
        late = server.socket()
        clients.append(late)
        late.settimeout(0.5)
        with pytest.raises(TimeoutError):
            late.connect(server.address()[1])
    finally:
        server.tell(signal.SIGCONT)
    for client in clients[:-1]:
        assert exchange(client, b'x') == (b'x', 'eof')
    for client in clients:
        client.close()
