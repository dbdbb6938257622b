# SPDX-License-Identifier: MIT
"""Faults, group F: socket options, as far as a --listen line can ask for them: asked, set, read back, reported."""
import os
import re
import struct
import subprocess

import pytest

from harness import BIN, Server, exchange, fill, needs, own_network, refuses, take_all, u32be

LISTEN = 'tcp://127.0.0.1:0,'


def asked(server, name):
    """(asked, effective) as the log reports them."""
    event = server.event('option', name=name)
    return event['asked'], event['effective']


@pytest.mark.parametrize('keys, name, want, effective', [
    ('rcvbuf=950', 'SO_RCVBUF', 950, 2304), ('rcvbuf=1', 'SO_RCVBUF', 1, 2304),
    ('rcvbuf=4k', 'SO_RCVBUF', 4096, 8192), ('sndbuf=1', 'SO_SNDBUF', 1, 4608),
    ('sndbuf=64k', 'SO_SNDBUF', 65536, 131072), ('opt.SO_RCVBUF=4096', 'SO_RCVBUF', 4096, 8192)])
def test_F107_m6_buffers_are_what_the_kernel_makes_of_them(serve, keys, name, want, effective):
    server = serve('ECHO ' + keys)
    assert asked(server, name) == (want, effective)
    with server.connect() as client:
        assert exchange(client, b'x' * 20000) == (b'x' * 20000, 'eof')


@pytest.mark.parametrize('via, opt, value, effective', [
    ('ipv4', 'TCP_NODELAY', '1', 1), ('ipv4', 'TCP_NODELAY', '0', 0), ('ipv4', 'TCP_CORK', '0', 0),
    ('ipv4', 'SO_KEEPALIVE', '1', 1), ('ipv4', 'TCP_KEEPIDLE', '7', 7), ('ipv4', 'TCP_KEEPINTVL', '9', 9),
    ('ipv4', 'TCP_KEEPCNT', '3', 3), ('ipv4', 'TCP_USER_TIMEOUT', '5000', 5000), ('ipv4', 'SO_LINGER', 'off', -1),
    ('ipv4', 'SO_LINGER', '0', 0), ('ipv4', 'TCP_NOTSENT_LOWAT', '16k', 16384), ('ipv4', 'IP_TTL', '5', 5),
    ('ipv4', 'TCP_WINDOW_CLAMP', '1', 1152), ('ipv4', 'SO_OOBINLINE', '1', 1), ('ipv4', 'SO_REUSEADDR', '1', 1),
    ('ipv6', 'IPV6_UNICAST_HOPS', '9', 9), ('ipv6', 'IPV6_V6ONLY', '1', 1), ('udp', 'SO_RCVBUF', '8k', 16384),
    ('unix', 'SO_SNDBUF', '8k', 16384), ('udp', 'IP_TOS', '16', 16)])
def test_F_an_option_is_set_and_read_back(serve, via, opt, value, effective):
    server = serve(f'ECHO opt.{opt}={value}', via=via)
    want = {'off': -1, '16k': 16384, '8k': 8192}.get(value)
    assert asked(server, opt) == (int(value) if want is None else want, effective)


def test_F_a_connection_has_the_options_of_its_listener(serve):
    """RST when we close, from opt.SO_LINGER=0: on the connection, where it was never set."""
    server = serve('SOURCE len=10 count=1 pattern=zero opt.SO_LINGER=0 close=abrupt')
    with server.connect_first() as client:
        assert server.close_of(client)['how'] == 'close'
        assert take_all(client) == (bytes(10), 'reset')


@pytest.mark.parametrize('opt', ['NO_SUCH', 'TCP_NODELAYY', 'tcp_nodelay', '1', 'SO_'])
def test_F101_an_unknown_option_is_refused_at_its_column(opt):
    said = refuses('serve', '--listen', f'{LISTEN}ECHO opt.{opt}=1', code=2)
    assert re.search(r'col=\d+ unknown socket option', said)
    col = int(re.search(r'col=(\d+)', said)[1])
    assert f'{LISTEN}ECHO opt.{opt}=1'[col - 1:].startswith('opt.')


def test_F101_the_nearest_option_is_named():
    assert 'did you mean TCP_NODELAY?' in refuses('serve', '--listen', LISTEN + 'ECHO opt.TCP_NODELAYY=1', code=2)


DENIED = ['SO_RCVLOWAT', 'SO_MARK', 'SO_BINDTODEVICE', 'SO_DEBUG', 'SO_PRIORITY', 'SO_SNDBUFFORCE', 'SO_ATTACH_FILTER',
          'SO_BROADCAST', 'SO_ZEROCOPY', 'IP_TRANSPARENT', 'IP_OPTIONS', 'TCP_REPAIR', 'TCP_ULP', 'TCP_CONGESTION',
          'TCP_FASTOPEN', 'TCP_DEFER_ACCEPT', 'TCP_MD5SIG', 'TCP_LINGER2', 'SO_BUSY_POLL', 'SO_RCVTIMEO']


@pytest.mark.parametrize('opt', DENIED)
def test_F102_a_denied_option_is_refused(opt):
    said = refuses('serve', '--listen', f'{LISTEN}ECHO opt.{opt}=1', code=2)
    assert f'{opt} is never allowed' in said


@needs('strace')
@pytest.mark.parametrize('opt', ['SO_MARK', 'SO_RCVLOWAT', 'SO_DEBUG'])
def test_F102_a_denied_option_never_reaches_the_kernel(tmp_path, opt):
    trace = tmp_path / 'trace'
    result = subprocess.run(['strace', '-f', '-o', str(trace), '-e', 'trace=setsockopt,socket,execve', BIN, 'serve',
                             '--listen', f'{LISTEN}ECHO opt.{opt}=1'], capture_output=True, text=True, check=False,
                            env={'ASAN_OPTIONS': 'detect_leaks=0', 'PATH': '/usr/bin:/bin'})
    assert result.returncode == 2, result.stderr
    calls = trace.read_text()
    assert 'execve' in calls
    assert 'setsockopt' not in calls


@needs('strace')
def test_F102_what_is_set_is_what_was_asked_and_the_defaults(serve, tmp_path):
    trace = tmp_path / 'trace'
    server = serve('ECHO rcvbuf=950 opt.TCP_KEEPIDLE=7',
                   env={**os.environ, 'ASAN_OPTIONS': 'detect_leaks=0'},
                   under=['strace', '-D', '-f', '-o', str(trace), '-e', 'trace=setsockopt'])
    with server.connect() as client:
        assert exchange(client, b'x') == (b'x', 'eof')
    server.stop()
    calls = re.findall(r'setsockopt\(\d+, (\w+), (\w+),', trace.read_text())
    assert sorted(name for _, name in calls) == ['SO_RCVBUF', 'SO_REUSEADDR', 'TCP_KEEPIDLE', 'TCP_NODELAY']


@pytest.mark.parametrize('opt, value, range_', [
    ('SO_RCVBUF', '0', '1 to 1073741823'), ('SO_RCVBUF', '1073741824', '1 to 1073741823'),
    ('SO_RCVBUF', '-1', '1 to 1073741823'), ('TCP_MAXSEG', '87', '88 to 32767'), ('TCP_MAXSEG', '32768', '88 to 32767'),
    ('TCP_KEEPCNT', '128', '1 to 127'), ('TCP_KEEPCNT', '0', '1 to 127'), ('TCP_KEEPIDLE', '32768', '1 to 32767'),
    ('IP_TTL', '256', '1 to 255'), ('IP_TTL', '0', '1 to 255'), ('TCP_NODELAY', '2', '0 or 1'),
    ('TCP_NODELAY', '-5', '0 or 1'), ('SO_LINGER', '61', 'off or 0 to 60'),
    ('TCP_USER_TIMEOUT', '2147483648', '0 to 2147483647'), ('SO_RCVBUF', '99999999999999999999', '1 to 1073741823')])
def test_F103_F104_m7_out_of_range_is_refused_and_the_range_named(opt, value, range_):
    said = refuses('serve', '--listen', f'{LISTEN}ECHO opt.{opt}={value}', code=2)
    assert f'{opt} is {range_}, not {value}' in said
    col = int(re.search(r'col=(\d+)', said)[1])
    assert f'{LISTEN}ECHO opt.{opt}={value}'[col - 1:] == value


@pytest.mark.parametrize('opt, value, takes', [
    ('TCP_NODELAY', 'yes', '0 or 1'), ('TCP_KEEPIDLE', '5s', 'a number'), ('SO_RCVBUF', '4kb', 'a size'),
    ('SO_LINGER', 'on', 'off or a number'), ('TCP_MAXSEG', '1k', 'a number'), ('SO_RCVBUF', '1e6', 'a size'),
    ('SO_RCVBUF', '0x10', 'a size'), ('TCP_KEEPCNT', '1.5', 'a number')])
def test_F_a_value_of_the_wrong_kind_is_refused(opt, value, takes):
    said = refuses('serve', '--listen', f'{LISTEN}ECHO opt.{opt}={value}', code=2)
    assert f'{opt} takes {takes}' in said


@pytest.mark.parametrize('endpoint, opt, why', [
    ('udp://127.0.0.1:0', 'TCP_NODELAY=1', 'tcp only'), ('unix:/tmp/no', 'IP_TTL=5', 'not for unix'),
    ('tcp://127.0.0.1:0', 'IPV6_V6ONLY=1', 'IPv6'), ('tcp://[::1]:0', 'IP_TTL=5', 'IPv4'),
    ('udp://127.0.0.1:0', 'SO_REUSEADDR=1', 'tcp only'), ('udp://127.0.0.1:0', 'SO_REUSEPORT=1', 'tcp only')])
def test_F_an_option_where_it_means_nothing_is_refused(endpoint, opt, why):
    said = refuses('serve', '--listen', f'{endpoint},ECHO opt.{opt}', code=2)
    assert why in said


def test_F_an_option_of_connections_is_set_on_each_and_read_back(serve, io):
    server = serve('ECHO opt.TCP_QUICKACK=0', '--io', io)
    for n in (1, 2, 3):
        with server.connect() as client:
            event = server.event('option', n, name='TCP_QUICKACK')
            assert (event['asked'], event['effective']) == (0, 0)
            assert exchange(client, b'x') == (b'x', 'eof')


def test_F_an_option_twice_is_refused():
    assert 'twice' in refuses('serve', '--listen', LISTEN + 'ECHO rcvbuf=1k opt.SO_RCVBUF=2k', code=2)
    assert 'twice' in refuses('serve', '--listen', LISTEN + 'ECHO opt.IP_TTL=1 opt.IP_TTL=1', code=2)


STRICT = ['serve', '--allow', '192.0.2.0/24', '--listen']


@pytest.mark.parametrize('opt, range_', [
    ('SO_RCVBUF=4095', '4k to 256k'), ('SO_RCVBUF=262145', '4k to 256k'), ('SO_SNDBUF=1M', '4k to 256k'),
    ('TCP_MAXSEG=88', '536 to 32767'), ('TCP_MAXSEG=535', '536 to 32767'), ('TCP_USER_TIMEOUT=0', '1000 to 300000'),
    ('TCP_KEEPIDLE=601', '1 to 600'), ('TCP_KEEPCNT=11', '1 to 10'), ('SO_LINGER=1', 'off or 0'),
    ('TCP_NOTSENT_LOWAT=0', '1 to 64k')])
def test_F103_F106_the_strict_ranges(opt, range_):
    said = refuses(*STRICT, f'tcp://0.0.0.0:0,ECHO opt.{opt}', code=2)
    assert range_ in said


def test_F_what_the_strict_profile_has_not_at_all():
    assert 'loopback' in refuses(*STRICT, 'tcp://0.0.0.0:0,ECHO opt.IP_TTL=5', code=2)


def test_F106_a_tiny_segment_is_for_the_loopback(serve):
    server = serve('ECHO opt.TCP_MAXSEG=88')
    assert server.event('option', name='TCP_MAXSEG')['asked'] == 88
    with server.connect() as client:
        assert exchange(client, b'x' * 30000) == (b'x' * 30000, 'eof')


@own_network
def test_F_the_strict_profile_in_one(io):
    """0.0.0.0 needs --allow, says that others can reach it, bounds its buffers, and serves the loopback too."""
    with Server('--listen', 'tcp://0.0.0.0:0,ECHO rcvbuf=4k', '--allow', '192.0.2.0/24', '--io', io) as server:
        profile = server.event('profile')
        assert (profile['name'], profile['max-conns']) == ('strict', 1024)
        assert 'others can reach' in profile['why']
        assert server.event('option', name='SO_RCVBUF')['effective'] == 8192
        with server.connect() as client:
            assert exchange(client, u32be(b'x')) == (u32be(b'x'), 'eof')


def test_F_a_port_open_to_others_needs_to_be_allowed():
    said = refuses('serve', '--listen', 'tcp://0.0.0.0:0,ECHO', code=2)
    assert '--allow CIDR' in said
    assert 'no listener' in refuses('serve', '--listen', LISTEN + 'ECHO', '--allow', '10.0.0.0/8', code=2)
    assert 'prefix' in refuses('serve', '--listen', 'tcp://0.0.0.0:0', '--allow', '10.0.0.1/8', code=2)


def test_m21_a_small_buffer_at_the_listener_bounds_what_a_client_can_queue(serve):
    """Set before accept it bounds the window: a few kilobytes instead of megabytes."""
    sizes = []
    for keys in ('rcvbuf=950 ', ''):
        server = serve(f'DISCARD {keys}stopread=60s')
        with server.connect(sndbuf=4096) as client:
            sizes.append(fill(client, b'x' * 2000))
            client.setsockopt(1, 13, struct.pack('ii', 1, 0))  # SO_LINGER: do not leave a stalled close behind
        server.stop()
    assert sizes[0] * 2 < sizes[1]
    assert sizes[0] < 20000
