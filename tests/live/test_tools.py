# SPDX-License-Identifier: MIT
"""The tools that people already have just work."""
import subprocess

import pytest

from harness import GENEROUS, needs, pattern


def pipe(argv, data, **more):
    result = subprocess.run(argv, input=data, capture_output=True, timeout=GENEROUS, check=False, **more)
    return result.stdout, result.returncode


def host_and_port(server):
    _, address = server.address()
    return [str(address[0]), str(address[1])]


DATA = [b'hello\n', pattern(300000)]


@needs('nc')
@pytest.mark.parametrize('data', DATA, ids=['short', 'long'])
def test_nc(serve, io, via, data):
    server = serve('ECHO', '--io', io, via=via)
    to = ['-U', server.address()[1]] if via == 'unix' else host_and_port(server)
    assert pipe(['nc', '-N', *to], data) == (data, 0)


@needs('nc')
def test_nc_over_udp(serve, io):
    server = serve('ECHO', '--io', io, via='udp')
    assert pipe(['nc', '-u', '-w', '1', *host_and_port(server)], b'hello\n')[0] == b'hello\n'


@needs('ncat')
@pytest.mark.parametrize('data', DATA, ids=['short', 'long'])
def test_ncat(serve, io, data):
    """It closes its side at the end of its input and reads on: the reply must be whole by then or come still."""
    server = serve('ECHO', '--io', io)
    out, code = pipe(['ncat', *host_and_port(server)], data)
    assert (out, code) == (data, 0)


@needs('ncat')
def test_ncat_over_udp(serve, io):
    server = serve('ECHO', '--io', io, via='udp')
    argv = ['ncat', '-u', *host_and_port(server)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ncat:
        ncat.stdin.write(b'hello\n')
        ncat.stdin.flush()
        assert ncat.stdout.readline() == b'hello\n'
        ncat.stdin.close()
        ncat.terminate()
        ncat.wait(GENEROUS)


@needs('socat')
@pytest.mark.parametrize('data', DATA, ids=['short', 'long'])
def test_socat(serve, io, via, data):
    server = serve('ECHO', '--io', io, via=via)
    address = server.address()[1]
    to = {'ipv4': lambda: f'TCP4:127.0.0.1:{address[1]}', 'ipv6': lambda: f'TCP6:[::1]:{address[1]}',
          'unix': lambda: f'UNIX-CONNECT:{address}'}[via]()
    assert pipe(['socat', '-t', str(GENEROUS), '-', to], data) == (data, 0)


@needs('socat')
def test_socat_over_udp(serve, io):
    server = serve('ECHO', '--io', io, via='udp')
    assert pipe(['socat', '-t', '1', '-', f'UDP4:127.0.0.1:{server.port()}'], b'hello\n') == (b'hello\n', 0)
