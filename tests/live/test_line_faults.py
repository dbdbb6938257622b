# SPDX-License-Identifier: MIT
"""Faults, groups A, B, C and F, where it is a line on the connection, or a port of LISTEN, that is or behaves badly.

Numbers are those of the list of faults; the files of the groups have what needs no line."""
import json
import random
import re
import socket
import subprocess
import time

import pytest

import harness
from harness import finish, is_quiet, needs, reset, take, take_all, taken
from lines import Control, answer_of, id_of, receipt_of, said, sizes_blocking
from test_F_options import DENIED


def refused(server, text):
    """What a line is answered that is refused: one line, and the end in order, whatever else was sent."""
    client, answer = said(server, f'SB1 {text}\n', b'payload' * 1000)
    with client:
        finish(client)
        assert take_all(client) == (b'', 'eof')
        assert server.close_of(client)['reason'] == 'line'
    assert answer.startswith('-ERR col='), answer
    assert exchanged(server, b'SB') == b'SB'  # the next connection knows nothing of it
    return answer


def exchanged(server, payload):
    with server.connect() as client:
        return harness.exchange(client, payload)[0]


# ---- A: what is said ----------------------------------------------------------------------------------------


def test_A11_an_unknown_verb_is_refused_and_drained(serve, io):
    server = serve('ECHO', '--io', io)
    assert re.match(r'-ERR col=5 unknown \w+ "EHCO" \(did you mean ECHO\?\)', refused(server, 'EHCO frag=1'))
    with server.connect() as client:  # not a reset, even for who has not read the answer and goes on sending
        client.sendall(b'SB1 NOSUCH\n')
        for _ in range(20):
            client.sendall(b'x' * 1000)
        finish(client)
        got, how = take_all(client)
        assert got.startswith(b'-ERR col=5 ') and how == 'eof'


@pytest.mark.parametrize('bites', [1, 3, 100])
def test_A12_the_marker_of_another_version_is_refused_and_drained(serve, io, bites):
    server = serve(None, '--listen', 'tcp://127.0.0.1:0,ECHO', '--listen', 'tcp://127.0.0.1:0,ECHO preamble=off',
                   '--io', io)
    data = b'SB2 ECHO frag=1\nhello'
    with server.connect() as client:
        for at in range(0, len(data), bites):
            client.sendall(data[at:at + bites])
        assert take(client, 8) == b'-ERR col'
        client.sendall(b'x' * 1000)
        finish(client)
        assert take_all(client) == (b'=3 version 2 of the lines is not known here: this server speaks SB1\n', 'eof')
    assert server.close_of()['reason'] == 'line'
    with server.connect(1) as client:
        assert harness.exchange(client, data)[0] == data
    with Control(server) as control:
        control.listen('ECHO')
        assert control('SB3 LISTEN ECHO').startswith('-ERR col=3 version 3 ')
        assert control('SB1 LIMITS').startswith('+OK bytes=')


@pytest.mark.parametrize('key', ['frag=1', 'gap=1ms', 'gate=ack', 'close=rst', 'limit=9', 'opt.SO_KEEPALIVE=1'])
def test_A21_a_key_twice_is_refused(serve, key):
    answer = refused(serve('ECHO'), f'ECHO {key} {key}')
    assert f'col={len("SB1 ECHO ") + len(key) + 2} ' in answer and 'twice' in answer


@pytest.mark.parametrize('key, value, takes', [
    ('frag', 'abc', 'a size'), ('frag', '', 'no value'), ('gap', '3', 'a time'), ('delay', '1h', 'a time'),
    ('gate', 'maybe', 'read|ack|time|best'), ('close', '1', 'clean|rst|abrupt|half|stall'), ('cut', 'x', 'offsets'),
    ('cut', '1,', 'offsets'), ('limit', '1e3', 'a size'), ('limit', '0x10', 'a size'), ('seed', '1.5', 'a'),
    ('opt.TCP_NODELAY', 'yes', '0 or 1'), ('frame', 'lines', 'line')])
def test_A22_a_value_of_the_wrong_kind_is_named(serve, key, value, takes):
    answer = refused(serve('ECHO'), f'ECHO {key}={value}')
    col = int(re.match(r'-ERR col=(\d+) ', answer)[1])
    assert len(f'SB1 ECHO {key}=') < col <= len(f'SB1 ECHO {key}={value}') + 1
    assert takes in answer


@pytest.mark.parametrize('key, value, says', [
    ('frag', '-0', '1 to'), ('frag', '0', '1 to'), ('frag', '65537', '1 to 64k'), ('frag', '1e308', 'a size'),
    ('limit', '9223372036854775808', '1 to'), ('limit', '99999999999999999999999999', '1 to'),
    ('seed', '18446744073709551616', '0 to 18446744073709551615'), ('flip', '-1', '0 to'),
    ('join', '18446744073709551617', '1 to'), ('gap', '99999999999999999999s', '')])
def test_A23_a_number_out_of_range_is_refused_and_the_range_named(serve, key, value, says):
    answer = refused(serve('ECHO'), f'ECHO {key}={value}')
    assert answer.startswith(f'-ERR col={len(f"SB1 ECHO {key}=") + 1} ') and says in answer


@pytest.mark.parametrize('byte', [0x00, 0x09, 0x0b, 0x1b, 0x7f, 0x80, 0xc3, 0xff])
def test_A24_a_byte_that_is_not_ascii_is_refused_and_comes_back_escaped(serve, byte):
    server = serve('ECHO')
    with server.connect() as client:
        client.sendall(b'SB1 ECHO frag=' + bytes([byte]) + b'1\n')
        finish(client)
        got, how = take_all(client)
        assert got.startswith(b'-ERR col=15 byte %02x is not printable ASCII' % byte) and how == 'eof'
        assert all(0x20 <= b < 0x7f or b == 0x0a for b in got)
        assert server.close_of(client)['reason'] == 'line'


OTHER_PROTOCOLS = {
    'A25_http': b'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    'A26_tls': bytes.fromhex('16030100c8010000c40303') + bytes(range(189)),
    'A27_proxy': b'\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\1\x12\x34\x1e\x61',
}


@pytest.mark.parametrize('name', OTHER_PROTOCOLS)
def test_A25_A26_A27_another_protocol_is_payload_and_ends_a_control_connection(serve, name):
    data = OTHER_PROTOCOLS[name]
    server = serve('ECHO')
    assert exchanged(server, data) == data
    with Control(server) as control:
        control.listen('ECHO')
        control.sock.sendall(data + b'\nLISTEN ECHO\n' * 2)
        got, how = take_all(control.sock)  # its side is still open
        assert how == 'eof' and len(got) < 200
        assert re.fullmatch(rb'-ERR (col=\d+ )?[^\n]+\n', got)
        finish(control.sock)
        assert server.close_of(control.sock)['reason'] == 'cross-protocol'
    with Control(server) as control:
        assert control.text('LIST').count('\n') == 1  # nothing was made of it, and its own port is gone


def test_A28_random_bytes_end_a_control_connection_with_the_first_bad_line(serve):
    server = serve('ECHO')
    with Control(server) as control:
        control.listen('ECHO')
        control.sock.sendall(random.Random(28).randbytes(1 << 20))
        finish(control.sock)
        got, how = take_all(control.sock)
        assert how == 'eof' and got.count(b'-ERR') == got.count(b'\n') == 1
        assert server.close_of(control.sock)['reason'] == 'cross-protocol'


def test_a_typing_error_leaves_a_control_connection_its_ports(serve):
    server = serve('ECHO')
    with Control(server) as control:
        control.listen('ECHO')
        for line in ('LSIT', '', 'LISTEN ECHO frag', 'LISTEN ECHO frag=x', 'GET /'):
            assert control(line).startswith('-ERR ')
        assert control.text('LIST').count('\n') == 2


def test_A30_one_more_than_a_list_may_have(serve):
    server = serve('ECHO')
    most = ','.join(map(str, range(1, 65)))
    client, answer = said(server, f'SB1 ECHO cut={most} gate=ack\n', b'x' * 100)
    with client:
        finish(client)
        assert answer.startswith('+OK') and take_all(client) == (b'x' * 100, 'eof')
    assert receipt_of(server, id_of(answer))['cuts']['all'] == 65  # the answer is a piece too
    assert 'cut takes at most 64 offsets' in refused(server, f'ECHO cut={most},65')


# ---- B: when ------------------------------------------------------------------------------------------------


def test_B36_who_waits_for_a_late_answer_is_not_idle(serve, io):
    server = serve('ECHO delay=900ms', '--io', io, '--idle-timeout', '300ms')
    with server.connect() as client:
        client.sendall(b'x')
        assert take(client, 1) == b'x'
        assert take_all(client) == (b'', 'eof')
        finish(client)
        assert server.close_of(client)['reason'] == 'idle-timeout'


def test_B41_behind_a_gate_what_is_not_read_stops_the_reading(serve, io):
    server = serve('ECHO frag=1000 gate=read rcvbuf=4k', '--io', io)
    with server.connect(sndbuf=4096, rcvbuf=4096) as client:
        sent = harness.fill(client, b'x' * 512)
        assert 1000 < sent < 1 << 20
        finish(client)
        sizes = sizes_blocking(client)
        assert sum(sizes) == sent and max(sizes) == 1000


def test_B42_C60_who_does_not_read_behind_a_gate_is_reset(serve, io):
    server = serve('ECHO', '--io', io)
    client, answer = said(server, 'SB1 ECHO frag=1 gate=read gate-max=300ms\n', b'hello')
    with client:
        close = server.close_of(client)
        assert (close['reason'], close['how']) == ('gate', 'rst')
        assert take_all(client) == (b'h', 'reset')
    receipt = receipt_of(server, id_of(answer))
    assert (receipt['reason'], receipt['how']) == ('gate', 'rst')


@pytest.mark.parametrize('line', ['ECHO delay=9s', 'ECHO frag=1 gap=9s', 'ECHO frag=1 gate=read',
                                  'SCRIPT | pause:9s', 'RECEIPT wait=9s id='])
def test_B43_a_client_that_vanishes_leaves_nothing_behind(serve, io, line):
    """What its line was lent is free again at once."""
    server = serve('ECHO', '--io', io, '--max-lines', '2')
    other, answer = said(server, 'SB1 ECHO\n')
    client = server.connect()
    client.sendall(f'SB1 {line}{id_of(answer) if line.endswith("id=") else ""}\n'.encode() + b'xy')
    server.event('line', 2)
    if not line.startswith('RECEIPT'):
        assert answer_of(client).startswith('+OK id=')
    since = time.monotonic()
    reset(client)
    assert server.event('close', reason='reset')['how'] == 'close'
    assert time.monotonic() - since < 5
    with other, server.connect() as client:
        client.sendall(b'SB1 ECHO\ny')
        assert answer_of(client).startswith('+OK') and take(client, 1) == b'y'


@pytest.mark.parametrize('line, says', [
    ('ECHO delay=61s', 'delay is at most 60000 ms here (--max-delay)'),
    ('ECHO frag=1 gap=61s', 'gap is at most 60000 ms here (--max-delay)'),
    ('ECHO stopread=61s', 'stopread is at most 60000 ms here (--max-delay)')])
def test_B44_a_delay_above_the_cap_is_refused_and_the_cap_named(serve, line, says):
    server = serve('ECHO')
    assert says in refused(server, line)
    with Control(server) as control:
        assert says in control('LISTEN ' + line)
    assert says.split(' here')[0] in harness.refuses('serve', '--listen', 'tcp://127.0.0.1:0,' + line, code=2)


@pytest.mark.parametrize('n, reason', [(9999, 'eof'), (10000, 'eof'), (10001, 'pieces-limit')])
def test_B45_the_strict_profile_sends_ten_thousand_pieces_and_no_more(serve, n, reason):
    server = serve(None, '--listen', 'tcp://0.0.0.0:0,ECHO', '--allow', '127.0.0.0/8')
    with Control(server) as control:
        answer = control('LISTEN ECHO frag=1 gate=ack')
        words = dict(w.split('=', 1) for w in answer.split()[1:])
        with socket.create_connection(('127.0.0.1', int(words['port'])), harness.GENEROUS) as client:
            client.sendall(b'x' * n)
            finish(client)
            got, _ = take_all(client)
            assert got == b'x' * min(n, 10000)
        receipt = json.loads(control.text(f'RECEIPT id={words["id"]} wait=10s'))
    assert (receipt['reason'], receipt['out']) == (reason, min(n, 10000))


# ---- C: how it begins and ends ------------------------------------------------------------------------------


def test_C48_what_is_cut_is_whole_after_a_half_close(serve, io, via):
    server = serve('ECHO cut=2,5 gap=50ms gate=ack', '--io', io, via=via)
    with server.connect() as client:
        client.sendall(b'abcdefgh')
        finish(client)
        assert take_all(client) == (b'abcdefgh', 'eof')
    assert server.close_of()['reason'] == 'eof'


def test_C49_what_join_holds_leaves_when_the_input_ends_inside_a_frame(serve, io):
    server = serve('ECHO frame=line join=3', '--io', io)
    with server.connect() as client:
        client.sendall(b'a\nbb\nccc')
        assert is_quiet(client)
        finish(client)
        assert take_all(client) == (b'a\nbb\n', 'eof')
        close = server.close_of(client)
        assert (close['reason'], close['dropped']) == ('truncated', 3)


def test_C50_a_reset_between_two_pieces_is_a_reset(serve, io):
    server = serve('ECHO', '--io', io)
    client, answer = said(server, 'SB1 ECHO frag=1 gate=read\n', b'hello')
    assert client.recv(1) == b'h'
    harness.until(lambda: client.recv(1, socket.MSG_PEEK), 'the next piece')
    reset(client)
    receipt = receipt_of(server, id_of(answer))
    assert receipt['reason'] == 'reset' and receipt['cuts']['none'] >= 1
    assert receipt['out'] < len(answer) + 1 + 5


def test_C51_clean_behind_a_limit_gives_all_that_it_lets(serve, io):
    server = serve('ECHO limit=1000 close=clean', '--io', io)
    with server.connect() as client:
        assert harness.exchange(client, b'x' * 300000) == (b'x' * 1000, 'eof')
        close = server.close_of(client)
        assert (close['reason'], close['how'], close['in']) == ('limit', 'close', 300000)


def test_C52_rst_behind_a_limit_leaves_what_was_delivered_readable(serve, io):
    server = serve('ECHO frag=1 gate=ack limit=5 close=rst', '--io', io)
    with server.connect() as client:
        client.sendall(b'abcdefgh')
        assert server.close_of(client)['how'] == 'rst'
        assert take_all(client) == (b'abcde', 'reset')


@pytest.mark.parametrize('limit', ['--idle-timeout', '--max-lifetime'])
def test_C53_a_stall_that_nobody_ends_is_reset(serve, io, limit):
    server = serve('ECHO limit=4 close=stall', '--io', io, limit, '500ms')
    with server.connect() as client:
        client.sendall(b'abcdefgh')
        assert take_all(client) == (b'abcd', 'reset')
        close = server.close_of(client)
        assert (close['reason'], close['how']) == ('limit', 'rst')


def test_C53_half_that_nobody_ends_is_idle_in_the_end(serve, io):
    server = serve('ECHO limit=4 close=half', '--io', io, '--idle-timeout', '500ms', '--drain-idle-timeout', '200ms')
    with server.connect() as client:
        client.sendall(b'abcdefgh')
        assert take_all(client) == (b'abcd', 'eof')
        assert server.close_of(client)['how'] == 'rst'


def test_C47_C52_accept_rst_is_a_reset_with_the_peers_address(serve, io):
    server = serve('ECHO accept=rst', '--io', io)
    with server.connect_first() as client:
        assert take_all(client) == (b'', 'reset')
        assert server.event('refuse')['peer'] == harness.name_of(client)


def test_C62_a_mapped_maker_owns_its_port(serve):
    server = serve(None, '--listen', 'tcp://[::]:0,ECHO opt.IPV6_V6ONLY=0 preamble=on', '--allow', '127.0.0.0/8')
    with socket.create_connection(('127.0.0.1', server.port()), harness.GENEROUS) as control:
        control.sendall(b'SB1 LISTEN ECHO flip=0\n')
        answer = answer_of(control)
        assert answer.startswith('+OK port='), answer
        with socket.create_connection(('127.0.0.1', int(answer.split('port=')[1].split()[0]))) as client:
            assert harness.exchange(client, b'a') == (b'`', 'eof')


def test_C63_a_line_over_a_unix_socket_is_logged_as_unix(serve):
    server = serve('ECHO', via='unix')
    client, answer = said(server, 'SB1 ECHO cut=1 gate=read\n', b'ab')
    with client:
        finish(client)
        assert answer.startswith('+OK') and sizes_blocking(client) == [1, 1]
    assert server.event('close', peer='unix:')['reason'] == 'eof'


# ---- F: what may be set --------------------------------------------------------------------------------------


def test_F101_an_unknown_option_in_a_line(serve):
    server = serve('ECHO')
    assert 'did you mean TCP_NODELAY?' in refused(server, 'ECHO opt.TCP_NODELAYY=1')
    with Control(server) as control:
        assert control('LISTEN ECHO opt.NO_SUCH=1').startswith('-ERR col=17 unknown socket option')


def test_F102_a_denied_option_in_a_line_is_refused(serve):
    server = serve('ECHO')
    for opt in DENIED:
        assert f'{opt} is never allowed' in refused(server, f'ECHO opt.{opt}=1'), opt
    with Control(server) as control:
        control.listen('ECHO')
        for opt in DENIED:
            assert f'{opt} is never allowed' in control(f'LISTEN ECHO opt.{opt}=1'), opt


@needs('strace')
def test_F102_a_denied_option_in_a_line_never_reaches_the_kernel(serve, tmp_path):
    trace = tmp_path / 'trace'
    server = serve('ECHO', env={'ASAN_OPTIONS': 'detect_leaks=0', 'PATH': '/usr/bin:/bin'},
                   under=['strace', '-D', '-f', '-o', str(trace), '-e', 'trace=setsockopt'])
    for opt in ('SO_MARK', 'SO_RCVLOWAT', 'SO_DEBUG'):
        refused(server, f'ECHO opt.SO_KEEPALIVE=1 opt.{opt}=1')
    with Control(server) as control:
        assert control('LISTEN ECHO opt.SO_KEEPALIVE=1 opt.SO_MARK=1').startswith('-ERR')
    client, answer = said(server, 'SB1 ECHO opt.TCP_KEEPIDLE=7\n')
    client.close()
    assert answer.endswith(' opt.TCP_KEEPIDLE=7->7')
    server.stop()
    names = set(re.findall(r'setsockopt\(\d+, \w+, (\w+),', trace.read_text()))
    assert names == {'SO_REUSEADDR', 'TCP_NODELAY', 'TCP_KEEPIDLE'}  # all or nothing: no SO_KEEPALIVE either


@pytest.mark.parametrize('opt, value, range_', [
    ('TCP_KEEPCNT', '128', '1 to 127'), ('TCP_KEEPCNT', '0', '1 to 127'), ('TCP_NODELAY', '2', '0 or 1'),
    ('TCP_USER_TIMEOUT', '2147483648', '0 to 2147483647'), ('TCP_USER_TIMEOUT', '-2147483648', '0 to 2147483647'),
    ('SO_LINGER', '61', 'off or 0'), ('IP_TTL', '256', '1 to 255')])
def test_F103_F104_out_of_range_in_a_line_is_refused_and_the_range_named(serve, opt, value, range_):
    answer = refused(serve('ECHO'), f'ECHO opt.{opt}={value}')
    assert answer.startswith(f'-ERR col={len(f"SB1 ECHO opt.{opt}=") + 1} ')
    assert f'{opt} is {range_}, not {value}' in answer


@pytest.mark.parametrize('keys, told', [
    ('rcvbuf=1', 'rcvbuf=1->2304'), ('sndbuf=1', 'sndbuf=1->4608'), ('opt.SO_RCVBUF=4k', 'opt.SO_RCVBUF=4096->8192'),
    ('opt.TCP_WINDOW_CLAMP=1', 'opt.TCP_WINDOW_CLAMP=1->1152'), ('opt.SO_LINGER=0', 'opt.SO_LINGER=0->0')])
def test_F103_F107_what_the_kernel_makes_of_it_is_told(serve, keys, told):
    with Control(serve('ECHO')) as control:
        assert control('LISTEN ECHO ' + keys).endswith(' ' + told)


def test_F108_a_connection_says_one_line_and_each_option_once(serve):
    server = serve('ECHO')
    assert 'twice' in refused(server, 'ECHO opt.TCP_NODELAY=1 opt.TCP_NODELAY=0')
    again = b'SB1 ECHO opt.TCP_NODELAY=0\n' * 1000
    client, answer = said(server, 'SB1 ECHO opt.TCP_NODELAY=1\n', again)
    with client:
        assert answer.endswith(' opt.TCP_NODELAY=1->1')
        finish(client)
        assert take_all(client) == (again, 'eof')


def test_F109_an_option_where_the_peer_has_ended_already_is_answered(serve):
    server = serve('ECHO')
    with server.connect() as client:
        client.sendall(b'SB1 ECHO opt.TCP_NODELAY=0 opt.TCP_MAXSEG=1000\nhello')
        finish(client)
        answer = answer_of(client)
        # What is set is told with its value, what cannot be with the errno: never one for the other.
        assert re.search(r'^\+OK .* opt\.TCP_NODELAY=0->0 opt\.TCP_MAXSEG=1000->\d+|^-ERR .*TCP_MAXSEG', answer), answer
        assert take_all(client)[1] == 'eof'


@pytest.mark.parametrize('keys, says', [
    ('close=rst close=half', 'close is given twice'), ('frag=1 join=2', 'a line takes one of these'),
    ('frag=1 frag=random', 'frag is given twice'), ('gap=1ms gate=time gate=read', 'gate is given twice')])
def test_F111_two_behaviours_that_exclude_each_other_are_refused(serve, keys, says):
    assert says in refused(serve('ECHO'), f'ECHO {keys}')


@needs('ss')
def test_F112_the_next_connection_is_pristine(serve, io):
    server = serve('ECHO', '--io', io)
    client, answer = said(server, 'SB1 ECHO frag=1 flip=0 delay=9ms limit=3 close=rst opt.SO_KEEPALIVE=1\n', b'abcdef')

    def keeps_alive():
        return 'keepalive' in subprocess.run(
            ['ss', '-tno', 'sport', f'= :{server.port()}'], capture_output=True, text=True, check=True).stdout

    with client:
        assert answer.startswith('+OK') and keeps_alive()
        assert take_all(client) == (b'`bc', 'reset')
    with server.connect() as client:
        client.sendall(b'abcdef')
        assert client.recv(100) == b'abcdef'
        assert not keeps_alive()
        finish(client)
        assert take_all(client) == (b'', 'eof')
