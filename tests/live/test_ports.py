# SPDX-License-Identifier: MIT
"""LISTEN: throw-away ports, and the control connections that make them."""
import json
import socket
import time

import pytest

import harness
from harness import finish, take_all
from lines import Control, sizes_blocking


def descriptors_of(server):
    """How many it has open when it is at rest: it has answered a connection, so all of its start is behind it."""
    with server.connect() as client:
        client.sendall(b'x')
        assert client.recv(1) == b'x'
        open_now = server.descriptors()
    harness.until(lambda: server.descriptors() == open_now - 1, 'the connection is gone')
    return open_now - 1


def client_of(server, port):
    family, address = server.address()
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(harness.GENEROUS)
    sock.connect((address[0], port))
    return sock


@pytest.mark.parametrize('via', ['ipv4', 'ipv6'])
def test_a_port_behaves_as_its_line_says(serve, via):
    server = serve('ECHO', via=via)
    with Control(server) as control:
        answer = control('LISTEN ECHO cut=2 gate=read rcvbuf=2304 conns=1')
        words = dict(w.split('=', 1) for w in answer.split()[1:])
        assert words['rcvbuf'] == '2304->4608'
        with client_of(server, int(words['port'])) as client:
            client.sendall(b'hello')
            finish(client)
            assert sizes_blocking(client) == [2, 3]
        receipt = json.loads(control.text(f'RECEIPT id={words["id"]} wait=20s'))
        assert receipt['in'] == receipt['out'] == 5 and receipt['cuts']['read'] == 1
        with pytest.raises(ConnectionRefusedError):  # conns=1
            client_of(server, int(words['port']))


def test_a_seed_of_a_port_is_told(serve):
    with Control(serve('ECHO')) as control:
        assert ' seed=' in control('LISTEN ECHO frag=random')
        assert control('LISTEN SOURCE pattern=random len=4 seed=9').endswith(' seed=9')


def test_ports_go_with_their_control_connection(serve):
    server = serve('ECHO')
    with Control(server) as control:
        ports = [control.listen('ECHO') for _ in range(3)]
        kept = control.listen('ECHO keep=30s')
        assert len({*ports, kept}) == 4
        clients = [client_of(server, port) for port in (*ports, kept)]
        for client in clients:
            client.sendall(b'x')
            assert client.recv(1) == b'x'
    for client in clients[:3]:
        assert take_all(client) == (b'', 'reset')
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            client_of(server, port)
    with client_of(server, kept) as client:
        client.sendall(b'y')
        assert client.recv(1) == b'y'
    assert server.event('close', reason='owner-gone')


def test_a_list_that_is_too_long_says_how_much_is_missing(serve):
    server = serve('ECHO')
    cuts = ','.join(map(str, range(100, 164)))
    with Control(server) as control:
        for _ in range(200):
            control.listen(f'ECHO cut={cuts}')
        *rows, last = control.text('LIST').splitlines()
        assert all(row.count(cuts) == 1 for row in rows[1:])
        words = last.split(' ', 1)
        assert words[1] == 'more, for which the answer has no room'
        assert 100 < len(rows) < 201 and len(rows) + int(words[0]) == 201


def test_keep_ends_too(serve):
    server = serve('ECHO')
    with Control(server) as control:
        port = control.listen('ECHO keep=300ms')
        client = client_of(server, port)
        client.sendall(b'x')
        assert client.recv(1) == b'x'
    assert take_all(client) == (b'', 'reset')
    with pytest.raises(ConnectionRefusedError):
        client_of(server, port)


def test_a_port_takes_only_its_makers_address(serve):
    server = serve(None, '--listen', 'tcp://0.0.0.0:0,ECHO', '--allow', '127.0.0.0/8')
    with Control(server) as control:
        port = control.listen('ECHO')
        other = socket.socket()
        other.bind(('127.0.0.9', 0))
        other.settimeout(harness.GENEROUS)
        other.connect(('127.0.0.1', port))
        assert take_all(other)[0] == b''
        assert server.event('refuse', reason='not-owner')


def test_accept_rst_and_nth(serve):
    server = serve('ECHO')
    with Control(server) as control:
        try:  # the reset may come before connect has returned
            with client_of(server, control.listen('ECHO accept=rst')) as client:
                assert take_all(client) == (b'', 'reset')
        except ConnectionResetError:
            pass
        port = control.listen('ECHO frame=line limit=2 nth=2')
        got = []
        for _ in range(3):
            with client_of(server, port) as client:
                client.sendall(b'abcd\n')
                finish(client)
                got.append(take_all(client)[0])
        assert got == [b'abcd\n', b'ab', b'abcd\n']


@pytest.mark.parametrize('line, says', [
    ('LISTEN', '-ERR col=5 LISTEN needs a line'),
    ('LISTEN ECHO frg=1', '-ERR col=17 unknown key "frg"'),
    ('LISTEN EHCO', '-ERR col=12 unknown verb "EHCO"'),
    ('LISTEN LISTEN ECHO', '-ERR col=12 LISTEN is a control verb'),
    ('LISTEN LIMTIS', '-ERR col=12 unknown verb "LIMTIS" (did you mean LIMITS?)'),
    ('LISTEN ECHO cut', '-ERR col=17 "cut" is not key=value'),
    ('LISTEN ECHO preamble=on', '-ERR col=17 a port that LISTEN makes has its line already'),
    ('ECHO keep=5s', '-ERR col=10 keep= is about a port that LISTEN makes'),
    ('LISTEN ECHO opt.SO_DEBUG=1', '-ERR col=17'),
    ('LISTEN ECHO proto=udp conns=1', '-ERR col=27 conns= applies to tcp and unix, not to udp'),
    ('LISTEN ECHO dup=1', '-ERR col=17 dup= applies to udp, not to tcp'),
    ('LISTEN ECHO proto=sctp', '-ERR col=23 proto is tcp|udp'),
    ('LISTEN ECHO proto=udp syn=drop', '-ERR col=27 syn= applies to tcp, not to udp'),
    ('ECHO proto=udp', '-ERR col=10 proto= is about a port that LISTEN makes'),
    ('LISTEN ECHO mss=87', '-ERR col=21 mss is 88 to 32767, not 87'),
    ('LISTEN ECHO mss=32768', '-ERR col=21 mss is 88 to 32767'),
    ('LISTEN ECHO proto=udp mss=600', '-ERR col=27 mss= applies to tcp, not to udp'),
    ('LISTEN ECHO mss=600 opt.TCP_MAXSEG=700', '-ERR col=25 TCP_MAXSEG is asked for twice'),
    ('ECHO mss=600', '-ERR col=10 mss= must be chosen before accept'),
    ('LISTEN ECHO id=c1', '-ERR col=17 id= belongs to a control verb'),
])
def test_a_port_that_cannot_be(serve, line, says):
    server = serve('ECHO')
    before = descriptors_of(server)
    with Control(server) as control:
        answer = control(line)
        assert answer.startswith(says), answer
    harness.until(lambda: server.descriptors() == before, 'its descriptors')


def end_many_at_once(server, n=30):
    """Ends n connections in one turn, each with a receipt of 192 events."""
    with Control(server) as control:
        port = control.listen('ECHO frag=1 gate=ack')
        clients = [client_of(server, port) for _ in range(n)]
        for client in clients:
            client.sendall(bytes(200))
        for client in clients:
            assert harness.take(client, 200) == bytes(200)
    server.event('close', n, reason='owner-gone')


def test_receipts_of_all_that_end_at_once(serve, tmp_path):
    path = tmp_path / 'receipts'
    server = serve('ECHO', '--receipts', str(path))
    end_many_at_once(server)
    assert 'receipts-lost' not in server.stop()
    receipts = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(receipts) == 30 and all(len(r['events']) == 192 for r in receipts)
    assert path.stat().st_size > 2 * 65536


def test_receipts_that_nobody_reads_are_said_to_be_lost(serve):
    server = serve('ECHO', '--receipts', '-')  # a pipe, of which the harness has read the first lines
    end_many_at_once(server)
    assert server.event('receipts')['lost'] == 1
    assert server.stop()['receipts-lost'] > 5


def test_no_more_ports_than_max_ports(serve):
    server = serve('ECHO', '--max-ports', '2')
    with Control(server) as control:
        ports = [control.listen('ECHO conns=1') for _ in range(2)]
        assert '--max-ports' in control('LISTEN ECHO')
        with client_of(server, ports[0]) as client:
            client.sendall(b'x')
            assert client.recv(1) == b'x'
        server.event('close')
        control.listen('ECHO')


def test_ports_come_from_control_ports(serve):
    server = serve('ECHO', '--control-ports', '41230-41239')
    with Control(server) as control:
        ports = [control.listen('ECHO') for _ in range(3)]
        assert len(set(ports)) == 3 and all(41230 <= p <= 41239 for p in ports)


def test_a_thousand_ports_leave_nothing(serve):
    n = 1000 if harness.FULL else 200
    server = serve('ECHO', '--log-level', 'warning')
    before = descriptors_of(server)
    with Control(server) as control:
        for _ in range(n):
            with client_of(server, control.listen('ECHO conns=1')) as client:
                client.sendall(b'x')
                assert client.recv(1) == b'x'
        harness.until(lambda: control.text('LIST').count('\n') == 1, 'the ports are gone')
    harness.until(lambda: server.descriptors() == before, 'its descriptors')


def time_to_connect(server, port, patience):
    """Seconds that a connect takes, None when it has not come through by then."""
    family, address = server.address()
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(patience)
        began = time.monotonic()
        try:
            sock.connect((address[0], port))
        except TimeoutError:
            return None
        took = time.monotonic() - began
        sock.settimeout(harness.GENEROUS)
        sock.sendall(b'x')
        assert sock.recv(1) == b'x'
        return took


@pytest.mark.parametrize('via', ['ipv4', 'ipv6'])
def test_syn_drop_is_a_black_hole(serve, via):
    server = serve('ECHO', via=via)
    before = descriptors_of(server)
    with Control(server) as control:
        answer = control('LISTEN ECHO syn=drop')
        assert ' syn=drop->backlog=0,filler=' in answer
        port = int(answer.split('port=')[1].split()[0])
        assert time_to_connect(server, port, 1.3) is None
        assert server.event('syn', does='drop')
        # Its own connection is nobody's client.
        assert 'accepted=1 ' not in control.text('LIST')
    harness.until(lambda: server.descriptors() == before, 'its descriptors')
    with pytest.raises(ConnectionRefusedError):
        client_of(server, port)


@pytest.mark.parametrize('via', ['ipv4', 'ipv6'])
def test_syn_drop_for_a_time_is_a_slow_connect(serve, via):
    server = serve('ECHO', via=via)
    with Control(server) as control:
        answer = control('LISTEN ECHO syn=drop:1500ms conns=1')
        words = dict(w.split('=', 1) for w in answer.split()[1:])
        assert words['syn'].startswith('drop:1500ms->backlog=0,filler=')
        took = time_to_connect(server, int(words['port']), harness.GENEROUS)
        # Not a moment earlier; how much later is for the SYN's next time.
        assert took > 1.4
        # The filler was not the connection that conns=1 counts, and has no receipt.
        receipt = json.loads(control.text(f'RECEIPT id={words["id"]} wait=20s'))
        assert receipt['in'] == 1 and receipt['id'].startswith('c2.')
    assert server.event('syn', does='pass')


def test_syn_drop_of_a_static_listener(serve):
    server = serve('ECHO syn=drop:1500ms')
    took = time_to_connect(server, server.address()[1][1], harness.GENEROUS)
    assert took > 1
    assert len(server.events('open')) == 1


def test_fifty_ports_that_drop_leave_nothing(serve):
    server = serve('ECHO')
    before = descriptors_of(server)
    with Control(server) as control:
        ports = [control.listen('ECHO syn=drop' + suffix) for suffix in ['', ':10s', ':1ms'] * 16 + [''] * 2]
        assert len(set(ports)) == 50
        assert time_to_connect(server, ports[0], 0.3) is None
    harness.until(lambda: server.descriptors() == before, 'its descriptors')


@pytest.mark.parametrize('via, says', [('udp', 'syn= applies to tcp, not to udp'),
                                       ('unix', 'syn= applies to tcp, not to unix')])
def test_syn_is_for_tcp(via, says, tmp_path):
    where = f'unix:{tmp_path}/s' if via == 'unix' else 'udp://127.0.0.1:0'
    said = harness.refuses('serve', '--listen', f'{where},ECHO syn=drop', code=2)
    assert says in said and f'col={len(where) + 7}' in said


def segment_of(sock):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


@pytest.mark.parametrize('via', ['ipv4', 'ipv6'])
def test_mss_is_what_both_ends_send_at_most(serve, via):
    server = serve('ECHO mss=700', via=via)
    assert server.event('option', name='TCP_MAXSEG')['effective'] == 700
    with server.connect() as client:
        assert 500 < segment_of(client) <= 700
    server = serve('ECHO', via=via)
    with Control(server) as control:
        words = words_of(control('LISTEN ECHO mss=600'))
        assert words['mss'] == '600->600'
        with client_of(server, int(words['port'])) as client, server.connect() as other:
            assert 500 < segment_of(client) <= 600 < segment_of(other)
            client.sendall(bytes(5000))
            assert harness.take(client, 5000) == bytes(5000)


# ---- of datagrams


def dgram_client(server, port, source=None):
    family, address = server.address()
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(harness.GENEROUS)
    if source:
        sock.bind((source, 0))
    sock.connect((address[0], port))
    return sock


def strict_server(serve):
    return serve(None, '--listen', 'tcp://0.0.0.0:0,ECHO', '--allow', '127.0.0.0/8')


def words_of(answer):
    return dict(w.split('=', 1) for w in answer.split() if '=' in w)


@pytest.mark.parametrize('via', ['ipv4', 'ipv6'])
def test_a_port_of_datagrams(serve, via):
    server = serve('ECHO', via=via)
    before = descriptors_of(server)
    with Control(server) as control:
        answer = control('LISTEN ECHO proto=udp drop=2 dup=3 rcvbuf=4k')
        words = words_of(answer)
        assert words['rcvbuf'] == '4096->8192'
        with dgram_client(server, int(words['port'])) as client:
            for i in range(1, 5):
                client.send(b'%d' % i)
            assert [client.recv(100) for _ in range(4)] == [b'1', b'3', b'3', b'4']
        # LIST and RECEIPT say the same of it.
        line, = [line for line in control.text('LIST').splitlines() if words['id'] in line]
        assert control.text(f'RECEIPT id={words["id"]}') == line + '\n'
        said = words_of(line)
        assert [said[k] for k in ('in', 'bytes-in', 'out', 'bytes-out', 'dropped')] == ['4', '4', '4', '4', '1']
    harness.until(lambda: server.descriptors() == before, 'its descriptors')
    assert server.event('not-listening')


def test_a_strict_server_answers_the_maker_of_a_port_with_more(serve):
    server = strict_server(serve)
    with Control(server) as control:
        words = words_of(control('LISTEN ECHO proto=udp dup=1 size=1000'))
        port = int(words['port'])
        with dgram_client(server, port) as client, dgram_client(server, port, '127.0.0.9') as other:
            other.send(b'x')
            event = server.event('drop', reason='not-owner')
            assert event['peer'].startswith('127.0.0.9:')
            client.send(b'x')
            assert [client.recv(2000) for _ in range(2)] == [b'x' + bytes(999)] * 2
            assert harness.is_quiet(other)
        words = words_of(control('LISTEN SOURCE proto=udp count=3 len=7'))
        with dgram_client(server, int(words['port'])) as client:
            client.send(b'')
            assert [len(client.recv(100)) for _ in range(3)] == [7, 7, 7]
    assert server.stop()['dropped-not-owner'] == 1


def test_a_port_of_datagrams_is_kept_and_goes(serve):
    server = serve('ECHO')
    with Control(server) as control:
        kept = dgram_client(server, control.listen('ECHO proto=udp keep=30s'))
        gone = dgram_client(server, control.listen('ECHO proto=udp'))
        short = dgram_client(server, control.listen('ECHO proto=udp keep=100ms'))
        refused = dgram_client(server, control.listen('ECHO proto=udp reply=refused'))
        with pytest.raises(ConnectionRefusedError):
            refused.send(b'x')
            refused.recv(10)
    server.event('not-listening', 3)
    for sock in (gone, short):
        with pytest.raises(ConnectionRefusedError):
            sock.send(b'x')
            sock.recv(10)
    kept.send(b'x')
    assert kept.recv(10) == b'x'


def test_a_new_port_in_the_place_of_another_counts_from_one(serve):
    server = serve('ECHO', '--max-ports', '1', '--control-ports', '41240-41240')
    family, address = server.address()
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(harness.GENEROUS)
        for n in range(1, 4):
            with Control(server) as control:
                port = control.listen('ECHO proto=udp drop=1')
                client.sendto(b'lost', (address[0], port))
                client.sendto(b'%d' % n, (address[0], port))
                assert client.recv(10) == b'%d' % n
            server.event('not-listening', n)


def test_a_seed_of_a_port_of_datagrams_is_told(serve):
    with Control(serve('ECHO')) as control:
        assert ' seed=' in control('LISTEN ECHO proto=udp drop=50%')
        assert control('LISTEN ECHO proto=udp drop=50% seed=9').endswith(' seed=9')
        assert ' seed=' not in control('LISTEN ECHO proto=udp drop=5')


def test_no_answer_to_a_port_of_our_own(serve):
    server = serve('ECHO', '--control-ports', '41250-41251')
    address = server.address()[1][0]
    with Control(server) as control:
        port = control.listen('ECHO proto=udp')
        with Control(server) as other:
            assert other.listen('ECHO proto=udp') == 41251
            # Another address, or the port could not be taken twice.
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.bind(('127.0.0.2', 41251))
                client.sendto(b'loop', (address, port))
                assert server.event('drop', reason='loop')
        server.event('not-listening')
        # Gone, it is nobody's any more.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(harness.GENEROUS)
            client.bind((address, 41251))
            client.sendto(b'x', (address, port))
            assert client.recv(10) == b'x'


def test_eighty_ports_of_datagrams(serve):
    """More than there may be listeners in the config."""
    server = serve('ECHO')
    before = descriptors_of(server)
    with Control(server) as control:
        for port in [control.listen('ECHO proto=udp') for _ in range(80)]:
            with dgram_client(server, port) as client:
                client.send(b'x')
                assert client.recv(10) == b'x'
    harness.until(lambda: server.descriptors() == before, 'its descriptors')


def test_many_control_connections_do_not_meet(serve):
    server = serve('ECHO', '--log-level', 'warning')
    before = descriptors_of(server)
    controls = [Control(server) for _ in range(200)]
    ports = [c.listen('ECHO flip=0') for c in controls]
    assert len(set(ports)) == 200
    for port in ports:
        with client_of(server, port) as client:
            client.sendall(b'a')
            assert client.recv(1) == b'`'
    for control in controls:
        control.sock.close()
    harness.until(lambda: server.descriptors() == before, 'its descriptors')


def test_a_unix_socket_has_no_ports(serve):
    with Control(serve('ECHO', via='unix')) as control:
        assert control('LISTEN ECHO').startswith('-ERR LISTEN makes ports of the address')
