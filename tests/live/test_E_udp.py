# SPDX-License-Identifier: MIT
"""Faults, group E: datagrams. Sources that cannot be had honestly are spoofed on the loopback, as root."""
import contextlib
import socket
import subprocess
import time

import pytest

from harness import (Server, is_quiet, name_of, needs_root, own_network, pattern, refuses, spoof, until)


def ask(sock, data):
    sock.send(data)
    return sock.recv(70000)


def alive(server, i=0):
    """That the server has looked at everything before this: it answers an honest datagram."""
    with server.connect(i) as client:
        assert ask(client, b'4:here,') == b'4:here,'


def bound_to(host, ports):
    for port in ports:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind((host, port))
        except OSError:
            sock.close()
            continue
        sock.settimeout(60)
        return sock
    return pytest.skip('all of these ports are taken')


@pytest.mark.parametrize('via', ['udp', 'udp6'])
def test_E81_m12_an_empty_datagram_is_echoed_and_no_end(serve, io, via):
    server = serve('ECHO', '--io', io, via=via)
    with server.connect() as client:
        for _ in range(3):
            assert ask(client, b'') == b''
        assert ask(client, b'not the end') == b'not the end'
    c = server.stop()
    assert (c['datagrams-in'], c['datagrams-out'], c['bytes-in']) == (4, 4, 11)


@pytest.mark.parametrize('size', [1, 1472, 9000, 65507])
def test_E82_m12_as_large_as_a_datagram_can_be(serve, io, size):
    server = serve('ECHO', '--io', io, via='udp')
    data = pattern(size)
    with server.connect() as client:
        assert ask(client, data) == data
        with pytest.raises(OSError):
            client.send(bytes(65508))


def test_E82_ten_sends_are_ten_recvs(serve, io):
    """Datagrams keep their boundaries: ten of 100, never one of 1000."""
    server = serve('ECHO', '--io', io, '--log-level', 'debug', via='udp')
    with server.connect() as client:
        message = b'Hello World!' + bytes(88)
        for _ in range(10):
            client.send(message)
        for _ in range(10):
            assert client.recv(1000) == message
    server.stop()
    assert [e['bytes'] for e in server.events('recv')] == [100] * 10


@needs_root
def test_E83_source_port_0_is_dropped(serve, io):
    server = serve('ECHO', '--io', io, via='udp')
    spoof(('127.0.0.1', 0), ('127.0.0.1', server.port()), b'x')
    alive(server)
    c = server.stop()
    assert (c['dropped-port-zero'], c['datagrams-out']) == (1, 1)
    assert server.events('drop', reason='port-zero')


@needs_root
def test_E84_a_source_port_below_1024_is_dropped(serve, io):
    server = serve('ECHO', '--io', io, via='udp')
    with bound_to('127.0.0.1', range(1023, 600, -1)) as client:
        client.connect(server.address()[1])
        client.send(b'x')
        alive(server)
        assert is_quiet(client)
        said = server.event('drop')
        assert (said['reason'], said['peer'], said['bytes']) == ('port-low', name_of(client), 1)
    with bound_to('127.0.0.1', range(1024, 1100)) as client:
        client.connect(server.address()[1])
        assert ask(client, b'x') == b'x'
    assert server.stop()['dropped-port-low'] == 1


@needs_root
def test_E85_a_source_port_of_our_own_is_a_loop(serve, io, endpoint):
    """m18: one datagram would go to and fro for ever."""
    server = serve(None, '--listen', endpoint('udp') + ',ECHO', '--listen', endpoint('udp') + ',ECHO', '--io', io)
    one, two = ('127.0.0.1', server.port(0)), ('127.0.0.1', server.port(1))
    for source, target in ((one, two), (two, one), (one, one)):
        spoof(source, target, b'x')
    alive(server)
    c = server.stop()
    assert (c['dropped-loop'], c['datagrams-in'], c['datagrams-out']) == (3, 4, 1)


REFLECTORS = [1900, 2049, 3702, 5353, 5683, 11211, 27015]


@needs_root
@pytest.mark.parametrize('port', REFLECTORS)
def test_E86_known_reflectors_are_dropped_in_the_strict_profile(serve, port):
    server = serve(None, '--listen', 'udp://0.0.0.0:0,ECHO', '--allow', '192.0.2.0/24')
    spoof(('127.0.0.1', port), ('127.0.0.1', server.port()), b'x')
    alive(server)
    c = server.stop()
    assert (c['dropped-reflector'], c['datagrams-out']) == (1, 1)


@own_network
def test_E86_on_the_loopback_a_test_may_use_any_port(io):
    with Server('--listen', 'udp://127.0.0.1:0,ECHO', '--io', io) as server:
        with bound_to('127.0.0.1', REFLECTORS) as client:
            client.connect(server.address()[1])
            assert ask(client, b'x') == b'x'


@own_network
def test_E87_a_loopback_source_at_another_address_is_dropped(io):
    subprocess.run(['ip', 'addr', 'add', '192.0.2.1/24', 'dev', 'lo'], check=True)
    for on in ('192.0.2.1', '0.0.0.0'):
        with Server('--listen', f'udp://{on}:0,ECHO', '--allow', '192.0.2.0/24', '--io', io) as server:
            to = ('192.0.2.1', server.port())
            with bound_to('127.0.0.1', [0]) as bad, bound_to('192.0.2.1', [0]) as good:
                bad.sendto(b'x', to)
                good.sendto(b'y', to)
                assert good.recvfrom(10) == (b'y', to)
                assert is_quiet(bad)
                assert server.event('drop')['reason'] == 'loopback'


@own_network
def test_E88_a_datagram_to_many_is_dropped(io):
    """Multicast that somebody else on the machine has joined comes to a socket on 0.0.0.0 as well."""
    subprocess.run(['ip', 'addr', 'add', '192.0.2.1/24', 'dev', 'lo'], check=True)
    group = socket.inet_aton('239.1.2.3') + socket.inet_aton('192.0.2.1')
    with Server('--listen', 'udp://0.0.0.0:0,ECHO', '--allow', '192.0.2.0/24', '--io', io) as server:
        with bound_to('192.0.2.1', [0]) as client, bound_to('0.0.0.0', [0]) as member:
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
            client.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton('192.0.2.1'))
            client.sendto(b'x', ('239.1.2.3', server.port()))
            client.sendto(b'y', ('192.0.2.1', server.port()))
            assert client.recvfrom(10) == (b'y', ('192.0.2.1', server.port()))
            assert is_quiet(client)
            assert server.event('drop')['reason'] == 'target'


@own_network
@pytest.mark.parametrize('target', ['192.0.2.255', '127.255.255.255', '255.255.255.255'])
def test_E88_a_broadcast_is_dropped(io, target):
    """Of an interface's own network too: the address alone does not show it."""
    for command in (['addr', 'add', '192.0.2.1/24', 'broadcast', '192.0.2.255', 'dev', 'lo'],
                    ['route', 'add', 'broadcast', '192.0.2.255', 'dev', 'lo', 'table', 'local', 'src', '192.0.2.1'],
                    ['route', 'add', 'broadcast', '127.255.255.255', 'dev', 'lo', 'table', 'local', 'src', '127.0.0.1'],
                    ['route', 'add', 'broadcast', '255.255.255.255', 'dev', 'lo', 'table', 'local', 'src',
                     '192.0.2.1']):
        subprocess.run(['ip', *command], check=False, stderr=subprocess.DEVNULL)
    with Server('--listen', 'udp://0.0.0.0:0,ECHO', '--allow', '192.0.2.0/24', '--io', io) as server:
        with bound_to('192.0.2.1', [0]) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'lo')
            client.sendto(b'x', (target, server.port()))
            client.sendto(b'y', ('192.0.2.1', server.port()))
            assert client.recvfrom(10) == (b'y', ('192.0.2.1', server.port()))
            assert is_quiet(client)
            c = server.stop()
            if c['datagrams-in'] == 1:
                pytest.skip('this kernel does not broadcast on a loopback')
            assert (c['dropped-target'], c['datagrams-out']) == (1, 1), c


@own_network
def test_E89_a_mapped_source_is_the_ipv4_address_that_it_is(io):
    with Server('--listen', 'udp://[::]:0,ECHO opt.IPV6_V6ONLY=0', '--allow', '192.0.2.0/24', '--io', io,
                '--log-level', 'debug') as server:
        with bound_to('127.0.0.1', [0]) as client:
            client.connect(('127.0.0.1', server.port()))
            assert ask(client, b'x') == b'x'
            assert server.event('recv')['peer'] == name_of(client)


@own_network
def test_E_the_answer_comes_from_the_address_that_was_asked(io):
    for address in ('192.0.2.1', '192.0.2.2'):
        subprocess.run(['ip', 'addr', 'add', f'{address}/24', 'dev', 'lo'], check=True)
    subprocess.run(['ip', '-6', 'addr', 'add', '2001:db8::7/64', 'dev', 'lo', 'nodad'], check=True)
    with Server('--listen', 'udp://0.0.0.0:0,ECHO', '--listen', 'udp://[::]:0,ECHO', '--allow', '192.0.2.0/24',
                '--allow', '2001:db8::/32', '--io', io) as server:
        with bound_to('192.0.2.1', [0]) as client:
            for address in ('192.0.2.2', '192.0.2.1'):
                client.sendto(b'x', (address, server.port(0)))
                assert client.recvfrom(10) == (b'x', (address, server.port(0)))
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
            client.settimeout(60)
            client.sendto(b'x', ('2001:db8::7', server.port(1)))
            assert client.recvfrom(10)[1][:2] == ('2001:db8::7', server.port(1))


@own_network
def test_E_who_is_not_allowed_is_dropped(io):
    for address in ('192.0.2.1', '192.0.2.2'):
        subprocess.run(['ip', 'addr', 'add', f'{address}/24', 'dev', 'lo'], check=True)
    with Server('--listen', 'udp://192.0.2.1:0,ECHO', '--allow', '192.0.2.2/32', '--io', io) as server:
        with bound_to('192.0.2.1', [0]) as bad, bound_to('192.0.2.2', [0]) as good:
            bad.sendto(b'x', ('192.0.2.1', server.port()))
            good.sendto(b'y', ('192.0.2.1', server.port()))
            assert good.recv(10) == b'y'
            assert is_quiet(bad)
            said = server.event('drop')
            assert (said['reason'], said['change']) == ('not-allowed', '--allow')


@needs_root
def test_E90_two_streambeds_and_a_spoofed_start_are_bounded_by_the_rate(serve, io):
    """One datagram, started by a stranger, goes to and fro until either has had its rate, and is then gone for ever."""
    rate = 100
    servers = [serve('ECHO', '--io', io, '--udp-rate', str(rate), via='udp') for _ in range(2)]
    began = time.monotonic()
    spoof(('127.0.0.1', servers[1].port()), ('127.0.0.1', servers[0].port()), b'x')
    until(lambda: any(s.events('drop', reason='rate') for s in servers), 'one of them drops it')
    took = time.monotonic() - began
    counters = [s.stop() for s in servers]
    total = sum(c['datagrams-out'] for c in counters)
    assert 2 <= total <= 2 * rate * (took + 3) + 4
    assert sum(c['dropped-rate'] for c in counters) == 1
    assert all(e['change'] == '--udp-rate' for s in servers for e in s.events('drop'))


def test_E91_chargen_sends_no_more_than_it_was_sent(serve, io):
    server = serve('CHARGEN', '--io', io, via='udp')
    with server.connect() as client:
        for size in (1, 0, 74, 1000, 65507):
            answer = ask(client, bytes(size))
            assert len(answer) == size
        assert answer.startswith(b' !"#$%&')


def test_E91_discard_answers_nothing(serve, io, endpoint):
    server = serve(None, '--listen', endpoint('udp') + ',DISCARD', '--listen', endpoint('udp') + ',ECHO', '--io', io)
    with server.connect(0) as client:
        client.send(b'x' * 1000)
        alive(server, 1)
        assert is_quiet(client)
    assert server.stop()['datagrams-out'] == 1


def test_E91_source_answers_with_its_messages_on_loopback(serve, io):
    server = serve('SOURCE len=5 count=3 pattern=abc frame=u16be', '--io', io, via='udp')
    with server.connect() as client:
        client.send(b'')
        assert [client.recv(100) for _ in range(3)] == [b'\0\5abcab'] * 3


@pytest.mark.parametrize('frame, bad', [
    ('u32be', b'\0\0\0\5abc'), ('u32be', b'\xff\xff\xff\xff'), ('u32be', b'\0'), ('netstring', b'4:here,4'),
    ('netstring', b'5:here,'), ('line', b'no end'), ('crlf', b'x\n'), ('varint', b'\x80\x00'), ('fixed:4', b'12345'),
    ('chunked', b'5\r\nhello'), ('resp', b'PING\r\n'), ('sse', b'data: a\n')])
def test_E94_a_malformed_datagram_is_dropped_in_silence(serve, frame, bad):
    server = serve(f'ECHO frame={frame}', via='udp')
    good = {'u32be': b'\0\0\0\2ok', 'netstring': b'2:ok,', 'line': b'ok\n', 'crlf': b'ok\r\n', 'varint': b'\2ok',
            'fixed:4': b'okok', 'chunked': b'2\r\nok\r\n', 'resp': b'*1\r\n+ok\r\n', 'sse': b'data: ok\n\n'}[frame]
    with server.connect() as client:
        client.send(bad)
        client.send(good)
        assert client.recv(100) == good
        assert is_quiet(client, 0.05)
        assert ask(client, good * 3) == good * 3
    c = server.stop()
    assert (c['dropped-malformed'], c['datagrams-out']) == (1, 2)


def test_E95_every_datagram_is_answered_for_itself(serve, io):
    server = serve('ECHO', '--io', io, via='udp')
    with server.connect() as one, server.connect() as two:
        for data in (b'3', b'1', b'2', b'2', b'1'):
            assert ask(one, data) == data
            assert ask(two, data) == data


def test_E96_a_flood_from_one_source_leaves_the_others_their_share(serve, io, endpoint):
    server = serve(None, '--listen', endpoint('udp') + ',ECHO', '--listen', endpoint('ipv4') + ',ECHO', '--io', io,
                   '--udp-rate', '50')
    with server.connect(0) as flood, server.connect(1) as stream:
        flood.setblocking(False)
        for i in range(3000):
            with contextlib.suppress(BlockingIOError):
                flood.send(b'x')
            if i % 500 == 0:
                stream.sendall(b'y')
                assert stream.recv(1) == b'y'
        with bound_to('127.0.0.2', [0]) as other:
            other.connect(server.address(0)[1])
            until(lambda: _answers(other), 'another source is answered')
    c = server.stop()
    assert c['datagrams-out'] + c['dropped-rate'] == c['datagrams-in']
    assert c['dropped-rate'] > 0
    said = len(server.events('drop'))
    assert said < c['dropped-rate'] or c['dropped-rate'] <= 10


@needs_root
def test_E97_spoofed_sources_fill_no_table(serve, io):
    """Tens of thousands of addresses: the table has its size, and an honest client is still answered."""
    server = serve('ECHO', '--io', io, via='udp')

    def flood(network, n):
        for i in range(n):
            spoof((f'127.{network}.{i // 256}.{i % 256}', 40000), ('127.0.0.1', server.port()), b'x')
        with server.connect() as client:
            until(lambda: _answers(client), 'it answers an honest client')

    flood(1, 10000)  # sanitizers need a while until all of their own is resident
    before = server.resident()
    flood(2, 15000)
    assert server.resident() - before < 1 << 20


def _answers(client):
    """A datagram may be lost in front of a full queue: then it is sent again."""
    client.settimeout(0.3)
    try:
        return ask(client, b'z') == b'z'
    except OSError:
        return False


@needs_root
def test_E99_a_reply_that_cannot_be_sent_is_dropped_and_counted(serve, io):
    """To a source that no route leads to, sendto fails: one drop, no queue, no retry."""
    server = serve('ECHO', '--io', io, via='udp')
    spoof(('127.255.255.255', 40000), ('127.0.0.1', server.port()), b'x')
    alive(server)
    c = server.stop()
    assert c['datagrams-in'] in (1, 2)  # the kernel may drop it as a martian
    assert c['datagrams-in'] == c['datagrams-out'] + sum(n for k, n in c.items() if k.startswith('dropped-'))


def test_E_an_unreachable_client_is_no_error(serve, io):
    """ICMP says that its port is closed: the next client is answered all the same."""
    server = serve('ECHO', '--io', io, via='udp')
    for _ in range(20):
        with server.connect() as gone:
            gone.send(b'x')
        alive(server)
    before = server.cpu()
    time.sleep(0.5)
    assert server.cpu() - before < 0.3


def test_E_datagrams_stop_with_the_server(serve, io):
    server = serve('ECHO', '--io', io, via='udp')
    with server.connect() as client:
        assert ask(client, b'x') == b'x'
        server.stop()
        with contextlib.suppress(ConnectionRefusedError):
            client.send(b'y')
        with pytest.raises(ConnectionRefusedError):
            client.send(b'y')
            client.recv(10)


@pytest.mark.parametrize('strict', [False, True])
def test_E_total_rate_bounds_all_sources_together(serve, strict):
    listen = ['--listen', 'udp://0.0.0.0:0,ECHO', '--allow', '192.0.2.0/24'] if strict else \
        ['--listen', 'udp://127.0.0.1:0,ECHO']
    server = serve(None, *listen, '--udp-rate-total', '20')
    for i in range(2, 12):
        with bound_to(f'127.0.0.{i}', [0]) as client:
            client.connect(('127.0.0.1', server.port()))
            for _ in range(10):
                client.send(b'x')
    until(lambda: server.events('drop', reason='rate-total'), 'some are dropped')
    c = server.stop()
    assert server.events('drop', reason='rate-total')[0]['change'] == '--udp-rate-total'
    assert c['datagrams-out'] + c['dropped-rate-total'] == c['datagrams-in']


def test_m8_a_second_server_cannot_steal_the_port(serve):
    server = serve('ECHO', via='udp')
    said = refuses('serve', '--listen', f'udp://127.0.0.1:{server.port()},ECHO', code=71)
    assert str(server.port()) in said and 'port 0' in said
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError):
            thief.bind(('127.0.0.1', server.port()))
    alive(server)
