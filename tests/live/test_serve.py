# SPDX-License-Identifier: MIT
"""The promises of `streambed serve`: where it listens, what it says, and what it refuses."""
import os
import re
import signal
import socket
import stat
import subprocess

import pytest

from harness import BIN, GENEROUS, ROOT, Server, exchange, own_network, refuses, run

# ---- listeners ---------------------------------------------------------------------------------------------


def test_port_0_is_picked_and_printed(serve, via):
    server = serve('ECHO frame=line max=1k', via=via)
    endpoint, line = server.listening[0]
    assert line == 'ECHO frame=line max=1k'
    assert endpoint.startswith({'ipv4': 'tcp://127.0.0.1:', 'ipv6': 'tcp://[::1]:', 'unix': 'unix:/'}[via])
    with server.connect() as client:
        assert exchange(client, b'hello\n') == (b'hello\n', 'eof')


def test_every_listener_is_printed_in_the_order_asked_for(serve, endpoint):
    wanted = [('ipv4', 'ECHO'), ('udp', 'DISCARD'), ('ipv6', 'CHARGEN'), ('unix', 'SOURCE count=2'), ('udp6', 'ECHO')]
    listens = [a for via, line in wanted for a in ('--listen', f'{endpoint(via)},{line}')]
    server = serve(None, *listens)
    assert [line for _, line in server.listening] == [line for _, line in wanted]
    assert len({server.port(i) for i in (0, 1, 2, 4)} | {0}) > 4
    assert server.out[-1].startswith("try: printf 'hello\\n' | nc -N 127.0.0.1 ")
    assert [e['listener'] for e in server.events('listening')] == [1, 2, 3, 4, 5]


def test_without_a_line_it_echoes(serve, endpoint):
    server = serve(None, '--listen', endpoint('ipv4'))
    assert server.listening[0][1] == 'ECHO'
    with server.connect() as client:
        assert exchange(client, b'x') == (b'x', 'eof')


def defaults_answer(server, hosts):
    for host in hosts:
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        with socket.socket(family) as client:
            client.settimeout(GENEROUS)
            client.connect((host, 7777))
            assert exchange(client, b'tcp') == (b'tcp', 'eof')
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.settimeout(GENEROUS)
            client.connect((host, 7777))
            client.send(b'udp')
            assert client.recv(10) == b'udp'


@own_network
def test_without_arguments_it_echoes_on_7777(io):
    with Server('--io', io) as server:
        assert server.listening == [(f'{scheme}://{host}:7777', 'ECHO') for scheme in ('tcp', 'udp')
                                    for host in ('127.0.0.1', '[::1]')]
        defaults_answer(server, ['127.0.0.1', '::1'])


@own_network
@pytest.mark.parametrize('how', ['disable_ipv6', 'no ::1'])
def test_without_an_ipv6_loopback_it_says_so_and_serves(how):
    if how == 'no ::1':
        subprocess.run(['ip', '-6', 'addr', 'del', '::1/128', 'dev', 'lo'], check=True)
    else:
        try:
            with open('/proc/sys/net/ipv6/conf/lo/disable_ipv6', 'w', encoding='ascii') as f:
                f.write('1')
        except OSError as e:
            pytest.skip(f'IPv6 cannot be switched off: {e}')
    with Server() as server:
        assert [endpoint for endpoint, _ in server.listening] == ['tcp://127.0.0.1:7777', 'udp://127.0.0.1:7777']
        defaults_answer(server, ['127.0.0.1'])
        said = server.events('not-listening')
        assert [e['on'].split(',')[0] for e in said] == ['tcp://[::1]:7777', 'udp://[::1]:7777']
        assert all('does not have the address' in e['why'] for e in said)
    asked = refuses('serve', '--listen', 'tcp://[::1]:0,ECHO', code=71)  # what was asked for by name must be there
    assert '[::1]' in asked


def test_ready_fd_is_written_when_all_listen(endpoint):
    reader, writer = os.pipe()
    argv = [BIN, 'serve', '--listen', endpoint('ipv4'), '--listen', endpoint('ipv4'), '--ready-fd', str(writer)]
    with subprocess.Popen(argv, pass_fds=[writer], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        os.close(writer)
        assert os.read(reader, 10) == b'\n'
        # It is all printed already, and the descriptor closed: a reader until the end gets its end.
        assert os.read(reader, 10) == b''
        for _ in range(2):
            port = int(re.match(rb'listening tcp://127\.0\.0\.1:(\d+) ECHO', server.stdout.readline())[1])
            socket.create_connection(('127.0.0.1', port), GENEROUS).close()
        server.terminate()
        assert server.wait(GENEROUS) == 0
    os.close(reader)


def test_ready_fd_that_cannot_be_written_is_said(endpoint):
    result = run('serve', '--listen', endpoint('ipv4'), '--ready-fd', '999')
    assert result.returncode == 74
    assert '--ready-fd 999' in result.stderr


def test_ready_fd_whose_reader_is_gone_is_said(endpoint):
    reader, writer = os.pipe()
    os.close(reader)
    result = run('serve', '--listen', endpoint('ipv4'), '--ready-fd', str(writer), pass_fds=[writer])
    os.close(writer)
    assert result.returncode == 74


# ---- unix sockets ------------------------------------------------------------------------------------------


def test_unix_path_is_removed_at_the_end(serve, tmp_path):
    server = serve('ECHO', via='unix')
    path = server.address()[1]
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    server.stop()
    assert not os.path.exists(path)


def test_unix_path_left_behind_is_taken_over(serve, tmp_path):
    path = str(tmp_path / 'sock')
    first = serve(None, '--listen', f'unix:{path},ECHO')
    first.tell(signal.SIGKILL)
    first.wait()
    assert os.path.exists(path)
    second = serve(None, '--listen', f'unix:{path},ECHO')
    with second.connect() as client:
        assert exchange(client, b'x') == (b'x', 'eof')
    second.stop()
    assert not os.path.exists(path)


def test_unix_path_of_a_living_server_is_refused_and_left_alone(serve, tmp_path):
    path = str(tmp_path / 'sock')
    first = serve(None, '--listen', f'unix:{path},ECHO')
    said = refuses('serve', '--listen', f'unix:{path},ECHO', code=71)
    assert path in said and 'a server listens there' in said
    with first.connect() as client:
        assert exchange(client, b'x') == (b'x', 'eof')


def test_unix_path_of_a_server_with_a_full_backlog_is_refused(tmp_path):
    path = str(tmp_path / 'sock')
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waits:
        busy.bind(path)
        busy.listen(0)
        waits.connect(path)
        assert 'a server listens there' in refuses('serve', '--listen', f'unix:{path},ECHO', code=71)
    assert os.path.exists(path)


def test_unix_path_that_cannot_be_asked_is_refused_and_no_more_is_said_than_is_known(tmp_path):
    path = str(tmp_path / 'sock')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(path)
        said = refuses('serve', '--listen', f'unix:{path},ECHO', code=71)
    assert 'whether anybody listens there cannot be told: wrong protocol for the socket' in said
    assert os.path.exists(path)


@pytest.mark.parametrize('what', ['file', 'directory', 'link'])
def test_unix_path_of_something_else_is_refused_and_left_alone(tmp_path, what):
    path = tmp_path / 'precious'
    if what == 'file':
        path.write_text('mine')
    elif what == 'directory':
        path.mkdir()
    else:
        path.symlink_to(tmp_path / 'nowhere')
    said = refuses('serve', '--listen', f'unix:{path},ECHO', code=71)
    assert str(path) in said and 'a server listens there' not in said
    assert what != 'file' or 'nobody listens there, and it cannot be removed: not a socket' in said
    assert os.path.lexists(path)
    assert what != 'file' or path.read_text() == 'mine'


def test_unix_path_with_a_comma_a_space_and_a_newline(serve, tmp_path):
    path = str(tmp_path / 'a,b %\nc')
    server = serve(None, '--listen', 'unix:' + path.replace('%', '%25').replace(',', '%2C') + ',ECHO')
    assert os.path.exists(path)
    assert '%2C' in server.listening[0][0]
    assert len(server.listening) == 1
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(GENEROUS)
        client.connect(path)
        assert exchange(client, b'x') == (b'x', 'eof')
    server.stop()
    assert not os.path.exists(path)


def test_unix_path_that_is_too_long_or_not_there(tmp_path):
    assert '107' in refuses('serve', '--listen', f'unix:/tmp/{"x" * 200},ECHO', code=2)
    refuses('serve', '--listen', f'unix:{tmp_path}/no/such/dir,ECHO', code=71)


# ---- bad command lines -------------------------------------------------------------------------------------


@pytest.mark.parametrize('line, at, words', [
    ('ECHO rcvbuff=1k', 'rcvbuff', 'unknown key "rcvbuff" (did you mean rcvbuf?)'),
    ('ECHO frame=u32bee', 'u32bee', 'did you mean u32be?'),
    ('EHCO', 'EHCO', 'did you mean ECHO?'),
    ('EHCO cut', 'EHCO', 'did you mean ECHO?'),
    ('LISTN ECHO', 'LISTN', 'did you mean LISTEN?'),
    ('LISTEN ECHO', 'LISTEN', 'LISTEN is a control verb'),
    ('ECHO close=clear', 'clear', 'did you mean clean?'),
    ('ECHO recv=0', '0', 'recv is 1 to 64k, not 0'),
    ('ECHO recv=65537', '65537', 'recv is 1 to 64k'),
    ('ECHO recv=1 recv=2', 'recv=2', 'twice'),
    ('ECHO recv=ten', 'ten', 'recv takes a size'),
    ('ECHO recv=-5', '-5', 'recv is 1 to 64k'),
    ('ECHO recv=1e308', '1e308', 'recv takes a size'),
    ('ECHO recv=9223372036854775808', '9223372036854775808', 'recv is 1 to 64k'),
    ('ECHO stopread=5', '5', 'stopread takes a time'),
    ('ECHO stopread=61m', '61m', 'stopread is'),
    ('ECHO stopread=1s@x', 'x', 'stopread takes'),
    ('ECHO frame=fixed:0', '0', 'N is 1 to max'),
    ('ECHO frame=delim:0', '', 'hex digits'),
    ('ECHO count=5', 'count', 'SOURCE'),
    ('ECHO  recv=5', '', 'one space'),
    ('ECHO recv', 'recv', 'not key=value'),
    ('ECHO recv=', '', 'no value'),
    ('ECHO frog=1', 'frog', 'unknown key'),
    ('FORWARD to=tcp://127.0.0.1:1 frag=1', 'frag', 'up.frag= or down.frag='),
    ('SCRIPT', '', 'SCRIPT needs steps'),
    ('echo', 'echo', 'ECHO'),
    ('SB1 ECHO', 'SB1', 'marker'),
    ('ECHO | hlf', 'hlf', 'did you mean half?'),
    ('CHARGEN frame=line', 'frame', 'CHARGEN does not take it'),
    ('SOURCE pattern=a\\q', '\\q', 'escape'),
    ('SOURCE len=64k count=1073741824', '1073741824', '--max-bytes'),
    ('SOURCE pattern=a\\nb frame=line', 'line', 'cannot carry'),
    ('SOURCE file=x', 'x', '--files'),
    ('SOURCE len=0', '0', 'nothing'),
])
def test_a_bad_line_is_one_line_with_its_column(line, at, words):
    text = f'tcp://127.0.0.1:0,{line}'
    said = refuses('serve', '--listen', text, code=2)
    assert said.startswith('streambed serve: ')
    assert words in said
    col = int(re.search(r'col=(\d+)', said)[1])
    assert 1 <= col <= len(text) + 1
    assert text[col - 1:].startswith(at), (said, text[col - 1:])


@pytest.mark.parametrize('args, words', [
    (['--listn', 'x'], 'did you mean --listen?'),
    (['--listen'], '--listen needs a value'),
    (['--max-conns', '0'], 'max-conns is 1 to 1000000'),
    (['--max-conns', 'many'], 'max-conns takes a number'),
    (['--max-conns', '5', '--max-conns', '6'], 'twice'),
    (['--idle-timeout', '10'], 'idle-timeout takes a time'),
    (['--idle-timeout', '0s'], 'or none'),
    (['--io', 'epol'], 'epoll'),
    (['--io', 'kqueue'], 'kqueue'),
    (['--log', 'xml'], 'log is text or json'),
    (['--log-level', 'loud'], 'log-level is'),
    (['--ready-fd', '-1'], '--ready-fd'),
    (['--ready-fd', 'x'], '--ready-fd'),
    (['--listen', 'tcp://localhost:80'], 'in numbers'),
    (['--listen', 'tcp://127.0.0.1:65536'], '0 to 65535'),
    (['--listen', 'tcp://127.0.0.1'], 'no endpoint'),
    (['--listen', 'tcp://::1:80'], 'brackets'),
    (['--listen', '127.0.0.1:80'], 'no endpoint'),
    (['--listen', 'unix:'], 'needs a path'),
    (['--listen', 'unix:/tmp/%zz'], 'hex digits'),
    (['--listen', 'udp://127.0.0.1:0,ECHO recv=5'], 'not to udp'),
    (['--listen', 'udp://127.0.0.1:0,ECHO close=rst'], 'not to udp'),
    (['tcp://127.0.0.1:0'], 'did you mean --listen'),
    (['-l', 'x'], 'written --NAME'),
    (['--allow', '10.0.0.0/33'], 'allow takes a range'),
])
def test_a_bad_command_line_is_one_line_and_exit_2(args, words):
    said = refuses('serve', *args, code=2)
    assert words in said


@pytest.mark.parametrize('args, words', [
    ([], 'serve, send'), (['srve'], 'did you mean serve?'), (['--nonsense'], '--help'),
    (['version', 'x'], 'no arguments')])
def test_a_bad_command_is_one_line_and_exit_2(args, words):
    assert words in refuses(*args, code=2)


def test_what_was_typed_cannot_forge_a_line():
    said = refuses('serve', '--listen', 'tcp://127.0.0.1:0,ECHO x\n[fake]\x1b[2J=1', code=2)
    assert '\x1b' not in said


def test_too_many_listeners(endpoint):
    said = refuses('serve', *[a for _ in range(65) for a in ('--listen', endpoint('ipv4'))], code=2)
    assert '64' in said


def test_version_says_what_works():
    result = run('--version')
    assert result.returncode == 0
    assert re.match(r'streambed \d+\.\d+\.\d+\n', result.stdout)
    for word in ('compiler:', 'sanitizers:', 'epoll', 'poll'):
        assert word in result.stdout


@pytest.mark.parametrize('args', [['--help'], ['serve', '--help'], ['-h']])
def test_help_is_everywhere(args):
    result = run(*args)
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout.startswith(('usage:', 'streambed'))


def test_help_has_every_key_and_limit():
    text = run('serve', '--help').stdout

    def names(table, row):
        with open(os.path.join(ROOT, 'src', table), encoding='ascii') as f:
            return re.findall(rf'^{row}\(\w+, "([^"]+)"', f.read(), re.M)

    keys, limits = names('scenario/keys.def', 'SB_KEY'), names('core/limits.def', 'SB_LIMIT')
    assert len(keys) > 10 and len(limits) > 10
    assert all(f'{key}=' in text for key in keys)
    assert all(f'--{limit}' in text for limit in limits)
