# SPDX-License-Identifier: MIT
"""LISTEN: throw-away ports, and the control connections that make them."""
import json
import socket

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
    ('LISTEN EHCO', '-ERR col=12 unknown service "EHCO"'),
    ('LISTEN LISTEN ECHO', '-ERR col=19 "ECHO" is not key=value'),
    ('LISTEN ECHO preamble=on', '-ERR col=17 a port that LISTEN makes has its line already'),
    ('ECHO keep=5s', '-ERR col=10 keep= is about a port that LISTEN makes'),
    ('LISTEN ECHO opt.SO_DEBUG=1', '-ERR col=17'),
    ('LISTEN ECHO id=c1', '-ERR col=17 id= belongs to a control verb'),
])
def test_a_port_that_cannot_be(serve, line, says):
    server = serve('ECHO')
    before = descriptors_of(server)
    with Control(server) as control:
        answer = control(line)
        assert answer.startswith(says), answer
    harness.until(lambda: server.descriptors() == before, 'its descriptors')


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
