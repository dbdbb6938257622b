# SPDX-License-Identifier: MIT
"""What the tests of streambed send stand on: peers of a few lines each, and the client as a process.

The peers are on port 0 and do one thing: echo, read only, read nothing. A test that needs another one writes it.
"""
import contextlib
import json
import os
import re
import socket
import subprocess
import threading
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get('SB_BIN') or os.path.join(ROOT, 'build', 'asan', 'streambed')
GENEROUS = 60  # seconds until something that should happen counts as never happening
EVENTS = {'connect', 'send', 'recv', 'round', 'summary', 'error', 'connection', 'skipped'}
WORDS = {'event', 'endpoint', 'from', 'text', 'stray_from', 'end', 'error', 'what', 'why'}


# ---- peers -------------------------------------------------------------------------------------------------

class Peer:
    """A socket on port 0 and a thread that runs serve(peer); its mistakes fail the test, the other end's do not."""

    def __init__(self, sock, scheme):
        self.sock, self.recvs, self.accepted, self.error = sock, [], 0, None
        name = sock.getsockname()
        self.endpoint = f'unix:{name}' if sock.family == socket.AF_UNIX else (
            f'{scheme}://[::1]:{name[1]}' if sock.family == socket.AF_INET6 else f'{scheme}://127.0.0.1:{name[1]}')
        sock.settimeout(GENEROUS)

    def start(self, work):
        def guarded():
            try:
                work(self)
            except OSError:
                pass  # the client has gone, or the test is over
            except BaseException as e:
                self.error = e

        self.thread = threading.Thread(target=guarded, daemon=True)
        self.thread.start()


@pytest.fixture
def peers(tmp_path):
    """peers('tcp4' | 'tcp6' | 'unix' | 'udp4' | 'udp6', work): work(peer, connection) or, for UDP, work(peer)."""
    made = []

    def make(via, work, backlog=16, before=None):
        family = {'4': socket.AF_INET, '6': socket.AF_INET6, 'x': socket.AF_UNIX}[via[-1]]
        sock = socket.socket(family, socket.SOCK_DGRAM if via[:3] == 'udp' else socket.SOCK_STREAM)
        made.append(sock)
        if before:
            before(sock)
        try:
            sock.bind(str(tmp_path / f'peer{len(made)}') if via == 'unix' else ('::1' if via[-1] == '6' else
                                                                               '127.0.0.1', 0))
        except OSError as e:
            pytest.skip(f'this machine has no ::1: {e}' if via[-1] == '6' else str(e))
        if via[:3] != 'udp':
            sock.listen(backlog)
        peer = Peer(sock, via[:3])

        def accept(peer):
            while True:
                conn = sock.accept()[0]
                peer.accepted += 1
                conn.settimeout(GENEROUS)
                try:
                    with conn:
                        work(peer, conn)
                except OSError:
                    pass  # this client has gone: to the next

        if work:
            peer.start(work if via[:3] == 'udp' else accept)
        made.append(peer)
        return peer

    yield make
    for thing in made:
        if isinstance(thing, socket.socket):
            with contextlib.suppress(OSError):
                thing.shutdown(socket.SHUT_RDWR)
            thing.close()
        elif thing.error:
            raise thing.error


def echo(peer, conn):
    while data := conn.recv(1 << 16):
        peer.recvs.append(data)
        conn.sendall(data)


def swallow(peer, conn):
    while data := conn.recv(1 << 16):
        peer.recvs.append(data)


def read_exactly(peer, conn, n):
    got = b''
    while len(got) < n:
        data = conn.recv(n - len(got))
        assert data, 'the client ended early'
        peer.recvs.append(data)
        got += data
    return got


def echo_datagrams(peer):
    while True:
        data, source = peer.sock.recvfrom(1 << 16)
        peer.recvs.append(data)
        peer.sock.sendto(data, source)


def hold(peer, conn):
    """Reads nothing until the client has gone."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    while conn.fileno() >= 0 and peer.sock.fileno() >= 0:
        time.sleep(0.01)


# ---- the client --------------------------------------------------------------------------------------------

class Done:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out.decode('ascii'), err.decode('ascii')
        self.lines = self.out.splitlines()
        assert code >= 0, f'ended by signal {-code}'
        assert 'Sanitizer' not in self.err and 'runtime error' not in self.err, self.err
        assert re.fullmatch(r'[\n\x20-\x7e]*', self.out + self.err), 'bytes that a terminal might obey'

    def failed(self, code, *parts):
        """It ended so, and said so in one line that has all the parts."""
        assert (self.code, len(self.err.splitlines())) == (code, 1), (self.code, self.err, self.out)
        for part in parts:
            assert part in self.err
        return self

    def ok(self):
        assert (self.code, self.err) == (0, ''), (self.code, self.err, self.out)
        return self

    def sizes(self, what):
        """Bytes of each "send N:" or "recv N:" line, of which N counts from 1 in every round."""
        return [int(m[1]) for m in re.finditer(rf'^{what} \d+: (\d+)', self.out, re.M)]

    def events(self, name=None):
        """Every line is a JSON object of the schema; those of one event, or all."""
        events = [json.loads(line) for line in self.lines]
        for e in events:
            assert e['v'] == 1 and e['event'] in EVENTS
            for k, v in e.items():
                numeric = k not in WORDS
                assert isinstance(v, (int, bool) if numeric else str), (k, v)
        return [e for e in events if name in (None, e['event'])]


def send(*args):
    r = subprocess.run([BIN, 'send', *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=GENEROUS)
    return Done(r.returncode, r.stdout, r.stderr)


class Running:
    """A client that runs while the test goes on."""

    def __init__(self, *args):
        # Unbuffered: communicate() does not see what a buffered readline() has taken ahead.
        self.p = subprocess.Popen([BIN, 'send', *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, bufsize=0)
        self.seen = b''
        self.alarm = threading.Timer(GENEROUS, self.p.kill)
        self.alarm.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.alarm.cancel()
        if self.p.poll() is None:
            self.p.kill()
        self.p.communicate()

    def until(self, pattern):
        """Reads lines up to one that matches."""
        while True:
            line = self.p.stdout.readline()
            assert line, f'it ended before {pattern!r}: {self.seen} {self.p.stderr.read()}'
            self.seen += line
            if re.search(pattern, line.decode()):
                return

    def until_asleep(self):
        """Until the process waits for something: it has printed all it has to say, so it is for a socket."""
        end = time.monotonic() + GENEROUS
        while time.monotonic() < end:
            with open(f'/proc/{self.p.pid}/stat', encoding='ascii') as f:
                if f.read().rsplit(')', 1)[1].split()[0] == 'S':
                    return
            time.sleep(0.001)
        raise AssertionError('it never waits')

    def end(self, sig=None):
        if sig:
            self.p.send_signal(sig)
        out, err = self.p.communicate(timeout=GENEROUS)
        return Done(self.p.returncode, self.seen + out, err)
