# SPDX-License-Identifier: MIT
"""Faults, group H: the process: its end, its ports, its config, its log."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import (BIN, GENEROUS, IS_ROOT, Server, exchange, fill, finish, needs, needs_root, own_network, pattern,
                     refuses, take, take_all, u32be, until)

# ---- the end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_H128_the_signal_drains(serve, io, via, number):
    """No more is accepted; what was sent before is answered; FIN; exit 0."""
    server = serve('ECHO frame=line', '--io', io, via=via)
    with server.connect() as idle, server.connect() as partial:
        partial.sendall(b'whole\nhalf')
        assert take(partial, 6) == b'whole\n'
        server.tell(number)
        server.event('stop')
        assert take_all(idle) == (b'', 'eof')
        assert take_all(partial) == (b'', 'eof')
        until(lambda: len(server.events('not-listening')) == 1, 'it listens no more')
        with pytest.raises(OSError):
            server.connect()
    c = server.stop()
    assert c['closed-stop'] == 2


def test_H128_under_load_it_drains_and_exits_0(serve, io):
    """Eight clients send without end and check every byte that comes back until the end comes."""
    server = serve('ECHO', '--io', io)
    problems, echoed = [], []

    def client():
        data = pattern(1 << 16)
        total = 0
        try:
            with server.connect() as sock:
                sock.sendall(data)
                while True:
                    some = sock.recv(1 << 16)
                    if not some:
                        break
                    at = total % len(data)
                    if (data + data)[at:at + len(some)] != some:
                        problems.append('not what was sent')
                    total += len(some)
                    echoed.append(len(some))
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        sock.sendall((data + data)[at:at + len(some)])
        except ConnectionResetError:
            pass  # it went on sending beyond what draining takes
        except OSError as e:
            problems.append(repr(e))

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    server.event('open', 8)
    until(lambda: sum(echoed) > 4 << 20, 'there is load')
    c = server.stop()
    for thread in threads:
        thread.join(GENEROUS)
    assert not problems
    assert c['accepted'] == 8


def test_H128_what_was_sent_before_the_signal_is_answered(serve, io):
    """The reply of a megabyte is under way, the client reads slowly: it gets all of it."""
    server = serve('SOURCE len=1000 count=2000 pattern=0123456789', '--io', io)
    with server.connect(rcvbuf=4096) as client:
        take(client, 1000)
        server.tell()
        server.event('stop')
        got, how = take_all(client)
        finish(client)
        close = server.close_of(client)
        assert how == 'eof'
        assert len(got) + 1000 == close['out']
    server.stop()


def test_H128_a_second_signal_is_immediate(serve, io):
    """A client that reads nothing would keep it for the stop timeout; the second signal does not wait."""
    server = serve('ECHO', '--io', io, '--stop-timeout', '60m')
    with server.connect() as stuck:
        fill(stuck)
        server.tell()
        server.event('stop', how='drain')
        time.sleep(0.3)
        assert server.process.poll() is None
        server.tell()
        assert server.wait() == 0
    assert server.events('stop', how='now')
    assert sum(n for name, n in server.stop().items() if name in ('closed-stop', 'closed-killed')) == 1


def test_H128_two_signals_at_once(serve, io):
    server = serve('ECHO', '--io', io, '--stop-timeout', '60m')
    with server.connect() as client:
        client.sendall(b'x')
        take(client, 1)
        server.tell(signal.SIGSTOP)
        server.tell(signal.SIGTERM)
        server.tell(signal.SIGINT)
        server.tell(signal.SIGCONT)
        assert server.wait() == 0


def test_H128_who_does_not_go_is_reset_after_the_stop_timeout(serve, io):
    server = serve('ECHO', '--io', io, '--stop-timeout', '300ms')
    with server.connect() as stuck:
        fill(stuck)
        server.stop()
    close = server.events('close')[0]
    assert (close['how'], close['reason'], close['change']) == ('rst', 'stop', '--stop-timeout')


def test_H128_a_stop_while_reading_is_stopped(serve, io):
    server = serve('ECHO stopread=60s', '--io', io)
    with server.connect() as client:
        client.sendall(b'never read')
        server.event('open')
        finish(client)
        server.stop()


def test_the_counters_say_what_happened(serve, io, endpoint):
    server = serve(None, '--listen', endpoint('ipv4') + ',ECHO frame=line', '--listen', endpoint('udp') + ',ECHO',
                   '--io', io)
    for data in (b'a\n', b'bb\n', b'ccc'):
        with server.connect(0) as client:
            exchange(client, data)
    with server.connect(1) as client:
        client.send(b'dddd')
        client.recv(10)
    c = server.stop()
    assert c == {'accepted': 3, 'bytes-in': 12, 'bytes-out': 9, 'bytes-dropped': 3, 'frames': 2, 'datagrams-in': 1,
                 'datagrams-out': 1, 'closed-eof': 2, 'closed-truncated': 1}


# ---- ports -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('scheme, host', [('tcp', '127.0.0.1'), ('udp', '127.0.0.1'), ('tcp', '[::1]')])
def test_H127_a_taken_port_is_named_and_port_0_suggested(scheme, host):
    family = socket.AF_INET6 if host == '[::1]' else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if scheme == 'tcp' else socket.SOCK_DGRAM) as other:
        other.bind((host.strip('[]'), 0))
        if scheme == 'tcp':
            other.listen()
        endpoint = f'{scheme}://{host}:{other.getsockname()[1]}'
        said = refuses('serve', '--listen', 'tcp://127.0.0.1:0', '--listen', f'{endpoint},ECHO', code=71)
        assert endpoint in said and 'port 0 picks a free one' in said
        assert 'in use' in said


@own_network
def test_H127_the_default_port_taken():
    with Server():
        said = refuses('serve', code=71)
        assert '7777' in said and 'port 0' in said


def test_H127_an_address_that_is_not_ours():
    assert '192.0.2.9' in refuses('serve', '--listen', 'tcp://192.0.2.9:0,ECHO', '--allow', '192.0.2.0/24', code=71)


def test_H127_nothing_is_left_open_when_one_listener_fails(tmp_path, endpoint):
    path = tmp_path / 'sock'
    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        other.listen()
        refuses('serve', '--listen', f'unix:{path},ECHO', '--listen', f'tcp://127.0.0.1:{other.getsockname()[1]}',
                code=71)
    assert not path.exists()


def test_H141_m9_killed_and_started_again_it_binds(serve, io):
    """The server closed first, so its port is in TIME_WAIT; then kill -9 with connections open."""
    server = serve('SOURCE len=10 count=1 pattern=zero', '--io', io)
    port = server.port()
    for _ in range(5):
        with server.connect() as client:
            assert take_all(client) == (bytes(10), 'eof')
    with server.connect() as client:
        take(client, 10)
        server.tell(signal.SIGKILL)
        server.wait()
    again = serve(None, '--listen', f'tcp://127.0.0.1:{port},ECHO', '--io', io)
    with again.connect() as client:
        assert exchange(client, b'x') == (b'x', 'eof')


def test_H141_restarted_after_draining_it_binds(serve):
    server = serve('ECHO', '--drain-idle-timeout', '200ms')
    port = server.port()
    with server.connect() as client:
        client.sendall(b'x')
        take(client, 1)
        server.stop()
        again = serve(None, '--listen', f'tcp://127.0.0.1:{port},ECHO')
        with again.connect() as new:
            assert exchange(new, b'x') == (b'x', 'eof')


def test_m8_a_second_tcp_listener_is_refused(serve):
    server = serve('ECHO')
    refuses('serve', '--listen', f'tcp://127.0.0.1:{server.port()},ECHO', code=71)


# ---- the config file ---------------------------------------------------------------------------------------


def test_H133_a_good_config_is_served(serve, tmp_path):
    config = tmp_path / 'config'
    config.write_bytes(b'# listeners\n\ntcp://127.0.0.1:0,ECHO frame=line\r\n'
                       b'max-conns=7\nudp://127.0.0.1:0,ECHO\nlog-level=debug')
    server = serve(None, '--config', str(config), '--listen', 'tcp://127.0.0.1:0,DISCARD')
    assert sorted(line for _, line in server.listening) == ['DISCARD', 'ECHO', 'ECHO frame=line']
    assert server.event('profile')['max-conns'] == 7


@pytest.mark.parametrize('text, line, words', [
    (b'tcp://127.0.0.1:0,ECHO\nmax-cons=5\n', 2, 'did you mean max-conns?'),
    (b'max-conns=5\nmax-conns=6\n', 2, 'twice'),
    (b'max-conns=five\n', 1, 'max-conns takes a number'),
    (b'\n\n# x\nmax-conns=0\n', 4, 'max-conns is 1 to'),
    (b'tcp://127.0.0.1:0,ECHO recv=1 recv=2\n', 1, 'twice'),
    (b'tcp://127.0.0.1:0,ECHO rcvbuff=1\n', 1, 'did you mean rcvbuf?'),
    (b'tcp://127.0.0.1:0,ECHO\ntrailing garbage\n', 2, 'neither an endpoint'),
    (b'\xef\xbb\xbftcp://127.0.0.1:0,ECHO\n', 1, 'byte order mark'),
    (b'tcp://127.0.0.1:0,ECHO\0 recv=1\n', 1, 'NUL'),
    (b'{' * 10000, 1, 'neither an endpoint'),
    (b'[' * 10000 + b'=1', 1, 'unknown option'),
    (b'\xff\xfe\x1b[2J\n', 1, 'neither an endpoint'),
    (b'tcp://127.0.0.1:0,ECHO pattern=' + b'x' * 5000, 1, '1024 bytes'),
    (b'--max-conns=5\n', 1, 'max-conns'),
    (b' max-conns=5\n', 1, 'max-conns'),
    (b'config=other\n', 1, 'unknown option'),
    (b'tcp://127.0.0.1:0,ECHO opt.SO_MARK=1\n', 1, 'never allowed'),
])
def test_H133_a_bad_config_is_one_line_that_names_the_line(tmp_path, text, line, words):
    config = tmp_path / 'config'
    config.write_bytes(text)
    said = refuses('serve', '--config', str(config), code=78)
    assert f'{config}:{line}: ' in said
    assert words in said
    assert '\x1b' not in said and '\xff' not in said


def test_H133_a_config_that_is_no_file(tmp_path):
    os.mkfifo(tmp_path / 'fifo')
    (tmp_path / 'large').write_bytes(b'#\n' * (5 << 20))
    (tmp_path / 'dir').mkdir()
    for name, words in (('fifo', 'not a regular file'), ('large', '1 MiB'), ('dir', 'folder'), ('none', 'No such file'),
                        ('fifo/x', 'not a folder')):
        said = refuses('serve', '--config', str(tmp_path / name), code=78)
        assert str(tmp_path / name) in said
        assert words.lower() in said.lower()
    assert 'not a regular file' in refuses('serve', '--config', '/dev/zero', code=78)


@needs('setpriv')
def test_H133_a_config_that_cannot_be_read(tmp_path):
    config = tmp_path / 'config'
    config.write_text('max-conns=5\n')
    config.chmod(0)
    argv = [BIN, 'serve', '--config', str(config)]
    if IS_ROOT:  # without the capabilities that make a mode of 0 meaningless
        argv = ['setpriv', '--bounding-set', '-dac_override,-dac_read_search', *argv]
    result = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=GENEROUS)
    assert result.returncode == 78, result.stderr
    assert 'ermission denied' in result.stderr


def test_H133_a_config_twice_is_refused(tmp_path):
    (tmp_path / 'config').write_bytes(b'')
    assert 'twice' in refuses('serve', *['--config', str(tmp_path / 'config')] * 2, code=2)


def test_H133_an_empty_config_is_the_defaults(tmp_path):
    (tmp_path / 'config').write_bytes(b'')

    @own_network
    def check():
        with Server('--config', str(tmp_path / 'config')) as server:
            assert len(server.listening) == 4

    check()


# ---- the log -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize('log', ['json', 'text'])
def test_H134_bytes_of_peers_cannot_forge_the_log(serve, io, tmp_path, log):
    """In a path, in the text of a line, on the wire: one event stays one line, and no terminal obeys it."""
    evil = '\n[fake]\x1b[2J"\\'
    path = str(tmp_path) + f'/{evil}'
    source = 'tcp://127.0.0.1:0,SOURCE pattern=\\n[fake]\\x1b[2J"\\\\'
    server = serve(None, '--listen', f'unix:{path},ECHO frame=line max=64', '--listen', source, '--io', io,
                   '--log-level', 'debug', log=log)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(GENEROUS)
        client.connect(path)
        exchange(client, evil.encode() * 30)
    with server.connect(1) as client:
        take_all(client)
    server.stop()
    for line in server.lines:
        assert line.isprintable(), line
        assert '\x1b' not in line
        assert not line.startswith('[fake]')
        if log == 'json' and not line.startswith('streambed'):
            json.loads(line)
    assert [e['listener'] for e in server.events('listening')] == [1, 2]
    if log == 'json':
        # What was escaped says what it was.
        assert '[fake]' in server.events('listening')[0]['on']


def test_the_text_log_says_what_the_json_log_says(serve):
    said = []
    for log in ('json', 'text'):
        server = serve('ECHO frame=line rcvbuf=4k', log=log)
        with server.connect() as client:
            exchange(client, b'a\nb')
        server.stop()
        said.append([{k: v for k, v in e.items() if k not in ('t', 'v', 'peer', 'on')} for e in server.events()])
    assert said[0] == said[1]
    assert [e['event'] for e in said[0]] == [
        'profile', 'option', 'listening', *['note'] * IS_ROOT, 'open', 'close', 'stop', 'not-listening', 'counters']


def test_every_json_line_has_its_version_and_time(serve):
    server = serve('ECHO', '--log-level', 'debug')
    with server.connect() as client:
        exchange(client, b'x')
    server.stop()
    events = server.events()
    assert all(e['v'] == 1 and isinstance(e['t'], float) for e in events)
    assert [e['t'] for e in events] == sorted(e['t'] for e in events)


@pytest.mark.parametrize('level, events', [
    ('error', set()), ('warning', set()), ('notice', {'profile', 'listening', 'stop', 'not-listening', 'counters'}),
    ('debug', {'profile', 'listening', 'open', 'recv', 'send', 'close', 'stop', 'not-listening', 'counters'})])
def test_log_levels(serve, level, events):
    server = serve('ECHO', '--log-level', level)
    with server.connect() as client:
        exchange(client, b'x')
    server.stop()
    assert {e['event'] for e in server.events()} - {'note'} == events


@needs_root
def test_H138_as_root_on_the_loopback_it_serves_and_says_so(serve):
    server = serve('ECHO')
    assert 'root' in server.event('note')['text']
    with server.connect() as client:
        assert exchange(client, u32be(b'x')) == (u32be(b'x'), 'eof')


def test_io_is_what_was_asked_for(serve, io):
    assert serve('ECHO', '--io', io).event('profile')['io'] == io
    assert serve('ECHO', '--io', 'auto').event('profile')['io'] == 'epoll'
