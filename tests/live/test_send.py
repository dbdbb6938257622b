# SPDX-License-Identifier: MIT
"""streambed send against peers of its own: an echo, and peers that do not read, reset, close early, corrupt or lose.

Nothing here depends on the server (send_peers.py has the peers). Nothing is timed: what is asserted are counts, and
bytes, and which line was said. In order: streams, judging the reply, failures, datagrams, signals, output, usage.
"""
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading

import pytest

from send_peers import (BIN, GENEROUS, Done, Running, echo, echo_datagrams, hold, peers,  # noqa: F401
                        read_exactly, send, swallow)

SHORT = '300ms'  # --timeout of a run that is to run into it
BUFFER = b'Hello World!'.ljust(100, b'\0')
STREAMS = ['tcp4', 'tcp6', 'unix']


# ---- streams -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize('via', STREAMS)
def test_ten_sends_and_the_same_bytes_back(peers, via):
    peer = peers(via, echo)
    r = send(peer.endpoint).ok()
    assert r.sizes('send') == [100] * 10
    assert sum(r.sizes('recv')) == 1000
    assert b''.join(peer.recvs) == BUFFER * 10
    assert re.match(r'connected ' + re.escape(peer.endpoint), r.lines[0])
    assert (' from ' in r.lines[0]) == (via != 'unix')
    assert re.fullmatch(r'round 1: sent 1000 bytes in 10 sends, received 1000 bytes in \d+ recvs?, '
                        r'in [0-9.]+m?s: the same bytes', r.lines[-2])
    assert r.lines[-1].startswith('summary: 1 round, sent 1000 bytes in 10 sends')
    assert ('\ncorked: ' in r.out) == (via != 'unix')


@pytest.mark.parametrize('via', STREAMS)
def test_json_says_the_same_in_objects(peers, via):
    peer = peers(via, echo)
    r = send(peer.endpoint, '--json', '--rounds', '2').ok()
    assert [e['event'] for e in r.events()][0] == 'connect'
    connect, = r.events('connect')
    assert connect['endpoint'] == peer.endpoint and connect['corked'] == (via != 'unix')
    assert [(e['round'], e['n'], e['bytes']) for e in r.events('send')] == [(i // 10 + 1, i % 10 + 1, 100)
                                                                           for i in range(20)]
    assert all(e['blocked'] == (e['blocked_ns'] > 0) for e in r.events('send'))
    assert sum(e['bytes'] for e in r.events('recv')) == 2000
    assert [(e['round'], e['sent'], e['received'], e['same']) for e in r.events('round')] == [
        (1, 1000, 1000, True), (2, 1000, 1000, True)]
    summary, = r.events('summary')
    assert (summary['rounds'], summary['sends'], summary['sent'], summary['exit']) == (2, 20, 2000, 0)


def data_segments(conn):
    """tcpi_data_segs_in: segments with data that have come in."""
    return struct.unpack_from('=I', conn.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160), 152)[0]


@pytest.mark.parametrize('flags,corked', [([], True), (['--no-cork'], False)])
def test_corked_sends_leave_in_one_segment(peers, flags, corked):
    segments = []

    def work(peer, conn):
        got = read_exactly(peer, conn, 1000)
        segments.append(data_segments(conn))
        conn.sendall(got)

    peer = peers('tcp4', work)
    r = send(peer.endpoint, *flags).ok()
    assert ('corked' in r.out) == corked
    if corked:
        assert [len(data) for data in peer.recvs] == [1000] and segments == [1]
        assert r.sizes('recv') == [1000]
    else:
        assert segments[0] > 1


def test_sends_do_not_wait_for_an_ack(peers):
    """Second round, ACKs delayed by the peer: one at a time would make two segments, the first and the rest."""
    segments = []

    def work(peer, conn):
        for _ in range(2):
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
            got = read_exactly(peer, conn, 1000)
            segments.append(data_segments(conn))
            conn.sendall(got)

    send(peers('tcp4', work).endpoint, '--no-cork', '--rounds', '2').ok()
    assert segments[1] - segments[0] > 2


def test_recv_size_cuts_the_reply(peers):
    assert send(peers('tcp4', echo).endpoint, '--recv-size', '950').ok().sizes('recv') == [950, 50]


def test_rounds_keep_their_connection(peers):
    peer = peers('tcp4', echo)
    r = send(peer.endpoint, '--rounds', '3', '--every', '50ms', '--json').ok()
    assert peer.accepted == 1
    assert [len(data) for data in peer.recvs] == [1000] * 3
    # A round begins no earlier than its time.
    assert r.events('summary')[0]['ns'] >= 100_000_000


def test_text_size_and_count_are_what_is_sent(peers):
    peer = peers('tcp4', echo)
    send(peer.endpoint, '--text', 'abc', '--size', '5', '--count', '2').ok()
    assert b''.join(peer.recvs) == b'abc\0\0' * 2


@pytest.mark.parametrize('via', STREAMS)
def test_ten_mebibytes_do_not_deadlock(peers, via):
    """The peer echoes with blocking sends: who only sends until all is sent would wait for ever."""
    peer = peers(via, echo)
    r = send(peer.endpoint, '--size', '10M', '--count', '1', '--recv-size', '1M', '--json').ok()
    assert sum(e['bytes'] for e in r.events('send')) == sum(e['bytes'] for e in r.events('recv')) == 10 << 20
    assert sum(len(data) for data in peer.recvs) == 10 << 20
    assert any(e['bytes'] < e['asked'] for e in r.events('send')), 'not one short send'


@pytest.mark.parametrize('via', STREAMS)
def test_blocked_sends_are_said(peers, via):
    go = threading.Event()

    def work(peer, conn):
        assert go.wait(GENEROUS)
        swallow(peer, conn)

    peer = peers(via, work)
    with Running(peer.endpoint, '--size', '32M', '--count', '1', '--reply', 'none', '--timeout', '1m', '--json') as c:
        c.until(r'"event":"send"')
        c.until_asleep()
        go.set()
        r = c.end().ok()
    first = r.events('send')[0]
    assert first['bytes'] < first['asked'] == 32 << 20 and not first['blocked']
    assert any(e['blocked'] for e in r.events('send'))
    assert sum(e['bytes'] for e in r.events('send')) == 32 << 20


def test_reply_none_waits_for_nothing(peers):
    peer = peers('tcp4', swallow)
    r = send(peer.endpoint, '--reply', 'none', '--rounds', '2').ok()
    assert r.sizes('recv') == [] and 'the same' not in r.out


def test_reply_eof_ends_and_reads_to_the_end(peers):
    def work(peer, conn):
        swallow(peer, conn)
        conn.sendall(b'bye' * 500)

    peer = peers('tcp4', work)
    r = send(peer.endpoint, '--reply', 'eof', '--rounds', '2').ok()
    assert len(b''.join(peer.recvs)) == 2000 and sum(r.sizes('recv')) == 1500


def test_reply_of_a_size_takes_whatever_comes(peers):
    def work(peer, conn):
        conn.sendall(b'\x1b' * 10000)
        swallow(peer, conn)

    r = send(peers('tcp4', work).endpoint, '--reply', '250', '--rounds', '2', '--recv-size', '100').ok()
    assert r.sizes('recv') == [100, 100, 50] * 2 and 'the same' not in r.out


def test_a_name_is_looked_up(peers):
    port = peers('tcp4', echo).sock.getsockname()[1]
    assert f'connected tcp://127.0.0.1:{port}' in send(f'tcp://localhost:{port}').ok().out


# ---- judging the reply -------------------------------------------------------------------------------------

def corrupt(at):
    def work(peer, conn):
        got = bytearray(read_exactly(peer, conn, 1000))
        got[at] ^= 0x1b
        conn.sendall(got)

    return work


@pytest.mark.parametrize('at', [0, 537, 999])
@pytest.mark.parametrize('recv_size', ['1', '33', '1000'])
def test_one_wrong_byte_is_found(peers, at, recv_size):
    was = BUFFER[at % 100]
    send(peers('tcp4', corrupt(at)).endpoint, '--recv-size', recv_size).failed(
        1, f'offset {at} of round 1: 0x{was:02x} was sent, 0x{was ^ 0x1b:02x} came back')


def test_more_than_was_sent_is_found(peers):
    def work(peer, conn):
        conn.sendall(read_exactly(peer, conn, 1000) * 2)
        swallow(peer, conn)

    endpoint = peers('tcp4', work).endpoint
    send(endpoint, '--recv-size', '64k').failed(1, 'more came back than was sent: 1000 bytes sent, 2000 received')
    # Also when the round is over by then, and the next one far away.
    send(endpoint, '--rounds', '2', '--every', '10m').failed(1, 'more came back than was sent')


# ---- failures ----------------------------------------------------------------------------------------------

def test_refused(peers):
    sock = socket.socket()
    with sock:
        sock.bind(('127.0.0.1', 0))  # and does not listen
        endpoint = f'tcp://127.0.0.1:{sock.getsockname()[1]}'
        r = send(endpoint).failed(69, f'streambed send: {endpoint}: connection refused: nothing listens there')
        assert r.out == ''
        r = send(endpoint, '--json').failed(69, 'connection refused')
        assert [(e['endpoint'], e['text'], e['exit']) for e in r.events('error')] == [
            (endpoint, 'connection refused: nothing listens there', 69)]


def test_refused_by_a_unix_socket_that_is_left_or_not_there(tmp_path):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / 'left'))
    left.close()
    send(f'unix:{tmp_path}/left').failed(69, 'connection refused: nothing listens there')
    send(f'unix:{tmp_path}/none').failed(69, 'there is no such socket')


def test_unreachable():
    send('tcp://224.0.0.1:7777').failed(69, 'tcp://224.0.0.1:7777: ', 'unreachable')


@pytest.mark.parametrize('via', STREAMS)
def test_no_connection_in_time(peers, via):
    """The listener's queue is full, and nobody takes anything from it."""
    peer = peers(via, None, backlog=0)
    waiting = [socket.socket(peer.sock.family) for _ in range(8)]
    for s in waiting:
        s.setblocking(False)
        s.connect_ex(peer.sock.getsockname())
    send(peer.endpoint, '--timeout', SHORT).failed(69, f'timed out: no connection within {SHORT}')
    for s in waiting:
        s.close()


@pytest.mark.parametrize('host', ['no..such', 'a' * 64 + '.invalid'])
def test_name_not_found(host):
    """Names that no name server is asked about."""
    r = send(f'tcp://{host}:7777', '--json').failed(69, f'name not found: {host}')
    assert r.events('error')[0]['exit'] == 69


@pytest.mark.parametrize('via', STREAMS)
def test_closed_before_the_reply_was_whole(peers, via):
    def work(peer, conn):
        conn.sendall(read_exactly(peer, conn, 1000)[:400])

    send(peers(via, work).endpoint).failed(69, 'closed by the peer: 400 of 1000 bytes of the reply had come')


def test_closed_between_two_rounds(peers):
    def work(peer, conn):
        conn.sendall(read_exactly(peer, conn, 1000))

    r = send(peers('tcp4', work).endpoint, '--rounds', '2', '--every', '10m')
    r.failed(69, 'closed by the peer between two rounds')
    assert 'summary: 1 round,' in r.out


def test_reset_before_the_reply_was_whole(peers):
    def work(peer, conn):
        conn.sendall(read_exactly(peer, conn, 1000)[:300])
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))

    send(peers('tcp4', work).endpoint).failed(69, 'reset by the peer: ', ' of 1000 bytes of the reply had come')


@pytest.mark.parametrize('via', STREAMS)
def test_sends_to_a_closed_peer_are_an_error_and_no_signal(peers, via):
    peer = peers(via, lambda peer, conn: None)
    r = send(peer.endpoint, '--reply', 'none', '--every', '20ms')
    r.failed(69, 'by the peer')


def test_no_reply_in_time(peers):
    r = send(peers('tcp4', swallow).endpoint, '--timeout', SHORT, '--json')
    r.failed(69, f'timed out: nothing came for {SHORT}: 0 of 1000 bytes of the reply had come')
    assert r.events('summary')[0]['exit'] == 69


def test_no_end_in_time(peers):
    r = send(peers('tcp4', hold).endpoint, '--timeout', SHORT, '--reply', 'eof')
    r.failed(69, 'timed out', 'the peer has not closed after our end')


@pytest.mark.parametrize('via', STREAMS)
def test_a_peer_that_does_not_read(peers, via):
    r = send(peers(via, hold).endpoint, '--size', '64M', '--count', '1', '--timeout', SHORT)
    r.failed(69, f'timed out: nothing was accepted for {SHORT}: the peer does not read')
    assert 0 < sum(r.sizes('send')) < 64 << 20


ITSELF = '''
import fcntl, os, socket, struct, sys
lo = struct.pack("16sh14x", b"lo", 1)  # IFF_UP
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8914, lo)
with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as f:
    f.write("40000 40000")
os.execv(sys.argv[1], sys.argv[1:])
'''


@pytest.mark.parametrize('args', [['tcp://127.0.0.1:40000'], ['udp://127.0.0.1:40000'],
                                  ['udp://127.0.0.1:40000', '--udp-connected']])
def test_64_self_connected(args):
    """In a network of its own whose only free port is the one that is connected to."""
    if not shutil.which('unshare') or subprocess.run(['unshare', '-rn', 'true'], capture_output=True).returncode != 0:
        pytest.skip('no user and network namespaces here')
    r = subprocess.run(['unshare', '-rn', sys.executable, '-c', ITSELF, BIN, 'send', *args], capture_output=True,
                       timeout=GENEROUS)
    Done(r.returncode, r.stdout, r.stderr).failed(69, f'{args[0]}: connected to itself: nothing listens there')


# ---- datagrams ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize('via', ['udp4', 'udp6'])
@pytest.mark.parametrize('flags', [[], ['--udp-connected']])
def test_ten_datagrams_and_ten_back(peers, via, flags):
    peer = peers(via, echo_datagrams)
    r = send(peer.endpoint, *flags).ok()
    assert peer.recvs == [BUFFER] * 10
    assert r.sizes('send') == r.sizes('recv') == [100] * 10
    assert r.lines[0].startswith('connected udp://' if flags else 'sending to udp://')
    assert 'corked' not in r.out and r.lines[-2].endswith(': the same bytes')
    r = send(peer.endpoint, *flags, '--json', '--rounds', '2').ok()
    assert r.events('connect')[0]['connected'] == bool(flags)
    assert [(e['sends'], e['recvs'], e['missing'], e['same']) for e in r.events('round')] == [(10, 10, 0, True)] * 2


def test_an_empty_datagram_is_one(peers):
    peer = peers('udp4', echo_datagrams)
    r = send(peer.endpoint, '--size', '0', '--text', '', '--count', '2').ok()
    assert peer.recvs == [b'', b''] and r.sizes('recv') == [0, 0]


def lossy(peer):
    for i in range(1 << 30):
        data, source = peer.sock.recvfrom(1 << 16)
        if i % 10 != 3:
            peer.sock.sendto(data, source)


@pytest.mark.parametrize('flags', [[], ['--udp-connected']])
def test_lost_datagrams_are_counted(peers, flags):
    r = send(peers('udp4', lossy).endpoint, *flags, '--timeout', SHORT)
    r.failed(69, 'timed out: 9 of 10 came back')
    assert r.lines[-2].endswith(': 9 of 10 came back')
    r = send(peers('udp4', lossy).endpoint, *flags, '--timeout', SHORT, '--rounds', '2', '--json')
    r.failed(69, 'timed out: 18 of 20 came back')
    assert [(e['missing'], e['same']) for e in r.events('round')] == [(1, False)] * 2
    assert (r.events('summary')[0]['missing'], r.events('error')[0]['exit']) == (2, 69)


@pytest.mark.parametrize('rounds', ['1', '3'])
def test_refused_datagrams(rounds):
    """A UDP socket that is connected elsewhere: the kernel refuses what others send to its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(('127.0.0.1', 0))
        s.connect(('127.0.0.1', 9))
        endpoint = f'udp://127.0.0.1:{s.getsockname()[1]}'
        send(endpoint, '--udp-connected', '--count', rounds).failed(69, 'connection refused: nothing listens there')
        # Who is not connected is told nothing.
        send(endpoint, '--timeout', SHORT, '--count', rounds).failed(69, f'0 of {rounds} came back')


def test_a_corrupted_or_cut_datagram_is_found(peers):
    def work(peer):
        data, source = peer.sock.recvfrom(1 << 16)
        peer.sock.sendto(data[:50] + b'\x1b' + data[51:], source)

    def cut(peer):
        data, source = peer.sock.recvfrom(1 << 16)
        peer.sock.sendto(data[:99], source)

    send(peers('udp4', work).endpoint).failed(1, 'offset 50 of datagram 1: 0x00 was sent, 0x1b came back')
    send(peers('udp4', cut).endpoint).failed(1, 'a datagram of 100 bytes came back with 99')


def test_a_datagram_too_many_is_found(peers):
    def work(peer):
        data, source = peer.sock.recvfrom(1 << 16)
        peer.sock.sendto(data, source)
        peer.sock.sendto(data, source)

    send(peers('udp4', work).endpoint, '--count', '1', '--rounds', '2', '--every', '10m').failed(
        1, 'more came back than was sent: 1 datagrams sent, 2 received')


def test_a_small_recv_loses_the_rest_of_a_datagram(peers):
    r = send(peers('udp4', echo_datagrams).endpoint, '--recv-size', '50', '--count', '3').ok()
    assert r.out.count('recv ') == 3 and r.out.count('100 bytes, of which 50 fitted') == 3
    assert r.lines[-2].endswith('the same bytes, as far as they fitted')


def test_datagrams_of_strangers_do_not_count(peers):
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def work(peer):
        data, source = peer.sock.recvfrom(1 << 16)
        stranger.sendto(data, source)
        peer.sock.sendto(data, source)

    with stranger:
        r = send(peers('udp4', work).endpoint, '--count', '1').ok()
        assert r.sizes('recv') == [100]
        assert f'not counted: 100 bytes from 127.0.0.1:{stranger.getsockname()[1]}' in r.out
        r = send(peers('udp4', work).endpoint, '--count', '1', '--json').ok()
        assert [e['bytes'] for e in r.events('recv') if 'stray_from' in e] == [100]


# ---- signals -----------------------------------------------------------------------------------------------

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize('sig', SIGNALS)
@pytest.mark.parametrize('every', ['20ms', '10m'])
def test_a_signal_ends_the_rounds_in_order(peers, sig, every):
    with Running(peers('tcp4', echo).endpoint, '--every', every) as c:
        c.until('^round 2' if every == '20ms' else '^round 1')
        r = c.end(sig).ok()
    assert r.lines[-1].startswith('summary: ') and r.lines[-1].endswith(f', ended by {sig.name[3:]}')


@pytest.mark.parametrize('sig', SIGNALS)
@pytest.mark.parametrize('work,args', [(swallow, []), (hold, ['--size', '64M', '--count', '1'])])
def test_a_signal_ends_a_wait(peers, sig, work, args):
    with Running(peers('tcp4', work).endpoint, '--timeout', '10m', '--json', *args) as c:
        c.until('"event":"send"')
        c.until_asleep()
        r = c.end(sig).ok()
    summary, = r.events('summary')
    assert summary['stopped'] and summary['rounds'] == 0 and summary['exit'] == 0


@pytest.mark.parametrize('args', [['--rounds', '1000000000', '--count', '1'], ['--count', '1000000']])
def test_a_signal_ends_what_never_waits(peers, args):
    with Running(peers('tcp4', swallow).endpoint, '--reply', 'none', '--json', *args) as c:
        for _ in range(5):
            c.until('"event":"send"')
        r = c.end(signal.SIGINT).ok()
    summary, = r.events('summary')
    assert summary['stopped'] and summary['sends'] < 1000000


# ---- output ------------------------------------------------------------------------------------------------

def test_a_reader_that_goes_away(peers):
    with Running(peers('tcp4', echo).endpoint, '--every', '10ms') as c:
        c.until('^round 1')
        c.p.stdout.close()
        err = c.p.stderr.read()
        assert c.p.wait(GENEROUS) == 74
        assert err == b'streambed send: stdout takes no more of the results\n'
        c.p.stdout = None


def test_a_full_disk(peers):
    with open('/dev/full', 'wb') as full:
        r = subprocess.run([BIN, 'send', peers('tcp4', echo).endpoint], stdout=full, stderr=subprocess.PIPE,
                           timeout=GENEROUS)
    assert (r.returncode, r.stderr) == (74, b'streambed send: stdout takes no more of the results\n')


def test_odd_names_are_escaped(tmp_path):
    endpoint = os.fsencode(f'unix:{tmp_path}/') + b'q"\x1b[31m\xff'
    r = send(endpoint).failed(69, r'q"\x1b[31m\xff')
    assert r.out == ''
    assert send(endpoint, '--json').failed(69).events('error')[0]['endpoint'].endswith('q"\x1b[31m\xff')


# ---- usage -------------------------------------------------------------------------------------------------

def test_help():
    r = send('--help').ok()
    assert r.out.startswith('usage: streambed send ENDPOINT') and 'example: ' in r.out
    for flag in ('count size text every rounds recv-size timeout reply udp-connected no-cork json').split():
        assert f'\n  --{flag} ' in r.out


TCP, UDP = 'tcp://127.0.0.1:9', 'udp://127.0.0.1:9'


@pytest.mark.parametrize('args,part', [
    ([], 'where to?'),
    ([TCP, UDP], 'one ENDPOINT, not two'),
    (['127.0.0.1:9'], 'is no endpoint'),
    (['tcp://127.0.0.1'], 'tcp://HOST:PORT'),
    (['tcp://::1:9'], 'in brackets'),
    (['tcp://127.0.0.1:0'], '1 to 65535, not "0"'),
    (['tcp://127.0.0.1:65536'], '1 to 65535, not "65536"'),
    (['tcp://' + 'a' * 256 + ':9'], 'at most 255 bytes'),
    (['unix:'], 'needs a path'),
    (['unix:/' + 'a' * 107], 'at most 107 bytes'),
    ([TCP, '--cuont', '3'], 'did you mean --count'),
    ([TCP, '--lnie', 'ECHO'], 'did you mean --line?'),
    ([UDP, '--line', 'ECHO'], '--line is for tcp:// and unix:'),
    ([TCP, '--scirpt', 'x'], 'did you mean --script?'),
    ([TCP, '--script'], 'needs a value'),
    ([TCP, '--script', 'x', '--size', '5'], '--script and --size do not go together'),
    ([TCP, '--max-time', '3s'], '--max-time is for --script'),
    ([TCP, '--count'], 'needs a value'),
    ([TCP, '--json=1'], 'takes no value'),
    ([TCP, '--count', '1', '--count', '2'], '--count is given twice'),
    ([TCP, '--count', '0'], '--count is 1 to 1000000, not "0"'),
    ([TCP, '--count', '-1'], '--count is 1 to 1000000, not "-1"'),
    ([TCP, '--count', '1k'], '--count is 1 to 1000000, not "1k"'),
    ([TCP, '--size', '0'], '--size is 1 to 64M, not "0"'),
    ([TCP, '--size', '65M'], '--size is 0 to 64M, not "65M"'),
    ([TCP, '--size', '99999999999999999999'], '--size is 0 to 64M'),
    ([UDP, '--size', '65508'], '--size is 0 to 65507 for udp://'),
    ([TCP, '--recv-size', '0'], '--recv-size is 1 to 64M, not "0"'),
    ([TCP, '--every', '5'], '--every is 1ms to 1440m, not "5"'),
    ([TCP, '--timeout', '0s'], '--timeout is 1ms to 1440m, not "0s"'),
    ([TCP, '--rounds', '0'], '--rounds is 1 to 1000000000, not "0"'),
    ([TCP, '--reply', 'ehco'], 'did you mean echo?'),
    ([TCP, '--reply', '0'], '--reply is echo, none, eof or a SIZE'),
    ([TCP, '--text', 'x' * 101], '--text has 101 bytes, more than --size 100'),
    ([TCP, '--size', '5'], '--text has 12 bytes ("Hello World!" unless given), more than --size 5'),
    ([TCP, '--udp-connected'], '--udp-connected is for udp://'),
    ([UDP, '--no-cork'], '--no-cork is for tcp://'),
    (['unix:/x', '--no-cork'], '--no-cork is for tcp://'),
    ([UDP, '--reply', 'eof'], 'UDP has no end'),
])
def test_bad_usage_is_one_line(args, part):
    assert send(*args).failed(2, 'streambed send: ', part).out == ''
