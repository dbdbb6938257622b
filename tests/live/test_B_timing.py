# SPDX-License-Identifier: MIT
"""Faults, group B: timing and segmentation. Times are the server's limits, made short; nothing here is measured."""
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from harness import (exchange, fill, finish, long_test, pattern, reset, take, take_all, taken, u32be)


def test_B32_one_byte_a_segment_has_no_limit_of_reads(serve, io, via):
    server = serve('ECHO frame=u32be', '--io', io, via=via)
    n = 3000
    data = u32be(pattern(n))
    with server.connect() as client:
        for i in range(len(data)):
            client.send(data[i:i + 1])
        assert take(client, len(data)) == data
        finish(client)
        assert take_all(client) == (b'', 'eof')


def test_B33_a_trickle_does_not_keep_a_frame_alive(serve, io):
    """Bytes come all the time, so it is never idle; the frame's own clock does not start again with each."""
    server = serve('ECHO frame=u32be', '--io', io, '--frame-timeout', '400ms', '--idle-timeout', '5s')
    with server.connect() as client:
        client.sendall(b'\0\0\xff\xff')
        gone = threading.Event()

        def trickle():
            while not gone.is_set():
                try:
                    client.send(b'.')
                except OSError:
                    return
                time.sleep(0.02)

        sender = threading.Thread(target=trickle)
        sender.start()
        assert take_all(client)[0] == b''
        gone.set()
        sender.join()
        finish(client)
        assert server.close_of(client)['reason'] == 'frame-timeout'


def test_B33_each_frame_has_its_own_clock(serve):
    """Frames that come slowly one after the other, each whole in time, outlive a frame timeout."""
    server = serve('ECHO frame=line', '--frame-timeout', '1500ms')
    with server.connect() as client:
        for _ in range(8):
            client.sendall(b'a')
            time.sleep(0.25)
            client.sendall(b'b\n')
            assert take(client, 3) == b'ab\n'
        finish(client)
        assert server.close_of(client)['reason'] == 'eof'


@long_test
def test_B33_a_frame_slower_than_the_least_rate_is_too_slow(serve):
    server = serve('ECHO frame=u32be', '--min-rate', '1k')
    with server.connect() as client:
        client.sendall(b'\0\0\xff\xff')
        gone = threading.Event()

        def trickle():
            while not gone.wait(0.1):
                try:
                    client.send(b'.')
                except OSError:
                    return

        sender = threading.Thread(target=trickle)
        sender.start()
        take_all(client)
        gone.set()
        sender.join()
        finish(client)
        close = server.close_of(client)
        assert (close['reason'], close['change']) == ('too-slow', '--min-rate')


@pytest.mark.parametrize('size', [65536, 65537, 200000])
def test_B34_64_KiB_in_one_segment(serve, io, via, size):
    server = serve('ECHO', '--io', io, via=via)
    data = pattern(size)
    with server.connect() as client:
        assert exchange(client, data) == (data, 'eof')


def test_B35_silence_after_connect_is_a_first_byte_timeout(serve, io):
    server = serve('ECHO', '--io', io, '--first-byte-timeout', '200ms')
    with server.connect() as silent:
        assert take_all(silent) == (b'', 'eof')
        finish(silent)
        close = server.close_of(silent)
        assert (close['reason'], close['change'], close['in']) == ('first-byte-timeout', '--first-byte-timeout', 0)


def test_B35_one_byte_is_enough(serve):
    server = serve('ECHO', '--first-byte-timeout', '1500ms')
    with server.connect() as client, server.connect() as silent:
        client.sendall(b'x')
        assert take(client, 1) == b'x'
        assert take_all(silent) == (b'', 'eof')  # the other one's time is over, so this one's was too
        client.sendall(b'y')
        assert take(client, 1) == b'y'


def test_B36_silence_after_an_exchange_is_an_idle_timeout(serve, io, via):
    server = serve('ECHO frame=line', '--io', io, '--idle-timeout', '200ms', via=via)
    with server.connect() as client:
        client.sendall(b'hello\n')
        assert take(client, 6) == b'hello\n'
        assert take_all(client) == (b'', 'eof')
        finish(client)
        close = server.close_of(n=1)
        assert (close['reason'], close['change'], close['how']) == ('idle-timeout', '--idle-timeout', 'close')


def test_B37_activity_keeps_a_connection(serve):
    """A byte now and then, for longer than the timeout of one that says nothing."""
    server = serve('ECHO', '--idle-timeout', '1500ms')
    with server.connect() as client, server.connect() as silent:
        for _ in range(8):
            time.sleep(0.25)
            client.sendall(b'.')
            assert take(client, 1) == b'.'
        finish(client)
        assert server.close_of(client)['reason'] == 'eof'
        assert take_all(silent) == (b'', 'eof')
        finish(silent)
        assert server.close_of(silent)['reason'] == 'idle-timeout'


def test_B37_a_lifetime_ends_even_a_busy_connection(serve, io):
    server = serve('ECHO', '--io', io, '--max-lifetime', '300ms')
    with server.connect() as client:
        got = b''
        while True:
            try:
                client.sendall(b'.')
                some = client.recv(1)
            except OSError:
                break
            if not some:
                break
            got += some
        client.close()
        assert got
        assert server.close_of()['reason'] == 'lifetime'


# Whoever looks at the clock of the wall sees it an hour back, and then an hour ahead again.
JUMPING = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int looks;

int clock_gettime(clockid_t clock, struct timespec *t)
{
	int r = (int)syscall(SYS_clock_gettime, clock, t);

	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		t->tv_sec -= looks++ % 2 ? 3600 : 0;
	return r;
}

int gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec t;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &t);
	*tv = (struct timeval){t.tv_sec, t.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *at)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return at ? (*at = t.tv_sec) : t.tv_sec;
}
"""


def test_B38_a_clock_of_the_wall_that_jumps_has_no_effect(serve, io, tmp_path):
    (tmp_path / 'jumping.c').write_text(JUMPING)
    shim = f'{tmp_path}/jumping.so'
    subprocess.run(['gcc', '-shared', '-fPIC', '-o', shim, f'{tmp_path}/jumping.c'], check=True)
    asan = os.environ.get('ASAN_OPTIONS', '') + ':verify_asan_link_order=0'
    env = dict(os.environ, LD_PRELOAD=shim, ASAN_OPTIONS=asan)
    looks = subprocess.run([sys.executable, '-c', 'import time; print(time.time() - time.time())'], env=env,
                           capture_output=True, text=True, check=True)
    assert abs(float(looks.stdout)) > 3000  # it does jump
    server = serve('ECHO delay=300ms', '--io', io, '--idle-timeout', '900ms', env=env)
    with server.connect() as client:
        for _ in range(3):
            client.sendall(b'x')
            since = time.monotonic()
            assert take(client, 1) == b'x'
            assert 0.29 < time.monotonic() - since < 30
        since = time.monotonic()
        assert take_all(client) == (b'', 'eof')
        assert 0.85 < time.monotonic() - since < 30
        finish(client)
        assert server.close_of(client)['reason'] == 'idle-timeout'
    times = [event['t'] for event in server.events()]
    assert times == sorted(times) and times[-1] < 120


# SPDX-License-Identifier: MIT
"""Faults, group B: timing and segmentation. Times are the server's limits, made short; nothing here is measured."""
import contextlib
import signal
import socket
import threading
import time

import pytest

from harness import (exchange, fill, finish, long_test, pattern, reset, take, take_all, taken, u32be)


@pytest.mark.parametrize('via', ['ipv4', 'unix'])
def test_B41_what_is_not_read_stops_the_reading(serve, io, via):
    """The server holds one piece; the rest waits in the kernel and then in the sender. When it is read all is there."""
    server = serve('ECHO', '--io', io, '--log-level', 'debug', via=via)
    data = pattern(16 << 20)
    before = server.resident()
    with server.connect() as client:
        sent = 0
        client.settimeout(0.5)
        try:
            while sent < len(data):
                sent += client.send(data[sent:sent + 65536])
        except TimeoutError:
            pass
        client.settimeout(60)
        assert sent < len(data), 'it took everything although nothing was read'
        assert server.resident() - before < 8 << 20
        got, how = _go_on(client, data, sent)
        assert (how, len(got)) == ('eof', len(data))
        assert got == data


def _go_on(client, data, sent):
    def rest():
        client.sendall(data[sent:])
        client.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=rest)
    sender.start()
    got = take_all(client)
    sender.join()
    return got


def test_B41_who_never_reads_is_reset(serve, io):
    server = serve('ECHO', '--io', io, '--idle-timeout', '700ms')
    with server.connect() as client, server.connect() as other:
        with contextlib.suppress(ConnectionResetError):  # on a slow machine that may come while it still sends
            fill(client)
        close = server.close_of(client)
        assert (close['reason'], close['how'], close['change']) == ('stalled', 'rst', '--idle-timeout')
        assert close['unsent'] > 0
        other.close()
    c = server.stop()
    assert c['bytes-unsent'] > 0


def test_B41_back_pressure_does_not_reach_the_others(serve, io):
    server = serve('ECHO', '--io', io)
    with server.connect() as stalled, server.connect() as other:
        fill(stalled)
        data = pattern(1 << 20)
        assert exchange(other, data) == (data, 'eof')


@long_test
@pytest.mark.parametrize('line', ['ECHO', 'SOURCE count=10000 len=64k'])
def test_B42_who_reads_slower_than_the_least_rate_is_reset(serve, line):
    server = serve(line + ' sndbuf=4096', '--min-rate', '64k')
    with server.connect(rcvbuf=2048) as client:
        if line == 'ECHO':
            fill(client)
        for _ in range(40):
            time.sleep(0.5)
            if server.events('close'):
                break
            client.recv(1000)
        close = server.close_of()
        assert (close['reason'], close['how'], close['change']) == ('slow-reader', 'rst', '--min-rate')


# ---- how we read -------------------------------------------------------------------------------------------


def recvs(server, n):
    server.event('recv', n)
    return [e['bytes'] for e in server.events('recv') if e.get('bytes', -1) > 0]


@pytest.mark.parametrize('size, expected', [(1000, [1000]), (950, [950, 50]), (1, [1] * 1000), (65536, [1000])])
def test_recv_says_how_much_each_recv_takes(serve, io, via, size, expected):
    """1000 bytes sent at once: one recv of 1000, or 950 and 50."""
    server = serve(f'DISCARD recv={size}', '--io', io, via=via)
    with server.connect() as client:
        client.sendall(b'Hello World!' + bytes(988))
        finish(client)
        assert take_all(client) == (b'', 'eof')
        server.close_of(n=1)
        assert recvs(server, len(expected)) == expected


def test_recv_of_ten_sends_of_100_bytes(serve, io):
    """Ten sends into a stream are one recv when nobody has read between them: a stream has no boundaries."""
    server = serve('ECHO recv=1000', '--io', io)
    server.tell(signal.SIGSTOP)
    with server.connect() as client:
        message = b'Hello World!' + bytes(88)
        for _ in range(10):
            client.sendall(message)
        server.tell(signal.SIGCONT)
        assert take(client, 1000) == message * 10
        finish(client)
        server.close_of(client)
        assert recvs(server, 1) == [1000]


def test_recv_changes_no_byte(serve, io):
    server = serve('ECHO frame=u32be recv=7', '--io', io)
    data = u32be(pattern(5000)) + u32be(b'') + u32be(b'abc')
    with server.connect() as client:
        assert exchange(client, data) == (data, 'eof')
        assert max(recvs(server, 700)) <= 7


def test_stopread_stops_and_goes_on(serve, io, via):
    """By the server's own clock: the first recv comes so much later than the connection."""
    server = serve('ECHO stopread=400ms recv=64k', '--io', io, via=via)
    with server.connect() as client:
        client.sendall(b'early')
        assert take(client, 5) == b'early'
        client.sendall(b'late')
        assert take(client, 4) == b'late'
        assert server.event('recv')['t'] - server.event('open')['t'] >= 0.4


def test_stopread_begins_after_so_many_bytes(serve, io):
    server = serve('ECHO stopread=500ms@10 recv=64k', '--io', io)
    with server.connect() as client:
        client.sendall(b'0123456789abcdef')
        assert take(client, 16) == b'0123456789abcdef'
        first, second = server.event('recv', 1), server.event('recv', 2)
        assert (first['bytes'], second['bytes']) == (10, 6)
        assert second['t'] - first['t'] >= 0.5


def test_stopread_lets_the_window_close(serve, io):
    """A stalled reader: the sender gets no further than both kernel buffers, and loses nothing."""
    server = serve('DISCARD stopread=1200ms rcvbuf=4096', '--io', io)
    with server.connect(sndbuf=4096) as client:
        taken_at_first = fill(client, b'x' * 1000)
        assert 0 < taken_at_first < 200000
        finish(client)
        assert take_all(client) == (b'', 'eof')
        assert server.close_of(client)['in'] == taken_at_first


def test_stopread_sees_the_end_afterwards(serve, io):
    server = serve('ECHO stopread=400ms', '--io', io)
    with server.connect() as client:
        client.sendall(b'bye')
        finish(client)
        assert take_all(client) == (b'bye', 'eof')
        assert server.close_of(client)['reason'] == 'eof'


def test_stopread_is_not_idle(serve, io):
    """That nothing is read is our own doing: no timeout of the peer's runs meanwhile."""
    server = serve('ECHO frame=line stopread=1s@1', '--io', io, '--idle-timeout', '300ms',
                   '--frame-timeout', '300ms')
    with server.connect() as client:
        client.sendall(b'ab\n')
        assert take(client, 3) == b'ab\n'


@pytest.mark.parametrize('end', [finish, reset])
def test_stopread_burns_no_time(serve, io, end):
    """Bytes wait and the peer has gone, which a level-triggered poll would report for ever: nothing is to be done."""
    server = serve('ECHO stopread=1200ms@1000', '--io', io)
    with server.connect() as client:
        client.sendall(b'x' * 1500)
        take(client, 1000)
        end(client)
        before = server.cpu()
        time.sleep(0.8)
        assert server.cpu() - before < 0.3
        assert server.close_of()['reason'] == ('eof' if end is finish else 'reset')


def test_taken_means_read_by_the_server(serve):
    """What the cuts of these tests rest on."""
    server = serve('DISCARD', '--log-level', 'debug')
    with server.connect() as client:
        for n in (1, 20, 300):
            client.sendall(b'x' * n)
            taken(client)
        finish(client)
        server.close_of(client)
        assert recvs(server, 3) == [1, 20, 300]
