# SPDX-License-Identifier: MIT
"""Saying lines to a server, and reading what comes of it piece by piece."""
import json
import random
import select
import time

import harness
from harness import finish, take_all


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


def receipt_of(server, ident, i=0):
    with server.connect(i) as control:
        control.sendall(f'SB1 RECEIPT id={ident} wait=20s\n'.encode())
        finish(control)
        head = answer_of(control)
        text, _ = take_all(control)
    assert head == f'+OK bytes={len(text)}', head
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
