#!/usr/bin/env python3
"""What idle connections cost a receiver: opens them over loopback, each after a request, and tells the receiver's memory.

Usage: measure-connections.py PROGRAM [CONNECTIONS]      (20,000 unless given)

Needs as many open files as connections, here and in the receiver: as root it raises the limit, else `ulimit -n` must have room.
"""
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

PROGRAM = sys.argv[1]
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
REQUESTS = 256
MOST_MB = 500


def raise_limit():
    needed = COUNT + REQUESTS + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(needed, soft), max(needed, hard)))
    except (ValueError, PermissionError):
        sys.exit(f"{COUNT} connections need {needed} open files, and the system allows {hard}: run as root, or raise the limit")


def resident_mb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1000


def ask(address, kept=None):
    line = kept or socket.create_connection(address, timeout=30)
    line.sendall(b"GET /ready HTTP/1.1\r\nHost: receiver\r\n\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
        piece = line.recv(4096)
        if not piece:
            break
        answer += piece
    if not answer.startswith(b"HTTP/1.1 200"):
        sys.exit(f"not 200: {answer[:100]}")
    return line


def is_open(line):
    line.setblocking(False)
    try:
        return line.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        line.setblocking(True)


def measure(child, address):
    print(f"{0:6} connections {resident_mb(child.pid):8.1f} MB")
    begun, lines = time.monotonic(), []
    for number in range(1, COUNT + 1):
        lines.append(ask(address))
        if number in (1_000, 5_000, 10_000) and number < COUNT:
            print(f"{number:6} connections {resident_mb(child.pid):8.1f} MB")
    memory, took = resident_mb(child.pid), time.monotonic() - begun
    still = sum(map(is_open, lines))
    print(f"{still:6} connections {memory:8.1f} MB, opened one after another in {took:.1f} s, a request on each")
    times = []
    for _ in range(200):
        start = time.monotonic()
        ask(address, lines[-1])
        times.append((time.monotonic() - start) * 1000)
    times.sort()
    print(f"a request meanwhile: median {times[100]:.1f} ms, p99 {times[198]:.1f} ms")
    # Beyond the limit one that is idle ends, and the new one is served.
    start = time.monotonic()
    newest = ask(address)
    print(f"one more: served in {(time.monotonic() - start) * 1000:.1f} ms; {sum(map(is_open, lines))} of the others are left")
    newest.close()
    if still < COUNT or memory > MOST_MB:
        sys.exit(f"expected {COUNT} connections in at most {MOST_MB} MB")


def main():
    raise_limit()
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "RECEIVER_DATA": folder,
            "RECEIVER_LISTEN": "127.0.0.1:0",
            "RECEIVER_MAX_CONNECTIONS": str(COUNT),
            "RECEIVER_MAX_REQUESTS": str(REQUESTS),
        }
        child = subprocess.Popen([PROGRAM], env=settings, stdout=subprocess.PIPE, text=True)
        try:
            host, port = re.search(r"http://(.*):(\d+)", child.stdout.readline()).groups()
            measure(child, (host, int(port)))
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait()


main()
