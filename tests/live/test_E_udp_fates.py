# SPDX-License-Identifier: MIT
"""Faults, group E: datagrams whose line says what becomes of the replies: lost, doubled, overtaken, late, resized."""
import contextlib
import socket
import time

import pytest

from harness import is_quiet, pattern, refuses, until
from test_E_udp import ask, bound_to


def all_of(client, quiet=0.3):
    """What comes until nothing more does."""
    got = []
    client.settimeout(quiet)
    with contextlib.suppress(socket.timeout):
        while True:
            got.append(client.recv(70000))
    return got


def numbered(client, n):
    for i in range(1, n + 1):
        client.send(b'%d' % i)


@pytest.mark.parametrize('line, want', [
    ('drop=3,7', '1 2 4 5 6 8 9'),
    ('drop=2-4,9', '1 5 6 7 8'),
    ('dup=9', '1 2 3 4 5 6 7 8 9 9'),
    ('reorder=2:2', '1 3 4 2 5 6 7 8 9'),
    ('drop=1 dup=2,4 reorder=4-5:2', '2 2 3 6 4 4 7 5 8 9'),
    ('drop=4 hold=20ms reorder=1:2', '2 3 1 5 6 7 8 9'),
])
def test_E_replies_are_what_the_line_says_by_number(serve, io, line, want):
    server = serve('ECHO ' + line, '--io', io, '--log-level', 'debug', via='udp')
    for _ in range(2):  # for each peer again from 1
        with server.connect() as client:
            numbered(client, 9)
            assert b' '.join(all_of(client)).decode() == want
    c = server.stop()
    got = want.split()
    assert (c['datagrams-in'], c['datagrams-out']) == (18, 2 * len(got))
    assert c['dropped-asked'] == 2 * len({str(i) for i in range(1, 10)} - set(got))
    assert [str(e['reply']) for e in server.events('send')][:len(got)] == got
    for e in server.events('drop'):
        assert e['reason'] == 'asked' and str(e['reply']) not in got


def test_E_two_peers_at_once_are_counted_apart(serve, io):
    server = serve('ECHO drop=2', '--io', io, via='udp')
    with server.connect() as one, server.connect() as two:
        assert ask(one, b'a') == b'a'
        assert ask(two, b'b') == b'b'
        one.send(b'lost')
        two.send(b'lost')
        assert (ask(one, b'c'), ask(two, b'd')) == (b'c', b'd')


def test_E81_an_empty_datagram_has_its_fate_like_any_other(serve, io):
    server = serve('ECHO drop=1 dup=2 reorder=3:1', '--io', io, via='udp')
    with server.connect() as client:
        for data in (b'', b'', b'', b'4', b''):
            client.send(data)
        assert all_of(client) == [b'', b'', b'4', b'', b'']


def test_E94_what_is_malformed_has_no_number(serve, io):
    server = serve('ECHO frame=line drop=2', '--io', io, via='udp')
    with server.connect() as client:
        for data in (b'1\n', b'no end', b'2\n', b'no end', b'3\n'):
            client.send(data)
        assert all_of(client) == [b'1\n', b'3\n']
    c = server.stop()
    assert (c['dropped-malformed'], c['dropped-asked']) == (2, 1)


def test_E95_the_same_datagram_again_is_another_reply(serve, io):
    server = serve('ECHO drop=2 dup=4', '--io', io, via='udp')
    with server.connect() as client:
        for _ in range(5):
            client.send(b'same')
        assert all_of(client) == [b'same'] * 5
    c = server.stop()
    assert (c['datagrams-in'], c['datagrams-out'], c['dropped-asked']) == (5, 5, 1)


def _fates(server, n):
    with server.connect() as client:
        numbered(client, n)
        return all_of(client)


def test_E_a_seed_that_was_printed_does_the_same_again(serve, io):
    line = 'ECHO drop=30% dup=20% reorder=25%:2'
    server = serve(line, '--io', io, via='udp')
    seed = server.event('listening')['seed']
    first = _fates(server, 60)
    assert first == _fates(server, 60)
    assert len(set(first)) < 60 < len(first) + 40
    again = serve(f'{line} seed={seed}', '--io', io, via='udp')
    assert _fates(again, 60) == first
    other = serve(f'{line} seed={seed ^ 1}', '--io', io, via='udp')
    assert _fates(other, 60) != first


def test_E_each_reply_is_held_and_holds_up_nobody(serve, io, endpoint):
    server = serve(None, '--listen', endpoint('udp') + ',ECHO hold=400ms', '--listen', endpoint('udp') + ',ECHO',
                   '--io', io)
    with server.connect(0) as client, server.connect(1) as other:
        began = time.monotonic()
        client.send(b'1')
        assert ask(other, b'x') == b'x'
        at_once = time.monotonic() - began
        time.sleep(0.1)
        second = time.monotonic()
        client.send(b'2')
        assert client.recv(10) == b'1'
        assert time.monotonic() - began >= 0.4
        assert client.recv(10) == b'2'
        assert time.monotonic() - second >= 0.4
        assert at_once < 0.4
    before = server.cpu()
    time.sleep(0.5)
    assert server.cpu() - before < 0.3


def test_E_who_is_not_overtaken_is_sent_in_the_end(serve, io):
    server = serve('ECHO reorder=1:2', '--io', io, '--max-delay', '300ms', via='udp')
    with server.connect() as client:
        began = time.monotonic()
        client.send(b'1')
        client.send(b'2')
        assert (client.recv(10), client.recv(10)) == (b'2', b'1')
        assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize('line, data, want', [
    ('trunc=100', pattern(300), pattern(300)[:100]),
    ('trunc=100', b'short', b'short'),
    ('trunc=0', b'gone', b''),
    ('size=8', b'abc', b'abc' + bytes(5)),
    ('size=2', b'abc', b'ab'),
    ('size=65507', b'', bytes(65507)),
    ('size=65507 hold=10ms dup=1', pattern(9), pattern(9) + bytes(65498)),
], ids=range(7))
def test_E_replies_have_the_size_that_the_line_says(serve, io, line, data, want):
    server = serve('ECHO ' + line, '--io', io, via='udp')
    with server.connect() as client:
        assert ask(client, data) == want
        if 'dup' in line:
            assert client.recv(70000) == want


def test_E_a_source_is_counted_by_the_reply(serve, io):
    server = serve('SOURCE len=4 count=3 drop=2 dup=6 reorder=1:2', '--io', io, via='udp')
    with server.connect() as client:
        client.send(b'x')
        assert all_of(client) == [b'"#$%', b' !"#']
        client.send(b'x')
        assert all_of(client) == [b' !"#', b'!"#$', b'"#$%', b'"#$%']


def test_E_silent_reads_and_never_answers(serve, io):
    server = serve('ECHO reply=silent', '--io', io, '--log-level', 'debug', via='udp')
    with server.connect() as client:
        for _ in range(3):
            client.send(b'hello')
        until(lambda: len(server.events('drop', reason='asked', bytes=5)) == 3, 'they are said to be dropped')
        assert is_quiet(client)
        assert len(server.events('recv', bytes=5)) == 3
    c = server.stop()
    assert (c['datagrams-in'], c['datagrams-out'], c['dropped-asked']) == (3, 0, 3)


@pytest.mark.parametrize('via', ['udp', 'udp6'])
def test_E_refused_is_what_a_closed_port_says_and_the_port_stays_taken(serve, io, via):
    server = serve('ECHO reply=refused', '--io', io, via=via)
    for _ in range(20):
        with server.connect() as client:
            client.send(b'x')
            with pytest.raises(ConnectionRefusedError):
                client.recv(10)
    with server.connect() as client:
        thief = socket.socket(client.family, socket.SOCK_DGRAM)
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with thief, pytest.raises(OSError):
            thief.bind(client.getpeername())
    before = server.cpu()
    time.sleep(0.5)
    assert server.cpu() - before < 0.3
    c = server.stop()
    assert (c['datagrams-in'], c['datagrams-out']) == (0, 0)


def test_E_what_is_held_when_the_server_stops_is_dropped_and_counted(serve, io):
    server = serve('ECHO hold=30s reorder=2:1', '--io', io, '--log-level', 'debug', via='udp')
    with server.connect() as client:
        numbered(client, 2)
        server.event('recv', 2)
        assert is_quiet(client)
    began = time.monotonic()
    c = server.stop()
    assert time.monotonic() - began < 10
    assert (c['dropped-stopped'], c['datagrams-out']) == (2, 0)
    assert sorted(e['reply'] for e in server.events('drop', reason='stopped')) == [1, 2]


def test_E_there_is_an_end_to_what_is_held(serve, io):
    server = serve('ECHO hold=200ms size=60000', '--io', io, '--udp-held', '256k', via='udp')
    with server.connect() as client:
        numbered(client, 9)
        got = all_of(client, 0.6)
        assert got and all(len(d) == 60000 for d in got)
        assert len(got) < 9
        client.settimeout(60)
        assert len(ask(client, b'again')) == 60000  # what was full is free
    c = server.stop()
    assert c['dropped-held-full'] + c['datagrams-out'] == 10
    assert server.events('drop', reason='held-full')[0]['change'] == '--udp-held'


def test_E_more_peers_than_are_counted(serve, io):
    """4,096 peers are counted; whoever was quiet longest begins again."""
    server = serve('ECHO drop=2', '--io', io, via='udp')
    with server.connect() as first:
        assert ask(first, b'x') == b'x'
        others = 0
        for i in range(4200):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.bind((f'127.0.{1 + i // 200}.{1 + i % 200}', 0))
                if client.getsockname()[1] == server.port():  # that would be a loop
                    continue
                client.settimeout(60)
                client.connect(server.address()[1])
                assert ask(client, b'y') == b'y'
                others += 1
        assert ask(first, b'z') == b'z'  # its second, but it was forgotten
    assert server.stop()['peers-forgotten'] == 1 + others + 1 - 4096


@pytest.mark.parametrize('line, says', [
    ('dup=3', 'col=22 dup= may answer with more than was sent: only on loopback addresses'),
    ('size=3', 'col=22 size= may answer'),
    ('reply=refused', 'col=22 reply=refused is for one address'),
])
def test_E_no_line_makes_strangers_be_sent_more(line, says):
    assert says in refuses('serve', '--listen', 'udp://0.0.0.0:0,ECHO ' + line, '--allow', '192.0.2.0/24', code=2)


@pytest.mark.parametrize('line', ['drop=20%', 'reorder=30%:2 hold=5ms', 'trunc=4', 'drop=1-3 trunc=9 reorder=5:1'])
def test_E_bytes_out_are_never_more_than_bytes_in_where_strangers_are(serve, io, line):
    server = serve(None, '--listen', f'udp://0.0.0.0:0,ECHO {line}', '--allow', '192.0.2.0/24', '--io', io)
    with bound_to('127.0.0.1', [0]) as client:
        client.connect(('127.0.0.1', server.port()))
        for i in range(40):
            client.send(bytes(i))
        all_of(client)
    c = server.stop()
    assert 0 < c['bytes-out'] <= c['bytes-in']
    assert c['datagrams-out'] <= c['datagrams-in'] == 40
