# SPDX-License-Identifier: MIT
"""Steps: a scripted peer in one line, and what a service does when it has ended."""
import socket
import time

import pytest

import harness
from harness import finish, refuses, take_all
from lines import id_of, receipt_of, said


def read_all(client):
    data, _ = take_all(client)
    return data


def exactly(client, n):
    data = b''
    while len(data) < n:
        some = client.recv(n - len(data))
        assert some, f'the end came after {data}'
        data += some
    return data


# ---- peers of known protocols, in one line ------------------------------------------------------------------


def test_a_redis_of_one_line(serve, via):
    server = serve(r'SCRIPT frame=resp | read:frame | send:+PONG\r\n | again', via=via)
    with server.connect() as client:
        for _ in range(3):
            client.sendall(b'*1\r\n$4\r\nPING\r\n')
            assert exactly(client, 7) == b'+PONG\r\n'
        client.sendall(b'+PING\r\n:1\r\n')  # two at once
        assert exactly(client, 14) == b'+PONG\r\n' * 2
        finish(client)
        assert client.recv(1) == b''
    close = server.close_of()
    assert close['reason'] == 'eof' and close['frames'] == 5


def test_a_mail_server_that_greets_first(serve):
    server = serve(r'SCRIPT frame=crlf | send:220\smail\sESMTP\r\n | read:frame | send:250\sok\r\n | read:frame '
                   r'| send:221\sbye\r\n')
    with server.connect() as client:
        assert exactly(client, 16) == b'220 mail ESMTP\r\n'
        client.sendall(b'EHLO me\r\n')
        assert exactly(client, 8) == b'250 ok\r\n'
        client.sendall(b'QUIT\r\n')
        assert read_all(client) == b'221 bye\r\n'
        finish(client)
    assert server.close_of()['reason'] == 'done'


def test_an_http_answer(serve):
    server = serve(r'SCRIPT frame=delim:0d0a0d0a | read:frame | send:HTTP/1.1\s200\sOK\r\nContent-Length:\s2\r\n\r\nok')
    with server.connect() as client:
        client.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
        assert read_all(client) == b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'


def test_the_issues_own_line(serve):
    server = serve(r'SCRIPT | read:frame | send:+OK\r\n | pause:50ms | again')
    with server.connect() as client:
        client.sendall(b'x')
        assert exactly(client, 5) == b'+OK\r\n'
        begun = time.monotonic()
        client.sendall(b'y')
        assert exactly(client, 5) == b'+OK\r\n'
        assert time.monotonic() - begun >= 0.045
        finish(client)
        assert client.recv(1) == b''


# ---- each step ----------------------------------------------------------------------------------------------


def test_a_pause_lasts_at_least_so_long(serve):
    server = serve('SCRIPT | send:a | pause:300ms | send:b')
    with server.connect() as client:
        assert client.recv(10) == b'a'
        begun = time.monotonic()
        assert client.recv(10) == b'b'
        assert time.monotonic() - begun >= 0.29


def test_reading_takes_so_many_bytes_however_they_come(serve):
    server = serve('SCRIPT | read:5 | send:one | read:3 | send:two')
    with server.connect() as client:
        for byte in b'1234':
            client.sendall(bytes([byte]))
            time.sleep(0.01)
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(10)
        client.setblocking(True)
        client.sendall(b'5abc')  # the rest, and what the next step waits for
        assert read_all(client) == b'onetwo'


def test_a_frame_is_wrapped_as_the_framing_has_it(serve):
    for framing, wire in (('u16be', b'\0\x05hello'), ('netstring', b'5:hello,'), ('crlf', b'hello\r\n')):
        server = serve(f'SCRIPT frame={framing} | frame:hello | send:raw')
        with server.connect() as client:
            assert read_all(client) == wire + b'raw'


def test_rst_is_a_reset(serve):
    server = serve('SCRIPT | send:half\\san\\sanswer | wait:read | rst')
    with server.connect() as client:
        assert exactly(client, 14) == b'half an answer'
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert server.close_of()['how'] == 'rst'


def test_half_sends_our_fin_and_reads_on(serve):
    server = serve('SCRIPT | send:bye | half | read:5 | read:1')
    with server.connect() as client:
        assert read_all(client) == b'bye'
        client.sendall(b'still')
        time.sleep(0.1)
        client.sendall(b'!')
    close = server.close_of()
    assert close['reason'] == 'done' and close['in'] == 6 and 'dropped' not in close


def test_wait_eof_drops_what_comes(serve):
    server = serve('SCRIPT | wait:eof | send:all\\sgone')
    with server.connect() as client:
        client.sendall(b'x' * 100000)
        finish(client)
        assert read_all(client) == b'all gone'
    close = server.close_of()
    assert close['dropped'] == 100000 and close['reason'] == 'done'


def test_wait_read_waits_for_the_peer(serve):
    server = serve('SCRIPT | send:one | wait:read | send:two')
    with server.connect() as client:
        time.sleep(0.3)
        assert client.recv(100) == b'one'
        assert client.recv(100) == b'two'


def test_stopread_stops_reading_while_the_steps_go_on(serve):
    server = serve('SCRIPT | stopread:500ms | send:now | read:1 | send:then')
    with server.connect() as client:
        client.sendall(b'x')
        begun = time.monotonic()
        assert exactly(client, 3) == b'now'
        assert exactly(client, 4) == b'then'
        assert time.monotonic() - begun >= 0.45


def test_an_option_is_set_at_its_step(serve):
    server = serve('ECHO')
    client, answer = said(server, 'SB1 SCRIPT | opt.TCP_NODELAY:0 | send:x | opt.SO_SNDBUF:8k\n')
    assert answer.startswith('+OK')
    assert read_all(client) == b'x'
    finish(client)
    receipt = receipt_of(server, id_of(answer))
    steps = [(e['step'], e['does']) for e in receipt['events'] if 'step' in e]
    assert steps == [(1, 'opt'), (2, 'send'), (3, 'opt')]
    options = [(e['set'], e['effective']) for e in receipt['events'] if 'set' in e]
    assert options == [('TCP_NODELAY', 0), ('SO_SNDBUF', 16384)]
    assert receipt['steps'] == 3 and receipt['reason'] == 'done'


def test_again_answers_all_that_was_sent_before_the_end(serve, io):
    server = serve('SCRIPT frame=line | read:frame | send:. | again', '--io', io)
    with server.connect() as client:
        client.sendall(b'a\nb\n' * 1000)
        finish(client)
        assert read_all(client) == b'.' * 2000
    assert server.close_of()['reason'] == 'eof'


def test_again_ends_when_nobody_reads_what_is_left(serve):
    server = serve('SCRIPT | send:tick | pause:20ms | again')
    with server.connect() as client:
        client.sendall(b'nobody reads this')
        exactly(client, 8)
        finish(client)
        assert read_all(client).replace(b'tick', b'') == b''
    assert server.close_of()['reason'] == 'eof'


def test_a_message_that_does_not_end_is_truncated(serve):
    server = serve('SCRIPT frame=line | read:frame | send:x')
    with server.connect() as client:
        client.sendall(b'half a line')
        finish(client)
        assert read_all(client) == b''
    assert server.close_of()['reason'] == 'truncated'


# ---- after a service, cut, and in all places ----------------------------------------------------------------


@pytest.mark.parametrize('line, sends, gets, why', [
    ('ECHO | send:bye', b'hello', b'hellobye', 'eof'),
    ('ECHO limit=5 | read:3 | send:bye', b'hello', b'hello', 'limit'),
    ('DISCARD frame=line | send:thanks', b'one\ntwo\n', b'thanks', 'eof'),
    ('SOURCE len=3 pattern=abc count=2 | send:.', b'', b'abcabc.', 'done'),
    ('CHARGEN limit=4 | send:.', b'', b' !"#.', 'limit'),
])
def test_steps_follow_a_service(serve, line, sends, gets, why):
    server = serve(line)
    with server.connect() as client:
        client.sendall(sends)
        finish(client)
        assert read_all(client) == gets
    assert server.close_of()['reason'] == why


def test_steps_are_cut_as_anything_is(serve):
    server = serve('SCRIPT frame=u8 cut=2 gate=read | frame:abc | send:wxyz')
    with server.connect() as client:
        assert [client.recv(100) for _ in range(5)] == [b'\x03a', b'bc', b'wx', b'yz', b'']
    server = serve('SCRIPT frag=2 gate=read flip=3 | send:abc | send:def')
    with server.connect() as client:
        # By offsets of the stream: the end of a step is no boundary.
        assert client.recv(100) == b'ab'
        assert exactly(client, 2) == b'ce'
        assert client.recv(100) == b'ef'


@pytest.mark.parametrize('line', ['SCRIPT | read:2 | send:ok | fin', 'ECHO limit=2 | send:ok'])
def test_the_same_in_all_three_places(serve, line):
    def talk(client):
        client.sendall(b'hi')
        data = read_all(client)
        client.close()
        return data[-2:]

    with serve(line).connect() as client:
        assert talk(client) == b'ok'
    server = serve('ECHO')
    client, answer = said(server, f'SB1 {line}\n')
    assert answer.startswith('+OK') and talk(client) == b'ok'
    control, answer = said(server, f'SB1 LISTEN {line}\n')
    port = int(dict(w.split('=', 1) for w in answer.split()[1:])['port'])
    with control, socket.create_connection(('127.0.0.1', port)) as client:
        assert talk(client) == b'ok'


@pytest.mark.parametrize('line, wrong', [
    ('SCRIPT', 'col=11 SCRIPT needs steps'),
    ('SCRIPT | sned:x', 'col=14 unknown step "sned" (did you mean send?)'),
    ('SCRIPT | read:0', 'col=19 read is 1 to 1048576M, not 0'),
    ('SCRIPT | half | send:x', 'col=21 nothing can be sent after half'),
    ('SCRIPT | opt.SO_MARK:1', 'col=14 SO_MARK is never allowed'),
    ('SCRIPT | opt.TCP_NODELAY:2', 'col=30 TCP_NODELAY is 0 or 1, not 2'),
    ('ECHO join=2 | send:x', 'col=10 join= does not go with steps'),
    ('RECEIPT id=c1.0 | send:x', 'col=23 steps are what a service ends with'),
])
def test_what_is_wrong_is_said_with_its_column(serve, line, wrong):
    server = serve('ECHO')
    client, answer = said(server, f'SB1 {line}\n')
    assert answer.startswith(f'-ERR {wrong}'), answer
    client.close()


def test_datagrams_have_no_steps():
    assert 'steps apply to tcp and unix, not to udp' in refuses('serve', '--listen', 'udp://127.0.0.1:0,ECHO | send:x',
                                                                code=2)


def test_explain_lists_the_program_and_takes_it_back():
    result = harness.run('explain', r'SCRIPT frame=line | read:frame | send:\x2bOK\r\n | pause:1000us | again')
    lines = result.stdout.splitlines()
    assert lines[0] == r'SCRIPT frame=line | read:frame | send:+OK\r\n | pause:1ms | again'
    assert lines[3:7] == ['steps      1 read:frame', r'           2 send:+OK\r\n', '           3 pause:1ms',
                          '           4 again']
    assert harness.run('explain', lines[0]).stdout == result.stdout


def test_many_short_steps_keep_nobody_waiting(serve, io):
    server = serve('SCRIPT | read:1 | again', '--io', io, '--listen', 'tcp://127.0.0.1:0,ECHO')
    with server.connect() as busy, server.connect(1) as other:
        for _ in range(20):
            busy.sendall(b'x' * 65536)
            other.sendall(b'hello')
            assert exactly(other, 5) == b'hello'
        finish(busy)
        assert read_all(busy) == b''
    assert server.close_of()['reason'] == 'eof'
