# SPDX-License-Identifier: MIT
"""Any frames, any cuts, any framing: the echo is byte-exact, and both backends tell the same of it."""
import contextlib
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import harness
from harness import FRAMINGS, Server, finish, send_cut, take_all

EXAMPLES = 150 if harness.FULL else 40
BROKEN = b'\xff\xff\xff\xff\xff\xff\n\xff\xff'


@pytest.fixture(scope='module')
def pair():
    """A server for each backend, with a listener for each framing."""
    listens = [a for f in FRAMINGS for a in ('--listen', f'tcp://127.0.0.1:0,ECHO frame={f} max=512')]
    listens += ['--log-level', 'notice']
    with Server(*listens, '--io', 'epoll') as epoll, Server(*listens, '--io', 'poll') as poll:
        yield epoll, poll


@pytest.fixture(scope='module')
def logging_pair():
    listens = [a for f in FRAMINGS for a in ('--listen', f'tcp://127.0.0.1:0,ECHO frame={f} max=512')]
    with Server(*listens, '--io', 'epoll') as epoll, Server(*listens, '--io', 'poll') as poll:
        yield epoll, poll


def payloads_of(f):
    """What a framing can carry."""
    if f in ('line', 'crlf', 'delim:0d0a0d0a', 'sse'):
        one = st.binary(max_size=40).map(lambda p: p.replace(b'\r', b'.').replace(b'\n', b','))
    elif f == 'delim:00':
        one = st.binary(max_size=40).map(lambda p: p.replace(b'\0', b'.'))
    elif f == 'fixed:4':
        one = st.binary(min_size=4, max_size=4)
    elif f in ('raw', 'u8'):
        one = st.binary(max_size=255)
    elif f == 'resp':  # whose max is of the whole value
        one = st.one_of(st.binary(max_size=40), st.binary(min_size=490, max_size=504))
    else:
        one = st.one_of(st.binary(max_size=40), st.binary(min_size=500, max_size=512))
    return st.lists(one, max_size=8)


streams = st.sampled_from(sorted(FRAMINGS)).flatmap(
    lambda f: st.tuples(st.just(f), payloads_of(f), st.lists(st.integers(0, 600), max_size=6).map(sorted)))


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(stream=streams)
def test_A16_any_frames_cut_anywhere_come_back(pair, stream):
    f, payloads, cuts = stream
    wire = b''.join(FRAMINGS[f](p) for p in payloads)
    for server in pair:
        with server.connect(list(FRAMINGS).index(f)) as client:
            send_cut(client, wire, cuts)
            finish(client)
            assert take_all(client) == (wire, 'eof')


anything = st.sampled_from(sorted(FRAMINGS)).flatmap(
    lambda f: st.tuples(st.just(f), st.one_of(
        st.binary(max_size=200),
        payloads_of(f).map(lambda ps: b''.join(FRAMINGS[f](p) for p in ps) + BROKEN),
        st.text(alphabet='0123456789:,\r\n\0ab', max_size=100).map(str.encode)),
        st.lists(st.integers(0, 300), max_size=4).map(sorted), st.booleans()))


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(case=anything)
def test_G126_any_bytes_end_the_same_on_both_backends_and_in_any_cut(logging_pair, case):
    """The answer, why it was closed, how many frames there were, where it broke."""
    f, data, cuts, is_cut_bytewise = case
    said = set()
    for server in logging_pair:
        for pieces in ([], range(1, len(data)) if is_cut_bytewise else cuts):
            n = len(server.events('close')) + 1
            with server.connect(list(FRAMINGS).index(f)) as client:
                with contextlib.suppress(OSError):  # it may be closed before everything is sent
                    send_cut(client, data, pieces)
                    finish(client)
                got, how = take_all(client)
            close = server.event('close', n)
            frames = close['frames'] if f != 'raw' else None  # there each read is a message
            said.add((got, how, close['reason'], frames, close['in'], close.get('offset'), close.get('dropped')))
            time.sleep(0.011)  # a hundred closes a second are logged, and no more
    assert len(said) == 1, said
