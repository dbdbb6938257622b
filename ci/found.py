#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints what this machine has of what the tests can use, one line each. Changes nothing, always exits 0."""
import ctypes
import os
import pathlib
import platform
import socket
import struct

libc = ctypes.CDLL(None, use_errno=True)


def read(path):
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return None


def system():
    name = next((line.split('=')[1].strip('"') for line in (read('/etc/os-release') or '').splitlines()
                 if line.startswith('PRETTY_NAME=')), 'unknown system')
    return f'{platform.system()} {platform.release()} {platform.machine()}, {name}, {os.cpu_count()} cpus'


def ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(('::1', 0))
        return 'yes'
    except OSError as e:
        return f'no ({e.strerror})'


def sock_diag():
    """Asks the kernel about the peer's socket of a connection of our own, as the server would."""
    try:
        with socket.create_server(('127.0.0.1', 0)) as listener, \
                socket.create_connection(listener.getsockname()) as client, \
                socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 4) as netlink:
            peer, _ = listener.accept()
            client.sendall(b'12345')
            (a, ap), (b, bp) = peer.getsockname(), peer.getpeername()
            # struct inet_diag_req_v2: family, protocol, INET_DIAG_INFO, all states, the exact address pair
            request = struct.pack('=BBBBI', socket.AF_INET, socket.IPPROTO_TCP, 1 << 1, 0, 0xffffffff)
            request += struct.pack('>HH16s16s', ap, bp, socket.inet_aton(a), socket.inet_aton(b))
            request += struct.pack('=III', 0, 0xffffffff, 0xffffffff)
            netlink.settimeout(2)
            netlink.send(struct.pack('=IHHII', 16 + len(request), 20, 1, 1, 0) + request)
            answer = netlink.recv(8192)
            peer.close()
    except OSError as e:
        return f'no ({e.strerror or e})'
    kind = struct.unpack_from('=IH', answer)[1]
    if kind != 20:
        return f'no (error {-struct.unpack_from("=i", answer, 16)[0]})'
    queued = struct.unpack_from('=I', answer, 16 + 56)[0]
    return 'yes' if queued == 5 else f'answers, but says {queued} of 5 bytes'


def io_uring():
    params = (ctypes.c_ubyte * 256)()
    fd = libc.syscall(425, 1, params)
    if fd >= 0:
        os.close(fd)
        return 'yes'
    disabled = read('/proc/sys/kernel/io_uring_disabled')
    return f'no ({os.strerror(ctypes.get_errno())}; kernel.io_uring_disabled={disabled or "unset"})'


def user_namespaces():
    child = os.fork()
    if child == 0:
        os._exit(0 if libc.unshare(0x10000000) == 0 else ctypes.get_errno())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return 'yes' if code == 0 else f'no ({os.strerror(code)})'


if __name__ == '__main__':
    print(f'  machine           {system()}')
    print(f'  ::1               {ipv6()}')
    print(f'  sock_diag         {sock_diag()}')
    print(f'  io_uring          {io_uring()}')
    print(f'  user namespaces   {user_namespaces()}')
    print(f'  mmap_rnd_bits     {read("/proc/sys/vm/mmap_rnd_bits") or "cannot be read"}')
