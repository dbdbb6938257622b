# SPDX-License-Identifier: MIT
"""Faults, group A: framing, over real sockets. Numbers are those of the list of faults."""
import socket
import struct
import threading

import pytest

from harness import (COUNTED, CUT, FRAMINGS, exchange, finish, needs, pattern, send_cut, take, take_all, taken, u32be,
                     varint)

HUGE = {  # a header that announces more than there can be, and the offset at which that is sure
    'u32be': b'\xff\xff\xff\xff', 'u32le': b'\xff\xff\xff\xff', 'varint': b'\xff\xff\xff\xff\x0f',
    'netstring': b'4294967295:', 'len:0,8,be,0': b'\xff\xff\xff\xff\xff\xff\xff\xfc',
    'len:0,8,le,0': b'\xfc\xff\xff\xff\xff\xff\xff\xff', 'len:0,4,be,4': b'\xff\xff\xff\xfc',
    'chunked': b'ffffffffffffffff\r\n', 'resp': b'*4294967295\r\n',
}


def serve_each(serve, framings, *options, keys='', **more):
    """One server with a listener for each framing: {framing: number of its listener}."""
    listens = [a for f in framings for a in ('--listen', f'tcp://127.0.0.1:0,ECHO frame={f}{keys}')]
    return serve(None, *listens, *options, **more), {f: i for i, f in enumerate(framings)}


def test_A01_nothing_and_eof_is_eof(serve, io):
    server, at = serve_each(serve, FRAMINGS, '--io', io)
    for i in at.values():
        with server.connect(i) as client:
            finish(client)
            assert take_all(client) == (b'', 'eof')
    assert server.stop()['closed-eof'] == len(FRAMINGS)


def test_A02_part_of_a_header_and_eof_is_truncated(serve, io):
    parts = {'line': b'a', 'crlf': b'a\r', 'delim:00': b'a', 'delim:0d0a0d0a': b'\r\n\r', 'fixed:4': b'abc',
             'u16be': b'\0', 'u16le': b'\5', 'u32be': b'\0', 'u32le': b'\1\0\0', 'varint': b'\x80',
             'netstring': b'5', 'len:1,3,be,0': b'\x07', 'chunked': b'5\r', 'resp': b'*2\r\n', 'sse': b'data: a\r\n'}
    server, at = serve_each(serve, parts, '--io', io)
    for f, part in parts.items():
        with server.connect(at[f]) as client:
            client.sendall(part)
            finish(client)
            assert take_all(client) == (b'', 'eof'), f
            close = server.close_of(client)
            assert (close['reason'], close['frames'], close['in'], close['out']) == ('truncated', 0, len(part), 0), f
            assert close['dropped'] == len(part), f
    server.stop()


@pytest.mark.parametrize('f', [*COUNTED, 'line', 'crlf', 'delim:00', 'sse'])
def test_A03_an_empty_frame_is_echoed(serve, f):
    server = serve(f'ECHO frame={f}')
    empty = FRAMINGS[f](b'')
    with server.connect() as client:
        client.sendall(empty)
        assert take(client, len(empty)) == empty
        assert exchange(client, empty * 3) == (empty * 3, 'eof')
        assert server.close_of(client)['frames'] == 4


@pytest.mark.parametrize('most', [1, 1000, 65535, 65536])
def test_A04_a_frame_of_max_is_echoed(serve, io, most):
    framings = [f for f in CUT if f not in ('fixed:4', 'u8', 'delim:0d0a0d0a', 'resp') and
                not (f in ('u16be', 'u16le', 'len:0,2,le,-2,2') and most > 65533)]
    server, at = serve_each(serve, framings, '--io', io, keys=f' max={most}')
    payload = b'x' * most
    for f, i in at.items():
        with server.connect(i) as client:
            wire = FRAMINGS[f](payload)
            assert exchange(client, wire * 3) == (wire * 3, 'eof'), f
            assert server.close_of(client)['frames'] == 3, f


@pytest.mark.parametrize('f', ['u16be', 'u16le', 'u32be', 'u32le', 'varint', 'netstring', 'len:1,3,be,0', 'chunked',
                               'resp'])
def test_A05_max_plus_one_closes_too_large(serve, f):
    """On the header alone: the body never has to come."""
    server = serve(f'ECHO frame={f} max=1000')
    good, head = FRAMINGS[f](b'fine'), FRAMINGS[f](b'x' * 1001)
    head = head[:head.index(b'x')]
    with server.connect() as client:
        client.sendall(good + head)
        assert take_all(client) == (good, 'eof')
        finish(client)
        close = server.close_of(client)
        assert (close['reason'], close['frames'], close['out']) == ('too-large', 1, len(good))
        assert len(good) <= close['offset'] < len(good + head)


@pytest.mark.parametrize('f', ['line', 'crlf', 'delim:00', 'sse'])
def test_A05_max_plus_one_without_an_end_closes_too_large(serve, f):
    server = serve(f'ECHO frame={f} max=1000')
    good = FRAMINGS[f](b'fine')
    with server.connect() as client:
        client.sendall(good + b'x' * 1001)
        assert take_all(client) == (good, 'eof')
        finish(client)
        close = server.close_of(client)
        assert (close['reason'], close['offset']) == ('too-large', len(good) + 1000)


@pytest.mark.parametrize('f', HUGE)
def test_A06_A08_a_length_that_would_overflow_closes_too_large(serve, f):
    """2^32-1, and 2^64-4 or what with its header passes 2^32: as any other that is too large, nothing taken for it."""
    server = serve(f'ECHO frame={f}')
    before = server.resident()
    with server.connect() as client:
        client.sendall(HUGE[f])
        assert take_all(client) == (b'', 'eof')
        finish(client)
        assert server.close_of(client)['reason'] == 'too-large'
    assert server.resident() - before < 8 << 20


@pytest.mark.parametrize('length', [1 << 31, (1 << 31) + 5, (1 << 32) - 5])
def test_A07_a_length_that_is_negative_if_signed_closes_too_large(serve, length):
    server = serve('ECHO frame=u32be')
    with server.connect() as client:
        client.sendall(struct.pack('>I', length) + b'12345')
        assert take_all(client) == (b'', 'eof')
        finish(client)
        assert server.close_of(client)['reason'] == 'too-large'


def test_A07_a_length_that_counts_its_field_and_is_shorter_is_bad(serve):
    server = serve('ECHO frame=len:0,2,le,-2,2')
    with server.connect() as client:
        client.sendall(b'\1\0')
        assert take_all(client) == (b'', 'eof')
        finish(client)
        assert server.close_of(client)['reason'] == 'bad-length'


def test_A09_announced_and_not_sent_is_a_frame_timeout(serve, io):
    server = serve('ECHO frame=u32be', '--io', io, '--frame-timeout', '300ms')
    with server.connect() as stalled, server.connect() as other:
        stalled.sendall(struct.pack('>I', 60000) + b'0123456789')
        assert take_all(stalled) == (b'', 'eof')
        finish(stalled)
        close = server.close_of(stalled)
        assert (close['reason'], close['change'], close['dropped']) == ('frame-timeout', '--frame-timeout', 14)
        assert exchange(other, u32be(b'still here')) == (u32be(b'still here'), 'eof')


@pytest.mark.parametrize('f', COUNTED)
def test_A10_one_byte_more_than_announced_begins_the_next_frame(serve, f):
    server = serve(f'ECHO frame={f}')
    frame = FRAMINGS[f](b'0123456789')
    with server.connect() as client:
        client.sendall(frame + frame[:1])
        assert take(client, len(frame)) == frame
        client.sendall(frame[1:])
        assert take(client, len(frame)) == frame
        finish(client)
        assert server.close_of(client)['frames'] == 2


@pytest.mark.parametrize('f', CUT)
def test_A14_two_frames_in_one_read_are_two_replies_in_order(serve, f):
    server = serve(f'ECHO frame={f}')
    wire = FRAMINGS[f](b'one!') + FRAMINGS[f](b'two!')
    with server.connect() as client:
        client.sendall(wire)
        assert take(client, len(wire)) == wire
        finish(client)
        assert server.close_of(client)['frames'] == 2


@needs('prlimit')
@pytest.mark.parametrize('f, frame', [('u8', b'\0'), ('line', b'\n'), ('netstring', b'0:,')])
def test_A15_a_million_empty_frames_on_a_small_stack(serve, io, f, frame):
    server = serve(f'ECHO frame={f}', '--io', io, under=['prlimit', '--stack=65536'])
    with server.connect() as client:
        got, how = exchange(client, frame * 10**6)
        assert (len(got), how) == (len(frame) * 10**6, 'eof')
        assert got == frame * 10**6
        assert server.close_of(client)['frames'] == 10**6


@pytest.mark.parametrize('f', CUT)
def test_A16_cut_anywhere_the_answer_is_the_same(serve, io, f):
    """Every way to cut the stream in two, each half read by itself; then byte by byte."""
    server = serve(f'ECHO frame={f}', '--io', io)
    wire = FRAMINGS[f](b'abcd') + FRAMINGS[f](b'') * (f != 'fixed:4') + FRAMINGS[f](b'efgh')
    whole = 3 if f != 'fixed:4' else 2
    for cuts in [[i] for i in range(1, len(wire))] + [range(1, len(wire))]:
        with server.connect() as client:
            send_cut(client, wire, cuts)
            finish(client)
            assert take_all(client) == (wire, 'eof'), (f, list(cuts))
    assert server.stop()['frames'] == whole * len(wire)


def test_A16_cut_anywhere_over_a_unix_socket(serve, io):
    server = serve('ECHO frame=u32be', '--io', io, via='unix')
    wire = u32be(b'abcd') + u32be(b'efgh')
    for cut in range(1, len(wire)):
        with server.connect() as client:
            send_cut(client, wire, [cut])
            finish(client)
            assert take_all(client) == (wire, 'eof')


@pytest.mark.parametrize('f', ['raw', 'u16be', 'u32le', 'varint', 'netstring', 'fixed:4', 'len:1,3,be,0', 'chunked',
                               'resp'])
def test_A17_all_bytes_come_back_as_they_were(serve, f):
    server = serve(f'ECHO frame={f}')
    payload = bytes(range(256)) + b'\0\0\0\r\n\r\n\xff\xff\xff\xff\xff' + b'SB1 ECHO\n' * 4
    payload += b'\0' * (-len(payload) % 4)
    wire = FRAMINGS[f](payload)
    with server.connect() as client:
        assert exchange(client, wire * 2) == (wire * 2, 'eof')


@pytest.mark.parametrize('text, reason, offset', [
    (b'05:hello,', 'overlong', 1), (b'00:,', 'overlong', 1), (b'+5:hello,', 'bad-length', 0),
    (b' 5:hello,', 'bad-length', 0), (b'5 :hello,', 'bad-length', 1), (b'-1:hello,', 'bad-length', 0),
    (b':,', 'bad-length', 0), (b'18446744073709551621:hello,', 'too-large', 5), (b'5:hello;', 'bad-delimiter', 7),
    (b'5:hello\n5:hello,', 'bad-delimiter', 7), (b'0x5:hello,', 'bad-length', 1)])
def test_A18_decimal_lengths_are_strict(serve, text, reason, offset):
    server = serve('ECHO frame=netstring')
    with server.connect() as client:
        client.sendall(b'2:ok,' + text)
        assert take_all(client) == (b'2:ok,', 'eof')
        finish(client)
        close = server.close_of(client)
        assert (close['reason'], close['offset'], close['frames']) == (reason, 5 + offset, 1)


@pytest.mark.parametrize('text', [b'\x80\x00', b'\x85\x00hello', b'\x85\x80\x00hello'])
def test_A19_an_overlong_varint_is_refused(serve, text):
    server = serve('ECHO frame=varint')
    with server.connect() as client:
        client.sendall(varint(b'ok') + text)
        assert take_all(client) == (varint(b'ok'), 'eof')
        finish(client)
        assert server.close_of(client)['reason'] == 'overlong'


def test_A20_a_varint_without_an_end_is_truncated(serve):
    server = serve('ECHO frame=varint')
    with server.connect() as client:
        client.sendall(varint(b'ok') + b'\x80')
        finish(client)
        assert take_all(client) == (varint(b'ok'), 'eof')
        assert server.close_of(client)['reason'] == 'truncated'


@pytest.mark.parametrize('text, offset', [(b'a\n', 1), (b'a\rb', 2), (b'\r\r\n', 1)])
def test_A18_crlf_is_strict(serve, text, offset):
    server = serve('ECHO frame=crlf')
    with server.connect() as client:
        client.sendall(b'ok\r\n' + text)
        assert take_all(client) == (b'ok\r\n', 'eof')
        finish(client)
        close = server.close_of(client)
        assert (close['reason'], close['offset']) == ('bad-delimiter', 4 + offset)


@pytest.mark.parametrize('text, reason, offset', [
    (b'0x5\r\nhello\r\n', 'bad-length', 1), (b'+5\r\n', 'bad-length', 0), (b' 5\r\n', 'bad-length', 0),
    (b'5 ;a\r\n', 'bad-length', 1), (b'5; a\r\n', 'bad-delimiter', 2), (b'5\nhello\r\n', 'bad-delimiter', 1),
    (b'5\rhello\r\n', 'bad-delimiter', 2), (b'5\r\nhello0\r\n\r\n', 'bad-delimiter', 8),
    (b'10000000000000005\r\n', 'too-large', 5), (b'0' * 17, 'overlong', 16),
    (b'0\r\na: b\r\n c\r\n', 'bad-delimiter', 9), (b'0\r\nGET / HTTP/1.1\r\n', 'bad-delimiter', 6)])
def test_A18_chunks_are_strict(serve, text, reason, offset):
    server = serve('ECHO frame=chunked')
    with server.connect() as client:
        client.sendall(b'2\r\nok\r\n' + text)
        assert take_all(client) == (b'2\r\nok\r\n', 'eof')
        finish(client)
        close = server.close_of(client)
        assert (close['reason'], close['offset'], close['frames']) == (reason, 7 + offset, 1)


def test_A_a_whole_chunked_message_comes_back_chunk_by_chunk(serve, io):
    server = serve('ECHO frame=chunked', '--io', io)
    chunks = [b'4\r\nWiki\r\n', b'6;ext="\\""\r\npedia \r\n', b'E\r\nin \r\n\r\nchunks.\r\n',
              b'0\r\nX-Sum: 1\r\n\r\n']
    with server.connect() as client:
        for chunk in chunks * 2:
            client.sendall(chunk)
            assert take(client, len(chunk)) == chunk
        finish(client)
        assert server.close_of(client)['frames'] == 8


def test_A_commands_and_replies_of_redis_come_back(serve, io):
    server = serve('ECHO frame=resp', '--io', io)
    values = [b'*2\r\n$7\r\nCOMMAND\r\n$4\r\nDOCS\r\n', b'*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\r\n\r\n\r\n', b'*-1\r\n',
              b'$-1\r\n', b'%1\r\n$5\r\nproto\r\n:3\r\n', b'|1\r\n+ttl\r\n:1\r\n*1\r\n*1\r\n#t\r\n']
    wire = b''.join(values)
    with server.connect() as client:
        for value in values:
            client.sendall(value)
            assert take(client, len(value)) == value
        send_cut(client, wire, range(1, len(wire)))
        assert take(client, len(wire)) == wire
        client.sendall(b'PING\r\n')
        assert take_all(client) == (b'', 'eof')
        finish(client)
        close = server.close_of(client)
        assert (close['reason'], close['offset'], close['frames']) == ('bad-delimiter', 2 * len(wire), 12)


@pytest.mark.parametrize('end, frames', [(b'\n\n', 1), (b'\r\r', 1), (b'\n\r', 1), (b'\r\n\r\n', 2), (b'\r\n\r', 1)])
def test_A_an_event_comes_back_with_its_last_byte(serve, io, end, frames):
    """Whether an LF follows a CR or never will: neither the event nor one byte of it is kept back."""
    server = serve('ECHO frame=sse', '--io', io)
    event = b'id: 1\ndata: a' + end
    with server.connect() as client:
        for _ in range(3):
            client.sendall(event)
            assert take(client, len(event)) == event
        finish(client)
        close = server.close_of(client)
        assert (close['reason'], close['frames']) == ('eof', 3 * frames)


@pytest.mark.parametrize('verb', ['ECHO', 'DISCARD'])
@pytest.mark.parametrize('f, reasons', [
    ('u32be', {'too-large'}), ('varint', {'too-large', 'overlong'}), ('netstring', {'bad-length'}),
    ('crlf', {'bad-delimiter', 'too-large'}), ('fixed:65536', {'eof'}), ('len:0,8,le,0', {'too-large'}),
    ('chunked', {'bad-length'}), ('resp', {'bad-delimiter'})])
def test_A28_a_random_megabyte_ends_within_the_first_bad_frame(serve, io, verb, f, reasons):
    server = serve(f'{verb} frame={f}', '--io', io)
    data = b'\xd7\xf3' + pattern((1 << 20) - 2, seed=77)
    with server.connect() as client:
        sender = threading.Thread(target=lambda: _send_quietly(client, data))
        sender.start()
        got, _ = take_all(client)
        sender.join()
        assert data.startswith(got)
        close = server.close_of(client)
        assert close['reason'] in reasons
        assert close['reason'] == 'eof' or close['in'] - close['dropped'] < 70000 * 3


def _send_quietly(client, data):
    try:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_A_other_connections_go_on_while_one_breaks(serve, io):
    server = serve('ECHO frame=u32be', '--io', io)
    with server.connect() as good:
        for i in range(50):
            with server.connect() as bad:
                bad.sendall(b'\xff\xff\xff\xff')
                frame = u32be(b'%d' % i)
                good.sendall(frame)
                assert take(good, len(frame)) == frame
                assert take_all(bad) == (b'', 'eof')
        finish(good)
        assert take_all(good) == (b'', 'eof')
    c = server.stop()
    assert (c['closed-too-large'], c['closed-eof']) == (50, 1)


def test_A_nothing_is_taken_of_a_frame_that_is_too_large(serve):
    """Refused at the header: the sender's 64 KiB are dropped, not held. The server says how many."""
    server = serve('ECHO frame=u32be max=1k')
    with server.connect() as client:
        client.sendall(u32be(b'x' * 60000))
        taken(client)
        finish(client)
        assert take_all(client) == (b'', 'eof')
        close = server.close_of(client)
        assert (close['in'], close['dropped'], close['reason']) == (60004, 60004, 'too-large')
