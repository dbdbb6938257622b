# SPDX-License-Identifier: MIT
"""streambed explain, and streambed send --script: a script as a listing, and live, against peers and against a server.

In order: listings there and back, mistakes in them, what a peer gets to see of a script, what the player says of a
server, what it skips, and every script of the corpus against a real server. Nothing is timed.
"""
import glob
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import harness
from harness import BIN, GENEROUS, ROOT, long_test, refuses
from send_peers import Running, echo, peers, send, swallow  # noqa: F401

SERVER = sorted(glob.glob(os.path.join(ROOT, 'corpus', 'server', '*')))
SCRIPT = sorted(glob.glob(os.path.join(ROOT, 'corpus', 'script', '*')))
SHORT = ['--timeout', '300ms', '--max-time', '300ms']


def explain(*args, stdin=b''):
    r = subprocess.run([BIN, 'explain', *args], input=stdin, capture_output=True, timeout=GENEROUS, check=False)
    assert not harness.DEATH_CRIES.search(r.stderr.decode()), r.stderr
    assert (r.returncode, r.stderr) == (0, b''), (r.returncode, r.stderr)
    return r.stdout


def listing(script):
    return explain('-', stdin=script).decode('ascii')


# ---- listings ----------------------------------------------------------------------------------------------

def test_a_listing_says_what_the_letters_mean():
    assert listing(b'\\oc6GET / HTTP/1.0\r\n\\~\r\n\\|\\i3\\eA\\ta\\E') == (
        'knob c 6  # config: tcp://127.0.0.1:0,DISCARD\n'
        'bytes "GET / HTTP/1.0\\r\\n"\n'
        'cut\n'
        'bytes "\\r\\n"\n'
        'run\n'
        'recv-eintr 3\n'
        'fail A  # recv: ECONNRESET\n'
        'ticks a  # 100ms\n'
        'fin\n')


@pytest.mark.parametrize('path', SCRIPT + SERVER if harness.FULL else SCRIPT[:3] + SERVER[::40],
                         ids=os.path.basename)
def test_a_listing_compiles_to_the_same_bytes(path):
    """All of the corpus there and back is also what target script replays; this is the command."""
    with open(path, 'rb') as f:
        script = f.read()
    assert explain('--compile', '-', stdin=explain(path)) == script


def test_any_bytes_are_a_script(tmp_path):
    script = bytes(range(256)) * 3 + b'\\'
    (tmp_path / 'script').write_bytes(script)
    out = tmp_path / 'out'
    text = explain(str(tmp_path / 'script'))
    assert re.fullmatch(rb'[\n\x20-\x7e]*', text), 'bytes that a terminal might obey'
    assert max(map(len, text.splitlines())) < 120
    (tmp_path / 'listing').write_bytes(text)
    assert explain(str(tmp_path / 'listing'), '--compile', '--out', str(out)) == b''
    assert out.read_bytes() == script


def test_an_empty_script_is_said_to_be_empty():
    assert listing(b'') == '# no events: the script is empty\n'
    assert explain('--compile', '-', stdin=b'# no events: the script is empty\n') == b''


@pytest.mark.parametrize('text,place', [
    ('select 0\n\n  recv-eintrr 3\n', ':3: col=3 "recv-eintrr" is no event (did you mean recv-eintr?)'),
    ('bytes "abc\n', ':1: col=7 this quote is not closed'),
    ('run\nknob c\n', ':2: col=7 knob needs 2 arguments: a character or \\xNN'),
    ('\x1b[2Jrun\n', ':1: col=1 "\\x1b[2Jrun" is no event'),
])
def test_a_mistake_is_named_with_its_place(tmp_path, text, place):
    path, out = tmp_path / 'crash.txt', tmp_path / 'out'
    path.write_text(text)
    said = refuses('explain', '--compile', str(path), '--out', str(out), code=65)
    assert said == f'streambed explain: {path}{place}'
    assert not out.exists()


@pytest.mark.parametrize('args,code,part', [
    ([], 2, 'which file?'),
    (['a', 'b'], 2, 'one FILE, not two: "a" and "b"'),
    (['--compiel', 'a'], 2, 'did you mean --compile?'),
    (['--compile', '--compile', 'a'], 2, '--compile is given twice'),
    (['--out'], 2, '--out needs a value'),
    (['ECHO frame=line', '--compile'], 2, 'is a line and no file'),
    (['/nowhere/at/all'], 74, '/nowhere/at/all: no such file'),
    (['/dev'], 74, '/dev: it is a folder'),
    (['/dev/zero'], 65, '/dev/zero: larger than 1024 KiB'),
    (['--out', '/nowhere/at/all', '/dev/null'], 74, 'cannot write /nowhere/at/all: no such file'),
    (['--out', '/dev/full', '/dev/null'], 74, 'cannot write /dev/full: no space left'),
])
def test_what_cannot_be_explained_is_one_line(args, code, part):
    said = refuses('explain', *args, code=code)
    assert said.startswith('streambed explain: ') and part in said


@pytest.mark.skipif(harness.IS_ROOT, reason='root may read everything')
def test_an_unreadable_file(tmp_path):
    (tmp_path / 'secret').write_text('x')
    (tmp_path / 'secret').chmod(0)
    assert 'permission denied' in refuses('explain', str(tmp_path / 'secret'), code=77)


def test_a_scripts_bytes_do_not_go_to_a_terminal(tmp_path):
    (tmp_path / 'listing').write_text('run\n')
    ours, theirs = os.openpty()
    r = subprocess.run([BIN, 'explain', '--compile', str(tmp_path / 'listing')], stdout=theirs, stderr=subprocess.PIPE,
                       timeout=GENEROUS, check=False)
    os.close(theirs)
    os.close(ours)
    assert r.returncode == 2 and b'not for a terminal' in r.stderr


# ---- what a peer sees --------------------------------------------------------------------------------------

@pytest.fixture
def play(tmp_path):
    """play(script, endpoint, option…): the player's end, with its JSON."""

    def run(script, endpoint, *args):
        path = tmp_path / 'script.sbs'
        path.write_bytes(script)
        return send('--script', str(path), '--json', endpoint, *args)

    return run


def connections(done, *names):
    """Of each connection these fields, in order."""
    return [tuple(c[name] for name in names) for c in done.events('connection')]


STREAMS = ['tcp4', 'tcp6', 'unix']


@pytest.mark.parametrize('via', STREAMS)
def test_payload_arrives_as_it_is_written(peers, play, via):  # noqa: F811
    peer = peers(via, echo)
    done = play(b'one\\\\two\\~three\x00\xff\\|four\\Zfive', peer.endpoint).ok()
    assert b''.join(peer.recvs) == b'one\\twothree\x00\xfffourfive'
    assert connections(done, 'n', 'peer', 'sends', 'sent', 'received', 'unsent', 'same', 'end') == [
        (1, 0, 4, 22, 22, 0, True, 'fin')]
    assert done.events('skipped') == []
    assert done.events('summary')[0]['connections'] == 1


def test_a_cut_is_a_recv_of_its_own(peers, play):  # noqa: F811
    """Over a unix socket it is known when the peer has read: there each piece is one, also for the slow."""
    def work(peer, conn):
        while data := conn.recv(100):
            peer.recvs.append(data)
            time.sleep(0.02)

    peer = peers('unix', work)
    play(b'a\\~bc\\~def\\|g', peer.endpoint).ok()
    assert peer.recvs == [b'a', b'bc', b'def', b'g']


def test_each_digit_is_a_connection(peers, play):  # noqa: F811
    """Not opened before it is used; opened again when it can send no more."""
    got = []

    def work(_, conn):
        data = b''
        while some := conn.recv(100):
            data += some
        got.append(data)

    def serve_all(peer, conn):
        thread = threading.Thread(target=work, args=(peer, conn.dup()))
        thread.start()
        threads.append(thread)

    threads = []
    peer = peers('tcp4', serve_all)
    done = play(b'zero\\|\\1one\\|\\0 again\\|\\1\\E\\|lost\\1new\\|\\7', peer.endpoint).ok()
    for thread in threads:
        thread.join(GENEROUS)
    # The last connection is the one that is tried when all is over.
    assert sorted(got) == [b'', b'', b'new', b'one', b'zero again']
    assert connections(done, 'peer', 'sent', 'unsent', 'end') == [
        (0, 10, 0, 'fin'), (1, 3, 4, 'fin'), (1, 3, 0, 'fin'), (7, 0, 0, 'fin')]


def test_the_peer_may_still_talk_after_fin(peers, play):  # noqa: F811
    def work(_, conn):
        while conn.recv(100):
            pass
        conn.sendall(b'x' * 100000)

    done = play(b'a\\E\\|', peers('tcp4', work).endpoint).ok()
    assert connections(done, 'received', 'same', 'end') == [(100000, False, 'fin')]


def test_rst_is_a_reset(peers, play):  # noqa: F811
    ends = []

    def work(_, conn):
        got = b''
        try:
            while some := conn.recv(100):
                got += some
            ends.append((got, 'eof'))
        except ConnectionResetError:
            ends.append((got, 'reset'))

    done = play(b'all of it\\R\\|lost\\0', peers('tcp4', work).endpoint).ok()
    assert ends[0] == (b'all of it', 'reset') and ends[1] == (b'', 'eof')
    assert connections(done, 'sent', 'unsent', 'end') == [(9, 4, 'our-rst'), (0, 0, 'fin')]


@pytest.mark.parametrize('script,bytes_read', [(b'\\0\\ow5\\tz', 5), (b'\\0\\ow5\\d3\\tz', 8), (b'\\0\\ow0\\tz', 0)])
def test_no_more_is_read_than_the_window_lets(peers, tmp_path, script, bytes_read):  # noqa: F811
    """The rest stays in the client's kernel until its script ends, here by INT."""
    def work(peer, conn):
        peer.client = f':{conn.getpeername()[1]:04X}'
        conn.sendall(b'y' * 1000)
        while conn.recv(100):
            pass

    def left(peer):
        with open('/proc/net/tcp', encoding='ascii') as f:
            rows = [row.split() for row in f]
        return [int(row[4].split(':')[1], 16) for row in rows if row[1].endswith(getattr(peer, 'client', '-'))]

    peer = peers('tcp4', work)
    (tmp_path / 'script').write_bytes(script)
    with Running('--script', str(tmp_path / 'script'), peer.endpoint, '--max-time', '10m', '--json') as c:
        harness.until(lambda: left(peer) == [1000 - bytes_read], 'so much is read')
        c.p.send_signal(signal.SIGINT)
        done = c.end().ok()
    assert connections(done, 'received', 'end') == [(bytes_read, 'open')]


def test_datagrams_are_late_doubled_and_lost(peers, play):  # noqa: F811
    def work(peer):
        while True:
            data, source = peer.sock.recvfrom(1 << 16)
            peer.recvs.append(data)
            peer.sock.sendto(data, source)

    peer = peers('udp4', work)
    done = play(b'\\2\\~\\|\\0a\\~b\\~\\r\\|c\\~d\\~\\S\\|e\\~\\D\\|\\1f\\~\\~\\|g', peer.endpoint).ok()
    assert peer.recvs == [b'', b'b', b'a', b'c', b'e', b'e', b'f', b'', b'g']
    assert connections(done, 'peer', 'sends', 'recvs', 'same', 'end') == [
        (2, 1, 1, True, 'open'), (0, 5, 5, True, 'open'), (1, 3, 3, True, 'open')]


def test_no_more_connections_than_the_simulated_kernel_has(peers, play):  # noqa: F811
    done = play(b'\\0\\E\\|' * 30, peers('tcp4', swallow).endpoint).ok()
    assert len(connections(done, 'n')) == 24
    assert [(e['what'], e['count']) for e in done.events('skipped')] == [('connection', 6)]


# ---- what the player says of a server ----------------------------------------------------------------------

def test_nobody_there():
    r = send('--script', SCRIPT[-1], 'tcp://127.0.0.1:9')
    r.failed(69, 'connection refused')


def test_a_peer_that_does_not_end_is_found(peers, play):  # noqa: F811
    def work(peer, conn):
        peer.kept = [*getattr(peer, 'kept', []), conn.dup()]

    done = play(b'a', peers('tcp4', work).endpoint, '--timeout', '300ms', '--max-time', '1ms')
    done.failed(1, '1 connection was not ended by the server')
    assert connections(done, 'end') == [('timeout',)]


def test_a_server_that_has_died_is_found(peers, play):  # noqa: F811
    peer = peers('tcp4', None)

    def die():
        conn = peer.sock.accept()[0]
        conn.recv(100)
        peer.sock.close()
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        conn.close()

    thread = threading.Thread(target=die)
    thread.start()
    done = play(b'deadly\\|\\1more', peer.endpoint)
    thread.join(GENEROUS)
    done.failed(1, 'after the script there is no new connection: connection refused')
    assert connections(done, 'end') == [('rst',), ('refused',)]
    assert done.events('summary')[0]['exit'] == 1


def test_a_peer_that_never_stops_does_not_keep_us(peers, play):  # noqa: F811
    def work(_, conn):
        while True:
            conn.sendall(b'z' * 65536)

    done = play(b'a\\|', peers('tcp4', work).endpoint, *SHORT).ok()
    assert connections(done, 'end') == [('endless',)]


def test_a_peer_that_does_not_read_does_not_keep_us(peers, play):  # noqa: F811
    gone = threading.Event()

    def work(_, conn):
        gone.wait(GENEROUS)

    script = b'q' * 1000000
    done = play(script, peers('unix', work).endpoint, '--timeout', '300ms')
    gone.set()
    assert done.code == 1
    (sent, unsent, end), = connections(done, 'sent', 'unsent', 'end')
    assert sent + unsent == len(script) and unsent > 0 and end == 'timeout'


def test_long_waits_are_cut_and_said(peers, play):  # noqa: F811
    done = play(b'\\0a\\tz\\tz', peers('tcp4', echo).endpoint, '--max-time', '100ms').ok()
    said, = done.events('skipped')
    assert said['what'] == 'wait' and said['count'] == 2 and '--max-time is 100ms' in said['why']


def test_int_ends_with_the_summary(peers, tmp_path):  # noqa: F811
    (tmp_path / 'script').write_bytes(b'a\\|\\tz')
    peer = peers('tcp4', swallow)
    with Running('--script', str(tmp_path / 'script'), peer.endpoint, '--max-time', '10m') as c:
        harness.until(lambda: peer.recvs, 'the first byte comes')
        c.p.send_signal(signal.SIGINT)
        done = c.end()
    assert done.code == 0 and 'ended by INT' in done.lines[-1] and '; ended: closed by us' in done.lines[0]


def test_a_script_that_cannot_be_read_is_one_line():
    for path, code, part in [('/nowhere', 74, 'no such file'), ('/dev', 74, 'it is a folder'),
                             ('/dev/zero', 65, 'larger than 1024 KiB')]:
        said = refuses('send', '--script', path, 'tcp://127.0.0.1:9', code=code)
        assert said == f'streambed send: {path}: ' + said.split(': ', 2)[2] and part in said


@pytest.mark.parametrize('flag', ['--count=1', '--size=1', '--text=x', '--every=1s', '--rounds=1', '--recv-size=1',
                                  '--reply=none', '--udp-connected', '--no-cork'])
def test_a_script_goes_with_no_option_of_the_rounds(flag):
    said = refuses('send', '--script', SCRIPT[0], flag, 'udp://127.0.0.1:9', code=2)
    assert f'--script and {flag.split("=")[0]} do not go together' in said


# ---- a real server, and what is skipped --------------------------------------------------------------------

SKIPPING = (b'\\oc1\\ofa\\i3\\i1\\a2\\I1\\A1\\w4\\m0\\u1\\eA\\eA\\eG'
            b'\\oX1\\oa1\\op1\\oy1\\oj1\\oE1\\oL1\\oo1\\on1\\oZ1\\r\\Dhello\n')


@pytest.mark.parametrize('via', ['ipv4', 'ipv6', 'unix', 'udp'])
def test_an_echo_comes_back(serve, play, via):
    server = serve('ECHO', via=via)
    done = play(b'\\oc0hello \\~world\n\\|\\1' + bytes(range(256)).replace(b'\\', b'\\\\') + b'\\|\\0again',
                server.listening[0][0]).ok()
    assert connections(done, 'sent', 'received', 'same') == [(17, 17, True), (256, 256, True)]


def test_a_server_sees_fin_and_rst(serve, play):
    server = serve('ECHO frame=line')
    play(b'\\0a\n\\E\\|\\1b\nc\\R\\|', server.listening[0][0]).ok()
    assert server.event('close', 1)['reason'] == 'eof' and server.event('close', 2)['reason'] == 'reset'


def test_what_a_peer_cannot_do_is_counted_and_named(serve, play):
    server = serve('ECHO')
    done = play(SKIPPING, server.listening[0][0]).ok()
    said = {}
    for e in done.events('skipped'):
        said.setdefault(e['why'], []).append((e['count'], e['what']))
    assert said == {
        'only a simulated kernel does so': [
            (2, 'recv-eintr'), (1, 'recv-again'), (1, 'send-eintr'), (1, 'send-again'), (1, 'send-takes'),
            (1, 'memory'), (2, 'fail A (recv: ECONNRESET)'), (1, 'fail G (send: EPIPE)'), (1, 'knob E (fds)'),
            (1, 'knob L (log)'), (1, 'knob j (join)'), (1, 'knob n (events)'), (1, 'knob o (order)'), (1, 'truncate')],
        'the server has to be started so': [
            (1, 'knob c (config: tcp://127.0.0.1:0,ECHO frame=line max=48; log-level=info)'),
            (1, 'knob f (first-byte)')],
        'this machine and ENDPOINT say from where to where connections go': [
            (1, 'knob a (address)'), (1, 'knob p (port)'), (1, 'knob y (listener)')],
        'a server is stopped by TERM': [(1, 'knob X (stop)')],
        'only datagrams are late, doubled or lost': [(1, 'late'), (1, 'double')],
        'no knob has this letter': [(1, 'knob Z (none)')],
    }
    assert connections(done, 'sent', 'same') == [(6, True)]


def test_people_read_the_same_in_sentences(serve, tmp_path):
    server = serve('ECHO')
    (tmp_path / 'script').write_bytes(b'\\i3\\i1\\eAhello\n\\R\\r')
    done = send('--script', str(tmp_path / 'script'), server.listening[0][0]).ok()
    assert re.fullmatch(r'connection 1 \(peer 0, 127\.0\.0\.1:\d+\): sent 6 bytes in 1 send, received \d bytes in \d '
                        r'recvs?(: the same bytes)?; ended: our rst', done.lines[0])
    assert done.lines[1:3] == [
        'skipped: 2 recv-eintr, 1 fail A (recv: ECONNRESET): only a simulated kernel does so',
        'skipped: 1 late: only datagrams are late, doubled or lost']
    assert re.fullmatch(r'summary: 1 connection, sent 6 bytes in 1 send, received .* in [0-9.]+m?s; '
                        r'a new connection is taken', done.lines[3])


@pytest.mark.parametrize('via,script,skipped', [('unix', b'a\\R', 'a unix socket has no reset, and was closed'),
                                                ('udp', b'a\\R\\E', 'datagrams have no connection that could end')])
def test_what_this_kind_of_socket_cannot_do(serve, play, via, script, skipped):
    done = play(script, serve('ECHO', via=via).listening[0][0]).ok()
    assert {e['why'] for e in done.events('skipped')} == {skipped}


# ---- the corpus goes live ----------------------------------------------------------------------------------

def configs():
    """Letter -> (listeners, options), as the scripts' table says."""
    with open(os.path.join(ROOT, 'src', 'script', 'configs.def'), encoding='ascii') as f:
        rows = re.findall(r'^SB_CONFIG\(\'(.)\', "([^"]*)", "([^"]*)"', f.read(), re.M)
    return {letter: (listens.split(';') if listens else [], options.split()) for letter, listens, options in rows}


@pytest.fixture(scope='module')
def asking():
    """Letter -> the scripts that ask for this config: the first knob c that there is, or row 0."""
    known, found = configs(), {}
    for path in SERVER:
        letters = re.findall(r'^knob c (\S)', explain(path).decode('ascii'), re.M)
        found.setdefault(next((x for x in letters if x in known), '0'), []).append(path)
    return found


def survives(server, path, endpoint):
    """It plays in bounded time, whatever comes of it, and the server is still there."""
    r = subprocess.run([BIN, 'send', '--script', path, endpoint, *SHORT], capture_output=True, timeout=GENEROUS,
                       check=False)
    assert r.returncode in (0, 1, 69), (path, r)
    assert not harness.DEATH_CRIES.search(r.stderr.decode()), r.stderr
    assert b'summary: ' in r.stdout or r.returncode == 69
    assert server.process.poll() in (None, 0), f'{path}: {server.text[-2000:]}'


def test_some_of_the_corpus_against_a_server(serve):
    server = serve(None, '--listen', 'tcp://127.0.0.1:0', '--listen', 'udp://127.0.0.1:0', log='text')
    for path in SERVER[::16]:
        survives(server, path, server.listening[0][0])
    for path in SERVER[5::40]:
        survives(server, path, server.listening[1][0])


@long_test
@pytest.mark.parametrize('letter', sorted(configs()))
def test_all_of_the_corpus_against_the_servers_it_asks_for(serve, tmp_path, asking, letter):
    listens, options = configs()[letter]
    listens = [a.replace('unix:/sim', f'unix:{tmp_path}/sim') for a in listens]
    args = [b for a in listens for b in ('--listen', a)]
    args += [b for o in options for b in ('--' + o.split('=')[0], o.split('=')[1])]
    if not listens or letter not in asking:
        pytest.skip('it has listeners of its own choice' if letter in asking else 'no script asks for it')
    server = serve(None, *args, log=None)
    for path in asking[letter]:
        for i in range(max(1, len(listens))):
            if server.process.poll() is not None:  # the line had conns=
                server.wait()
                server.stop()
                server = serve(None, *args, log=None)
            survives(server, path, server.listening[i][0].replace('0.0.0.0', '127.0.0.1'))
