#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Is the load generator to be trusted? Runs it against a small echo server that does one thing wrong, and
demands that it says so; and against the same server doing nothing wrong.

usage: selfcheck.py PATH-OF-LOADGEN
"""

import selectors
import socket
import subprocess
import sys
import threading

AT = 5000  # the fault falls at this byte of a connection's echo, past the first batches


class Conn:
    def __init__(self, sock):
        self.sock = sock
        self.total = 0  # bytes echoed before this piece
        self.faulted = False


def spoil(fault, conn, data, others):
    """What goes back instead of data. Returns None to close at once."""
    if fault == "silence":
        return b""
    if conn.faulted or conn.total + len(data) <= AT:
        return data
    conn.faulted = True
    i = max(0, AT - conn.total)
    if fault == "flip":
        return data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]
    if fault == "drop":
        return data[:i] + data[i + 1 :]
    if fault == "repeat":
        return data + data
    if fault == "swap":
        return others.get(conn.sock, data)
    if fault == "reorder":
        return data[len(data) // 2 :] + data[: len(data) // 2]
    if fault == "close":
        return None
    return data


def serve(listener, fault, stop):
    poller = selectors.DefaultSelector()
    poller.register(listener, selectors.EVENT_READ, None)
    latest = {}  # per connection, what another one sent last
    while not stop.is_set():
        for key, _ in poller.select(0.05):
            if key.data is None:
                sock = listener.accept()[0]
                poller.register(sock, selectors.EVENT_READ, Conn(sock))
                continue
            sock, conn = key.fileobj, key.data
            try:
                data = sock.recv(1 << 20)
                out = spoil(fault, conn, data, latest) if data else None
                for other in poller.get_map().values():
                    if data and other.data and other.data is not conn:
                        latest[other.fileobj] = data
                if out is None and not data and fault == "tail":
                    sock.sendall(b"x")
                if out is None and not (fault == "linger" and not data):
                    raise ConnectionError
                if out is None:
                    poller.unregister(sock)  # holds it open for ever
                    continue
                sock.sendall(out)
                conn.total += len(data)
            except OSError:
                poller.unregister(sock)
                sock.close()


def run(loadgen, fault, extra):
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(listener, fault, stop))
    thread.start()
    command = [loadgen, "--port", str(listener.getsockname()[1]), "--conns", "3", "--depth", "4", *extra]
    result = subprocess.run(command, capture_output=True, text=True, timeout=90)
    stop.set()
    thread.join()
    listener.close()
    return result


def main():
    window = ["--warmup-ms", "50", "--window-ms", "200"]
    count = ["--messages", "6000"]
    cases = [("none", w + f) for w in (window, count) for f in ([], ["--frame", "line"], ["--frame", "u32be"])]
    cases += [("none", window + ["--churn"]), ("none", window + ["--idle", "50"])]
    cases += [(fault, window) for fault in ("flip", "drop", "repeat", "swap", "reorder", "close", "tail", "linger")]
    cases += [(fault, count) for fault in ("flip", "drop", "tail")]
    cases += [("flip", window + ["--churn", "--size", "4000"]), ("silence", window)]
    failed = 0
    for fault, extra in cases:
        result = run(sys.argv[1], fault, extra)
        wanted = (0, "errors=0") if fault == "none" else (1, "errors=1")
        good = result.returncode == wanted[0] and wanted[1] in result.stdout
        failed += not good
        said = result.stderr.strip() or result.stdout.strip()
        print(f"{'ok' if good else 'FAILED':6} {fault:8} {' '.join(extra)}: {said}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
