# SPDX-License-Identifier: MIT
"""What the live tests stand on: a server as a process of its own, and a few ways to talk to it.

A test that needs a server takes the fixture `serve` (conftest.py). Where sockets must not meet those of the
machine (port 7777, a loopback without ::1) a test is marked @own_network and runs in a network of its own.

Nothing here measures time. GENEROUS is how long anything may take before it counts as "does not happen".
"""
import contextlib
import ctypes
import fcntl
import functools
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import traceback

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get('SB_BIN') or os.path.join(ROOT, 'build', 'asan', 'streambed')
GENEROUS = 60  # seconds
FULL = os.environ.get('SB_FULL') == '1'

IS_ROOT = os.geteuid() == 0

long_test = pytest.mark.skipif(not FULL, reason='a long one: set SB_FULL=1')
needs_root = pytest.mark.skipif(not IS_ROOT, reason='needs root')

# What a process says when a check inside it has failed.
DEATH_CRIES = re.compile(r'Sanitizer|runtime error:|Assertion .* failed|SUMMARY:')


def needs(program):
    """Skips a test where a program is not installed."""
    found = any(os.access(os.path.join(d, program), os.X_OK) for d in os.environ['PATH'].split(':'))
    return pytest.mark.skipif(not found, reason=f'{program} is not installed')


def until(condition, what):
    """Waits for something to become true; it may take long on a busy machine, but not for ever."""
    end = time.monotonic() + GENEROUS
    pause = 0.0005
    while True:
        got = condition()
        if got:
            return got
        assert time.monotonic() < end, f'it never happened: {what}'
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


# ---- the server --------------------------------------------------------------------------------------------


class Server:
    """`streambed serve` with these arguments, running. Ends with stop() or the with statement."""

    def __init__(self, *args, log='json', stderr=None, under=(), **popen):
        ready, ready_in_child = os.pipe()
        argv = [*under, BIN, 'serve', *args, '--ready-fd', str(ready_in_child)]
        if log:
            argv += ['--log', log]
        self.log = log
        self.argv = argv
        self.lines = []  # of standard error, as they come
        self.exit_code = None
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE if stderr is None else stderr,
                                        pass_fds=[ready_in_child], text=True, errors='backslashreplace', **popen)
        self.pid = self.process.pid
        os.close(ready_in_child)
        self.reader = None
        if stderr is None:
            self.reader = threading.Thread(target=self._read, daemon=True)
            self.reader.start()
        # A byte when it listens, or the end when it could not.
        self.is_ready = bool(select.select([ready], [], [], GENEROUS)[0]) and os.read(ready, 1) == b'\n'
        os.close(ready)
        if not self.is_ready:
            self.wait()
            raise AssertionError(f'it did not start, exit {self.exit_code}:\n' + self.text)
        self.listening = []  # (endpoint, line), in the order asked for
        self.out = []
        for line in self.process.stdout:
            self.out.append(line.rstrip('\n'))
            if line.startswith('try: '):
                break
            word, endpoint, what = line.rstrip('\n').split(' ', 2)
            assert word == 'listening'
            self.listening.append((endpoint, what))

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip('\n'))

    @property
    def text(self):
        return '\n'.join(self.lines)

    # ---- its end

    def wait(self):
        """Its exit code, once it has ended and everything that it said has been read."""
        try:
            self.exit_code = self.process.wait(GENEROUS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            if self.reader:
                self.reader.join()
            raise AssertionError('it did not end:\n' + self.text[-4000:]) from None
        if self.reader:
            self.reader.join()
        self.process.stdout.close()
        return self.exit_code

    def tell(self, number=signal.SIGTERM):
        os.kill(self.pid, number)

    def stop(self, number=signal.SIGTERM, code=0):
        """Ends it in order, checks how it went, and returns its counters."""
        if self.exit_code is None:
            if self.process.poll() is None:
                self.tell(number)
            self.wait()
        assert not DEATH_CRIES.search(self.text), self.text
        assert self.exit_code == code, f'exit {self.exit_code}:\n{self.text[-4000:]}'
        c = self.counters
        if code == 0 and c:
            # One close, one reason; and nothing is forgotten.
            assert c['accepted'] == sum(n for name, n in c.items() if name.startswith('closed-')), c
            assert c['open'] == 0, c
            assert c['closed-none'] == 0, c
        return c

    def kill(self):
        """Ends it whatever it does: after a test has failed."""
        if self.exit_code is None:
            self.process.kill()
            self.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.kill()
        else:
            self.stop()

    # ---- what it says

    def events(self, kind=None, /, **fields):
        """The events of a kind logged so far that have these fields."""
        found = []
        for line in list(self.lines):
            event = json.loads(line) if self.log == 'json' and line.startswith('{') else _event_of_text(line)
            if event and kind in (None, event['event']) and all(event.get(k) == v for k, v in fields.items()):
                found.append(event)
        return found

    def event(self, kind, n=1, /, **fields):
        """The n-th such event, which is waited for."""
        what = f'event {n} of {kind} {fields}'
        return until(lambda: self.events(kind, **fields)[n - 1:n] or self._dead(what), what)[0]

    def _dead(self, what):
        assert self.process.poll() is None or self.reader.is_alive() or self.exit_code is not None, \
            f'it has ended (exit {self.process.poll()}) before {what}:\n' + self.text[-4000:]
        return None

    def close_of(self, sock=None, n=1):
        """Why the connection of this client ended, or the n-th that did."""
        return self.event('close', n) if sock is None else self.event('close', peer=name_of(sock))

    @property
    def counters(self):
        """What it counted, said when it ended."""
        said = self.events('counters')
        counts = dict(said[-1]) if said else {}
        return Counters({k: int(v) for k, v in counts.items() if k not in ('v', 't', 'event')})

    # ---- talking to it

    def port(self, i=0):
        return int(self.listening[i][0].rsplit(':', 1)[1])

    def address(self, i=0):
        endpoint = self.listening[i][0]
        if endpoint.startswith('unix:'):
            path = re.sub('%([0-9A-F]{2})', lambda m: chr(int(m[1], 16)), endpoint[5:])
            return socket.AF_UNIX, path
        host, port = endpoint[6:].rsplit(':', 1)
        if host.startswith('['):
            return socket.AF_INET6, (host[1:-1].replace('::', '::1') if host == '[::]' else host[1:-1], int(port))
        return socket.AF_INET, (host.replace('0.0.0.0', '127.0.0.1'), int(port))

    def socket(self, i=0):
        family, _ = self.address(i)
        is_udp = self.listening[i][0].startswith('udp:')
        sock = socket.socket(family, socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM)
        sock.settimeout(GENEROUS)
        return sock

    def connect(self, i=0, **options):
        """A client of listener i; options are set before it connects: rcvbuf=4096."""
        sock = self.socket(i)
        for name, value in options.items():
            sock.setsockopt(socket.SOL_SOCKET, getattr(socket, 'SO_' + name.upper()), value)
        if sock.family != socket.AF_UNIX and sock.type == socket.SOCK_STREAM:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end = time.monotonic() + GENEROUS
        while True:
            try:
                sock.connect(self.address(i)[1])
                break
            except BlockingIOError:  # a unix socket's backlog is full: the client is told to come again
                assert time.monotonic() < end, 'the backlog stays full'
                time.sleep(0.001)
        return sock

    def connect_first(self, **options):
        """A client that is connected before the server does anything: a reset may else be faster than connect."""
        self.tell(signal.SIGSTOP)
        client = self.connect(**options)
        self.tell(signal.SIGCONT)
        return client

    # ---- what it costs

    def cpu(self):
        """Seconds of processor time it has used."""
        with open(f'/proc/{self.pid}/stat') as f:
            fields = f.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.pid}/fd'))

    def resident(self):
        """Bytes of memory it has in use."""
        with open(f'/proc/{self.pid}/statm') as f:
            return int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


class Counters(dict):
    """What was never counted is 0."""

    def __missing__(self, key):
        return 0


def _event_of_text(line):
    m = re.match(r'(\d+\.\d{6}) ([a-z-]+)((?: .*)?)$', line)
    if not m:
        return None
    event = {'t': float(m[1]), 'event': m[2]}
    for key, quoted, plain in re.findall(r' ([a-zA-Z0-9-]+)=(?:"((?:[^"])*)"|(\S*))', m[3]):
        event[key] = int(plain) if re.fullmatch(r'-?\d+', plain) else quoted or plain
    return event


def run(*args, timeout=GENEROUS, **popen):
    """Runs a streambed command that ends by itself."""
    result = subprocess.run([BIN, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            errors='backslashreplace', timeout=timeout, check=False, **popen)
    assert not DEATH_CRIES.search(result.stderr), result.stderr
    return result


def refuses(*args, code, **popen):
    """A command line that is refused with this exit code: returns the one line that says why."""
    result = run(*args, **popen)
    assert result.returncode == code, (result.returncode, result.stderr)
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert result.stdout == ''
    return lines[0]


# ---- talking -----------------------------------------------------------------------------------------------


def name_of(sock):
    """A client's own address, as the server's log writes it."""
    if sock.family == socket.AF_UNIX:
        return 'unix:'
    host, port = sock.getsockname()[:2]
    return f'[{host}]:{port}' if sock.family == socket.AF_INET6 else f'{host}:{port}'


def take(sock, n):
    """Exactly n bytes."""
    got = bytearray()
    while len(got) < n:
        some = sock.recv(min(n - len(got), 1 << 20))
        assert some, f'the end came after {len(got)} of {n} bytes'
        got += some
    return bytes(got)


def take_all(sock):
    """Everything that comes, and how it ended: 'eof' or 'reset'."""
    got = bytearray()
    while True:
        try:
            some = sock.recv(1 << 20)
        except ConnectionResetError:
            return bytes(got), 'reset'
        if not some:
            return bytes(got), 'eof'
        got += some


def finish(sock):
    """Says that nothing more will be sent."""
    sock.shutdown(socket.SHUT_WR)


def reset(sock):
    """Closes with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    sock.close()


def exchange(sock, data):
    """Sends everything and the end, reads everything: both at once, so that neither side waits for the other."""
    failed = []

    def send():
        try:
            sock.sendall(data)
            finish(sock)
        except OSError as e:
            failed.append(e)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    got, how = take_all(sock)
    sender.join(GENEROUS)
    assert not failed, failed
    return got, how


def fill(sock, data=b'x' * 65536):
    """Sends until no more is taken for a while: how many bytes were."""
    total = 0
    before = sock.gettimeout()
    sock.settimeout(0.5)
    try:
        while True:
            total += sock.send(data)
    except TimeoutError:
        return total
    finally:
        sock.settimeout(before)


def is_quiet(sock, seconds=0.2):
    """Whether nothing comes. What does come later is only missed: it can never fail a test by chance."""
    return not select.select([sock], [], [], seconds)[0]


def taken(sock):
    """Waits until the server has taken everything that was sent to it out of the kernel.

    The next send then is another recv of the server's: this is how a test cuts a stream where it wants to."""
    if sock.family == socket.AF_UNIX:
        size = bytearray(4)

        def left():
            fcntl.ioctl(sock, termios.TIOCOUTQ, size)
            return struct.unpack('i', size)[0]
    else:
        table = '/proc/net/tcp6' if sock.family == socket.AF_INET6 else '/proc/net/tcp'
        here, there = f':{sock.getsockname()[1]:04X}', f':{sock.getpeername()[1]:04X}'

        def left():
            with open(table) as f:
                for row in f:
                    local, remote, _, queues = row.split()[1:5]
                    if local.endswith(there) and remote.endswith(here):
                        return int(queues.split(':')[1], 16)
            return 0
    until(lambda: left() == 0, 'the server takes what it is sent')


def send_cut(sock, data, cuts):
    """Sends data in pieces that end at these offsets, each read by the server before the next is sent."""
    at = 0
    for cut in [*cuts, len(data)]:
        if cut > at:
            sock.sendall(data[at:cut])
            taken(sock)
        at = max(at, cut)


# ---- framings ----------------------------------------------------------------------------------------------


def u32be(payload):
    return struct.pack('>I', len(payload)) + payload


def varint(payload):
    n, head = len(payload), bytearray()
    while n > 0x7f:
        head.append(0x80 | (n & 0x7f))
        n >>= 7
    return bytes(head) + bytes([n]) + payload


# What follows frame= -> how a payload is written in it.
FRAMINGS = {
    'raw': lambda p: p,
    'line': lambda p: p + b'\n',
    'crlf': lambda p: p + b'\r\n',
    'delim:00': lambda p: p + b'\0',
    'delim:0d0a0d0a': lambda p: p + b'\r\n\r\n',
    'fixed:4': lambda p: p,
    'u8': lambda p: struct.pack('B', len(p)) + p,
    'u16be': lambda p: struct.pack('>H', len(p)) + p,
    'u16le': lambda p: struct.pack('<H', len(p)) + p,
    'u32be': u32be,
    'u32le': lambda p: struct.pack('<I', len(p)) + p,
    'len:0,2,le,-2,2': lambda p: struct.pack('<H', len(p) + 2) + p,
    'len:1,3,be,0': lambda p: b'\x07' + struct.pack('>I', len(p))[1:] + p,
    'varint': varint,
    'netstring': lambda p: b'%d:%s,' % (len(p), p),
    'chunked': lambda p: b'%x\r\n%s\r\n' % (len(p), p),
    'resp': lambda p: b'$%d\r\n%s\r\n' % (len(p), p),
    'sse': lambda p: p + b'\n\n' if p else b'\n',
}
CUT = [name for name in FRAMINGS if name not in ('raw',)]
COUNTED = ['u8', 'u16be', 'u16le', 'u32be', 'u32le', 'len:0,2,le,-2,2', 'len:1,3,be,0', 'varint', 'netstring',
           'chunked', 'resp']


def pattern(n, seed=1):
    """n bytes that do not repeat themselves soon, so that a lost or doubled piece shows."""
    out = bytearray()
    x = seed
    while len(out) < n:
        x = (x * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        out += struct.pack('>Q', x)
    return bytes(out[:n])


# ---- a network of one's own --------------------------------------------------------------------------------

CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000


def _enter_network():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0 and libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        pytest.skip('no network of its own: ' + os.strerror(ctypes.get_errno()))
    if subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=False).returncode != 0:
        pytest.skip('no ip(8) to switch the loopback on')
    # IPv6 addresses of a new loopback are there a moment later.
    for _ in range(200):
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as sock:
            sock.bind(('::1', 0))
            break
        time.sleep(0.01)


def own_network(test):
    """Runs the test in a child process that has a network with nothing but a loopback: all ports are free."""

    @functools.wraps(test)
    def wrapper(*args, **kwargs):
        with tempfile.TemporaryFile('w+') as report:
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    _enter_network()
                    test(*args, **kwargs)
                    code = 0
                except pytest.skip.Exception as e:
                    report.write(str(e))
                    code = 2
                except BaseException:  # the child must not go on as a second pytest
                    traceback.print_exc(file=report)
                report.flush()
                os._exit(code)
            try:
                _, status = os.waitpid(child, 0)
            except BaseException:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise
            report.seek(0)
            text = report.read()
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 2:
                pytest.skip(text)
            assert status == 0, text

    return wrapper


def spoof(source, target, payload):
    """One datagram over IPv4 with a source address that is not ours, loopback only. Needs CAP_NET_RAW."""
    udp = struct.pack('>HHHH', source[1], target[1], 8 + len(payload), 0) + payload
    _send_raw(source[0], target[0], socket.IPPROTO_UDP, udp)


def spoof_syn(source, target):
    """One SYN of a connection that nobody wants, likewise."""
    tcp = struct.pack('>HHIIBBHHH', source[1], target[1], 1, 0, 5 << 4, 2, 65535, 0, 0)
    pseudo = socket.inet_aton(source[0]) + socket.inet_aton(target[0]) + struct.pack('>HH', 6, len(tcp)) + tcp
    total = sum(struct.unpack(f'>{len(pseudo) // 2}H', pseudo))
    total = (total & 0xffff) + (total >> 16)
    checksum = ~((total & 0xffff) + (total >> 16)) & 0xffff
    _send_raw(source[0], target[0], socket.IPPROTO_TCP, tcp[:16] + struct.pack('>HH', checksum, 0))


def _send_raw(source, target, protocol, segment):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(segment), 0, 0, 64, protocol, 0,
                         socket.inet_aton(source), socket.inet_aton(target))
        raw.sendto(ip + segment, (target, 0))
