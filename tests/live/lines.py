# SPDX-License-Identifier: MIT
"""Saying lines to a server, and reading what comes of it piece by piece."""
import json
import random
import select
import time

import harness


def said(server, text, payload=b'', i=0):
    """Says a line on a new connection: the client, and the answer."""
    client = server.connect(i)
    client.sendall(text.encode() + payload)
    return client, answer_of(client)


def answer_of(client):
    line = b''
    while not line.endswith(b'\n'):
        byte = client.recv(1)
        assert byte, f'the end came after {line}'
        line += byte
    return line.decode().rstrip('\n')


def id_of(answer):
    return dict(w.split('=', 1) for w in answer.split()[1:])['id']


class Control:
    """A control connection: control('LISTEN ECHO cut=7') -> its answer."""

    def __init__(self, server, i=0):
        self.sock = server.connect(i)
        self.is_first = True

    def __call__(self, line):
        self.sock.sendall(('SB1 ' if self.is_first else '').encode() + line.encode() + b'\n')
        self.is_first = False
        return answer_of(self.sock)

    def text(self, line):
        """An answer of more than one line."""
        answer = self(line)
        assert answer.startswith('+OK bytes='), answer
        return harness.take(self.sock, int(answer.removeprefix('+OK bytes='))).decode()

    def listen(self, line):
        answer = self('LISTEN ' + line)
        assert answer.startswith('+OK port='), answer
        return int(answer.split('port=')[1].split()[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


def receipt_of(server, ident, i=0):
    with Control(server, i) as control:
        text = control.text(f'RECEIPT id={ident} wait=20s')
        assert text.endswith('\n') and text.count('\n') == 1
        return json.loads(text)


# ---- reading piece by piece, in the ways clients do ---------------------------------------------------------


def sizes_blocking(client):
    sizes = []
    while some := client.recv(1 << 16):
        sizes.append(len(some))
    return sizes


def sizes_stalling(client):
    dice = random.Random(1)
    sizes = []
    while some := client.recv(1 << 16):
        sizes.append(len(some))
        time.sleep(dice.expovariate(500))  # 2 ms in the mean
    return sizes


def sizes_ready(client, wait):
    client.setblocking(False)
    sizes = []
    while True:
        wait()
        try:
            some = client.recv(1 << 16)
        except BlockingIOError:
            continue
        if not some:
            return sizes
        sizes.append(len(some))


def sizes_poll(client):
    poll = select.poll()
    poll.register(client, select.POLLIN)
    return sizes_ready(client, poll.poll)


def sizes_epoll(client):
    with select.epoll() as epoll:
        epoll.register(client, select.EPOLLIN | select.EPOLLET)
        client.setblocking(False)
        sizes = []
        while True:
            epoll.poll()
            while True:
                try:
                    some = client.recv(1 << 16)
                except BlockingIOError:
                    break
                if not some:
                    return sizes
                sizes.append(len(some))


READERS = {'blocking': sizes_blocking, 'poll': sizes_poll, 'epoll': sizes_epoll, 'stalling': sizes_stalling}
