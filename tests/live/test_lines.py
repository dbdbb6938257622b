# SPDX-License-Identifier: MIT
"""One line of text: said on the connection or when listening, obeyed exactly, and the receipt proves it."""
import json
import random
import select
import socket
import struct
import threading
import time
import zlib

import pytest

import harness
from harness import finish, take_all
from lines import READERS, Control, answer_of, id_of, receipt_of, said, sizes_blocking
from test_ports import client_of

GATED = 5000 if harness.FULL else 1000


@pytest.mark.parametrize('reader', READERS)
def test_every_gated_piece_is_a_read_of_its_own(serve, via, reader):
    n = GATED if reader != 'stalling' else GATED // 10
    server = serve('ECHO frag=1 gate=read', via=via)
    with server.connect() as client:
        client.sendall(b'x' * n)
        finish(client)
        assert READERS[reader](client) == [1] * n
    assert server.close_of()['reason'] == 'eof'


@pytest.mark.parametrize('io_name', ['epoll', 'poll'])
def test_many_gated_connections_do_not_disturb_each_other(serve, io_name):
    server = serve('ECHO frag=3 gate=read', '--io', io_name)
    clients = [server.connect() for _ in range(60)]
    for client in clients:
        client.sendall(b'0123456789' * 6)
        finish(client)
    poll = select.poll()
    sizes = {c.fileno(): [] for c in clients}
    for client in clients:
        poll.register(client, select.POLLIN)
    while clients:
        for fd, _ in poll.poll():
            client = next(c for c in clients if c.fileno() == fd)
            some = client.recv(1000)
            sizes[fd].append(len(some))
            if not some:
                poll.unregister(client)
                client.close()
                clients.remove(client)
    assert all(s == [3] * 20 + [0] for s in sizes.values())


def test_a_gated_peer_that_stalls_costs_next_to_nothing(serve):
    server = serve('ECHO frag=1 gate=read')
    with server.connect() as client:
        client.sendall(b'hello')
        harness.until(lambda: client.recv(1, socket.MSG_PEEK), 'the first piece')
        before = server.cpu()
        time.sleep(3)
        assert server.cpu() - before < 0.15 * (4 if 'asan' in harness.BIN else 1)
        assert client.recv(100) == b'h'
        finish(client)
        assert take_all(client) == (b'ello', 'eof')


# ---- the line ------------------------------------------------------------------------------------------------


def test_the_readmes_demo(serve):
    server = serve('ECHO')
    client, answer = said(server, 'SB1 ECHO frag=1 gate=read\n', b'hello')
    with client:
        assert answer.startswith('+OK id=c')
        finish(client)
        assert sizes_blocking(client) == [1] * 5
    receipt = receipt_of(server, id_of(answer))
    assert receipt['cuts'] == {'all': 6, 'read': 6, 'ack': 0, 'time': 0, 'none': 0}
    assert receipt['reason'] == 'eof' and receipt['truncated'] == 0
    assert [e['send'] for e in receipt['events'] if 'send' in e][1:] == [1] * 5
    assert sum(e.get('recv', 0) for e in receipt['events']) <= receipt['in']


def test_however_the_line_comes_it_is_the_same(serve):
    server = serve('ECHO')
    wire = b'SB1 ECHO cut=2 gate=read\r\nabcdef'
    for size in (1, 2, 3, 5, 13, len(wire)):
        with server.connect() as client:
            for i in range(0, len(wire), size):
                client.sendall(wire[i:i + size])
                time.sleep(0.001)
            answer = answer_of(client)
            finish(client)
            assert answer.startswith('+OK')
            assert take_all(client) == (b'abcdef', 'eof')


@pytest.mark.parametrize('text, says', [
    ('SB1 EHCO\n', '-ERR col=5 unknown verb "EHCO" (did you mean ECHO?)'),
    ('SB1 RECIEPT id=c1.0\n', '-ERR col=5 unknown verb "RECIEPT" (did you mean RECEIPT?)'),
    ('SB1 LISTN ECHO cut=7\n', '-ERR col=5 unknown verb "LISTN" (did you mean LISTEN?)'),
    ('SB1 FROBNICATE\n', '-ERR col=5 unknown verb "FROBNICATE": a line begins with one, as ECHO'),
    ('SB1 LIST cut\n', '-ERR col=10 "cut" is not key=value'),
    ('SB1 ECHO frag=0\n', '-ERR col=15 frag is 1 to 64k, not 0'),
    ('SB1 ECHO rcvbuff=1\n', '-ERR col=10 unknown key "rcvbuff" (did you mean rcvbuf?)'),
    ('SB1 ECHO rcvbuf=4k\n', '-ERR col=10 rcvbuf= must be chosen before accept'),
    ('SB1 ECHO frag=1 frag=2\n', '-ERR col=17 frag is given twice'),
    ('SB1 ECHO opt.SO_DEBUG=1\n', '-ERR col=10'),
    ('SB1 \n', '-ERR col=5 a line begins with a verb'),
    ('SB1 ECHO\0\n', '-ERR col=9 byte 00 is not printable ASCII'),
    ('SB1 ECHO ' + 'x' * 2000 + '\n', '-ERR col=1029 a line has at most 1024 bytes'),
    ('SB1 RECEIPT\n', '-ERR col=5 RECEIPT needs id='),
    ('SB1 RECEIPT id=c1.0\n', '-ERR col=16 no receipt of this id'),
])
def test_a_line_that_is_wrong_is_refused_and_nothing_else_happens(serve, text, says):
    server = serve('ECHO')
    client, answer = said(server, text, b'payload')
    with client:
        assert answer.startswith(says), answer
        finish(client)
        assert take_all(client)[0] == b''
    assert server.close_of()['reason'] == 'line'


def test_half_a_line_and_the_end(serve):
    server = serve('ECHO')
    with server.connect() as client:
        client.sendall(b'SB1 ECHO fra')
        finish(client)
        assert answer_of(client) == '-ERR col=10 "fra" is not key=value'
    with server.connect() as client:
        client.sendall(b'SB1 ECHO frag=1')
        finish(client)
        assert answer_of(client) == '-ERR col=16 the line does not end: LF is missing'


@pytest.mark.parametrize('payload', [b'S', b'SB', b'SB1', b'SB1\nECHO\n', b'SBx ECHO\n', b'hello', b'sB1 ECHO\n'])
def test_what_is_no_line_is_payload(serve, payload):
    server = serve('ECHO')
    with server.connect() as client:
        client.sendall(payload)
        assert harness.take(client, len(payload)) == payload  # S: after 200 ms
        client.sendall(b'SB1 ECHO\n')
        finish(client)
        assert take_all(client) == (b'SB1 ECHO\n', 'eof')


def test_a_listener_with_a_line_of_its_own_takes_none(serve):
    server = serve(None, '--listen', 'tcp://127.0.0.1:0,ECHO frame=line', '--listen',
                   'tcp://127.0.0.1:0,ECHO preamble=off', '--listen', 'tcp://127.0.0.1:0,ECHO frame=line preamble=on',
                   '--listen', 'tcp://127.0.0.1:0,DISCARD')
    for i in (0, 1):
        with server.connect(i) as client:
            client.sendall(b'SB1 ECHO\n')
            finish(client)
            assert take_all(client) == (b'SB1 ECHO\n', 'eof')
    for i in (2, 3):
        client, answer = said(server, 'SB1 ECHO flip=0\n', b'a', i)
        with client:
            finish(client)
            assert answer.startswith('+OK') and take_all(client) == (b'`', 'eof')
    harness.refuses('serve', '--listen', 'tcp://127.0.0.1:0,CHARGEN preamble=on', code=2)


def test_options_are_answered_with_what_they_came_to(serve):
    server = serve('ECHO')
    client, answer = said(server, 'SB1 ECHO opt.TCP_NODELAY=0\n', b'x')
    with client:
        assert answer.endswith(' opt.TCP_NODELAY=0->0')
        finish(client)
        assert take_all(client) == (b'x', 'eof')


def test_a_seed_is_told_and_reproduces(serve):
    server = serve('ECHO')
    payload = b'y' * 3000
    client, answer = said(server, 'SB1 ECHO frag=random gate=read\n', payload)
    with client:
        finish(client)
        first = sizes_blocking(client)
    seed = dict(w.split('=', 1) for w in answer.split()[1:])['seed']
    client, answer = said(server, f'SB1 ECHO frag=random gate=read seed={seed}\n', payload)
    with client:
        finish(client)
        assert sizes_blocking(client) == first
    assert sum(first) == 3000 and len(first) > 3


# ---- what a line can ask for --------------------------------------------------------------------------------


def test_join_makes_one_of_several(serve):
    server = serve('ECHO join=3 frame=line gate=read')
    with server.connect() as client:
        for word in (b'a\n', b'bb\n', b'ccc\n', b'd\n'):
            client.sendall(word)
            time.sleep(0.01)
        assert client.recv(100) == b'a\nbb\nccc\n'
        finish(client)
        assert take_all(client) == (b'd\n', 'eof')


@pytest.mark.parametrize('how, end', [('rst', 'reset'), ('clean', 'eof'), ('half', 'eof')])
def test_limit_and_how_it_ends(serve, how, end):
    server = serve(f'ECHO limit=4 close={how}')
    with server.connect() as client:
        client.sendall(b'abcdefg')
        assert take_all(client) == (b'abcd', end)
        if how == 'half':  # it reads on
            for _ in range(5):
                client.sendall(b'more')
            client.close()
    close = server.close_of()
    assert close['reason'] == 'limit' and close['out'] == 4


def test_close_stall_says_nothing_more(serve):
    server = serve('ECHO limit=4 close=stall')
    with server.connect() as client:
        client.sendall(b'abcdefg')
        assert harness.take(client, 4) == b'abcd'
        client.sendall(b'more')
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(harness.GENEROUS)
        finish(client)
        assert take_all(client) == (b'', 'eof')
    assert server.close_of()['reason'] == 'limit'


def test_flip_gap_delay_and_maxlife(serve):
    server = serve('ECHO')
    client, _ = said(server, 'SB1 ECHO flip=1 cut=1 gap=100ms gate=time\n', b'aaa')
    with client:
        assert client.recv(10) == b'a'
        since = time.monotonic()
        assert client.recv(10) == b'`a'
        assert time.monotonic() - since > 0.05
    since = time.monotonic()
    client, _ = said(server, 'SB1 ECHO delay=300ms\n', b'x')
    with client:
        assert client.recv(10) == b'x'
        assert time.monotonic() - since >= 0.3
    client, _ = said(server, 'SB1 ECHO maxlife=200ms close=rst\n')
    with client:
        assert take_all(client) == (b'', 'reset')
    assert server.event('close', reason='maxlife')


def test_a_peer_that_never_reads_is_reset_in_the_end(serve):
    server = serve('ECHO frag=1 gate=read gate-max=300ms')
    with server.connect() as client:
        client.sendall(b'hello')
        assert server.close_of(client)['reason'] == 'gate'
        assert take_all(client) == (b'h', 'reset')


def test_receipts_go_to_a_file(serve, tmp_path):
    path = tmp_path / 'receipts'
    server = serve('ECHO cut=2 gate=ack', '--receipts', str(path))
    for _ in range(3):
        with server.connect() as client:
            client.sendall(b'abc')
            finish(client)
            take_all(client)
    server.stop()
    receipts = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(receipts) == 3 and len({r['id'] for r in receipts}) == 3
    for r in receipts:
        assert r['line'] == 'ECHO cut=2 gate=ack' and r['in'] == r['out'] == 3 and r['sends'] == 2
        assert r['cuts'] == {'all': 1, 'read': 0, 'ack': 1, 'time': 0, 'none': 0}


def test_a_receipt_needs_its_whole_id(serve):
    server = serve('ECHO')
    client, answer = said(server, 'SB1 ECHO\n', b'x')
    with client:
        finish(client)
        take_all(client)
    ident = id_of(answer)
    assert receipt_of(server, ident)['id'] == ident
    wrong = ident[:-1] + ('0' if ident[-1] != '0' else '1')
    client, answer = said(server, f'SB1 RECEIPT id={wrong}\n')
    with client:
        assert answer.startswith('-ERR col=16 no receipt of this id')


def test_a_receipt_is_waited_for(serve):
    server = serve('ECHO')
    client, answer = said(server, 'SB1 ECHO\n', b'x')
    with Control(server) as control:
        assert control(f'RECEIPT id={id_of(answer)} wait=100ms') == '-ERR the connection is still open'
        closing = threading.Timer(0.05, client.close)
        closing.start()
        assert json.loads(control.text(f'RECEIPT id={id_of(answer)} wait=30s'))['id'] == id_of(answer)
        closing.join()
        assert control('QUIT') == '+OK'


def test_control_answers_line_after_line(serve):
    server = serve('ECHO')
    with server.connect() as control:
        control.sendall(b'SB1 LIMITS\nLIST\nHELP\nECHO\nRECIEPT id=c1.0\nQUIT\n')
        finish(control)
        texts = []
        for _ in range(3):
            size = int(answer_of(control).removeprefix('+OK bytes='))
            texts.append(harness.take(control, size).decode())
        assert 'max-pieces none' in texts[0]
        assert texts[1] == f'tcp://127.0.0.1:{server.port()} ECHO\n'
        assert 'RECEIPT' in texts[2] and 'frag=SIZE|random' in texts[2]
        assert answer_of(control).startswith('-ERR col=1 ECHO: this connection is for control')
        assert answer_of(control) == '-ERR col=1 unknown verb "RECIEPT" (did you mean RECEIPT?)'
        assert answer_of(control) == '+OK'
        assert take_all(control) == (b'', 'eof')


def test_no_more_lines_than_max_lines(serve):
    server = serve('ECHO', '--max-lines', '2')
    clients = [said(server, 'SB1 ECHO\n') for _ in range(3)]
    assert [a[:4] for _, a in clients] == ['+OK ', '+OK ', '-ERR']
    assert '--max-lines' in clients[2][1]
    for client, _ in clients:
        client.close()


def test_back_pressure_repeats(serve):
    """Where the listener's buffer and the client's are fixed, the client's send blocks at the same byte each time."""
    server = serve('ECHO rcvbuf=2304 stopread=20s')
    counts = set()
    for _ in range(20):
        with server.connect(sndbuf=4608) as client:
            client.setblocking(False)
            sent = 0
            while True:
                try:
                    sent += client.send(b'x' * 512)
                except BlockingIOError:
                    if not select.select([], [client], [], 0.3)[1]:
                        break
            counts.add(sent)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    assert len(counts) == 1, counts


# ---- streambed send --line ----------------------------------------------------------------------------------


def test_send_says_a_line_and_prints_the_receipt(serve, via):
    server = serve('ECHO', via=via)
    result = harness.run('send', server.listening[0][0], '--line', 'ECHO frag=1 gate=read', '--text', 'hello',
                         '--count', '1')
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert sum(line == f'recv {i}: 1 byte' for i, line in enumerate(
        (line for line in lines if line.startswith('recv ')), 1)) == 5
    receipt = json.loads(lines[-1].removeprefix('receipt '))
    assert receipt['cuts']['read'] == receipt['cuts']['all'] == 6


def test_send_tells_of_a_line_that_is_refused(serve):
    server = serve('ECHO')
    result = harness.run('send', server.listening[0][0], '--line', 'ECHO frg=1')
    assert result.returncode == 2
    assert 'did you mean frag?' in result.stderr


def test_send_line_as_json(serve):
    server = serve('ECHO')
    result = harness.run('send', server.listening[0][0], '--line', 'ECHO cut=7', '--json')
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [e['event'] for e in events[:2]] == ['connect', 'line']
    assert events[-1]['event'] == 'receipt' and events[-1]['receipt']['cuts']['all'] == 2


# ---- hashes


@pytest.mark.parametrize('line', ['ECHO hash=on', 'ECHO frag=random hash=on', 'ECHO frame=line cut=2 flip=3 hash=on',
                                  'SOURCE len=1000 count=50 pattern=random hash=on', 'DISCARD hash=on',
                                  'ECHO frame=line join=3 limit=40 hash=on close=rst'])
@pytest.mark.parametrize('place', ['preamble', 'port'])
def test_hashes_are_those_of_what_came_and_went(serve, io, line, place):
    server = serve('ECHO', '--io', io)
    payload = random.Random(1).randbytes(700) + b'\n0123456789\nabc\n' * 30
    with Control(server) as control:
        if place == 'preamble':
            client, answer = said(server, f'SB1 {line}\n', payload[:300])
        else:
            answer = control(f'LISTEN {line}')
            client = client_of(server, int(answer.split('port=')[1].split()[0]))
        with client:
            sent = 300 if place == 'preamble' else 0
            for size in (1, 7, 200):
                client.sendall(payload[sent:sent + size])
                sent += size
            if 'limit' not in line:
                client.sendall(payload[sent:])
                sent = len(payload)
            finish(client)
            got, _ = take_all(client)
        receipt = json.loads(control.text(f'RECEIPT id={id_of(answer)} wait=20s'))
    head = len(f'SB1 {line}\n') if place == 'preamble' else 0
    assert receipt['hash']['name'] == 'crc32'
    assert receipt['hash']['in'] == f'{zlib.crc32(payload[:receipt["in"] - head]):08x}'
    if receipt['how'] == 'close':
        assert receipt['hash']['out'] == f'{zlib.crc32(got):08x}' and receipt['in'] - head == sent


def test_hash_of_a_static_listener_is_in_the_file(serve, tmp_path):
    server = serve('ECHO hash=on frag=7', '--receipts', str(tmp_path / 'receipts'))
    for payload in (b'', b'hello', bytes(range(256)) * 20):
        with server.connect() as client:
            client.sendall(payload)
            finish(client)
            assert take_all(client)[0] == payload
    server.stop()
    with open(tmp_path / 'receipts', encoding='ascii') as f:
        got = [json.loads(line)['hash'] for line in f]
    assert sorted(h['in'] for h in got) == sorted(
        f'{zlib.crc32(p):08x}' for p in (b'', b'hello', bytes(range(256)) * 20))
    assert all(h['in'] == h['out'] for h in got)


def test_hash_is_the_lines_where_there_may_be_one():
    said = harness.refuses('serve', '--listen', 'tcp://127.0.0.1:0,ECHO preamble=on hash=on', code=2)
    assert 'col=36 hash= is for the line that a connection begins with' in said


# ---- what is written down ----------------------------------------------------------------------------------


def test_a_receipt_is_as_the_schema_says(serve):
    with open(f'{harness.ROOT}/docs/receipt.schema.json', encoding='ascii') as f:
        schema = json.load(f)
    server = serve('ECHO')
    for line in ('ECHO frag=1', 'ECHO cut=2 limit=3 close=rst', 'SOURCE len=3 count=300 frag=1 gate=ack', 'DISCARD',
                 'SCRIPT | opt.TCP_NODELAY:0 | read:1 | send:x | again'):
        client, answer = said(server, f'SB1 {line}\n', b'abc')
        with client:
            finish(client)
            take_all(client)
        receipt = receipt_of(server, id_of(answer))
        assert set(schema['required']) <= set(receipt) <= set(schema['properties'])
        event = schema['properties']['events']['items']
        assert all(set(event['required']) <= set(e) <= set(event['properties']) for e in receipt['events'])
        assert len(receipt['events']) <= schema['properties']['events']['maxItems']
        sends = sum('send' in e for e in receipt['events'])
        assert sends == receipt['sends'] or receipt['truncated']


def test_explain_says_what_a_line_comes_to():
    result = harness.run('explain', 'ECHO gate=read frag=3 cut=7')
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[0] == 'ECHO frag=3 cut=7 gate=read'
    assert 'cuts      of the stream, at 3 6 7 9 12 15 18 21 24 27 30 33 ...' in lines
    assert harness.run('explain', lines[0]).stdout == result.stdout
    assert 'did you mean frag?' in harness.refuses('explain', 'ECHO frg=3', code=65)
    assert 'did you mean ECHO?' in harness.refuses('explain', 'EHCO frag', code=65)
    assert 'LIST is a control verb' in harness.refuses('explain', 'LIST', code=65)
