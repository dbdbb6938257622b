# SPDX-License-Identifier: MIT
"""Fixtures of the live tests.

  SB_BIN=…   the streambed to test (default build/asan/streambed)
  SB_FULL=1  the long tests too

    def test_something(serve, io):                     # once with each backend
        server = serve('ECHO frame=line', '--io', io)  # listens on 127.0.0.1, port 0
        with server.connect() as client:
            …
    # stopped by SIGTERM here: exit 0 and no report of a sanitizer, or the test fails
"""
import os
import re
import signal
import subprocess

import pytest

import harness


def backends():
    """The backends that work here, as the program itself tells: a new one is tested without a word here."""
    if not os.access(harness.BIN, os.X_OK):
        return []
    told = subprocess.run([harness.BIN, '--version'], capture_output=True, text=True, check=True).stdout
    return re.findall(r'^backend: (\w+) \(usable\)', told, re.M)


def pytest_configure(config):
    if not os.access(harness.BIN, os.X_OK):
        pytest.exit(f'{harness.BIN} is not there: build it (cmake --preset asan && cmake --build --preset asan), '
                    'or say SB_BIN=', 2)


@pytest.fixture(params=backends())
def io(request):
    return request.param


@pytest.fixture(params=['ipv4', 'ipv6', 'unix'])
def via(request):
    return request.param


@pytest.fixture
def endpoint(tmp_path):
    """The endpoint for a transport: endpoint('unix')."""
    numbers = iter(range(1000))

    def make(via):
        return {'ipv4': 'tcp://127.0.0.1:0', 'ipv6': 'tcp://[::1]:0', 'udp': 'udp://127.0.0.1:0',
                'udp6': 'udp://[::1]:0', 'unix': f'unix:{tmp_path}/s{next(numbers)}'}[via]

    return make


@pytest.fixture
def serve(endpoint):
    """Starts servers: serve(LINE, OPTION…, via='ipv4'), or serve(None, OPTION…) with --listen among the options.

    Those still running are stopped when the test is over, and must end well; a test that has failed kills them."""
    servers = []

    def start(line, *options, via='ipv4', **more):
        listen = [] if line is None else ['--listen', f'{endpoint(via)},{line}']
        servers.append(harness.Server(*listen, *options, **more))
        return servers[-1]

    try:
        yield start
        for server in servers:
            server.stop(code=server.exit_code or 0)
    finally:
        for server in servers:
            server.kill()


@pytest.fixture(autouse=True)
def bounded():
    """No test takes for ever: what hangs fails."""

    def too_long(*_):
        raise AssertionError('the test hangs')

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(600 if harness.FULL else 150)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
