# SPDX-License-Identifier: MIT
"""Talks to echo_server: echoes, half-closed and reset peers, peers that do not read, no descriptors left."""

import os
import socket
import struct
import subprocess
import sys
import threading
import time

DESCRIPTORS = 32  # of the server
TALKERS, RESETS, CROWD = 20, 20, 60
TOTAL = TALKERS + RESETS + CROWD + 1


def connect(port):
    peer = socket.create_connection(("127.0.0.1", port), timeout=20)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def read_all(peer, slow=False):
    parts = []
    while part := peer.recv(65536):
        parts.append(part)
        if slow and len(parts) < 20:
            time.sleep(0.01)
    return b"".join(parts)


def talk(port, size, slow=False):
    """Sends, half-closes, and gets all of it back."""
    data = os.urandom(size)
    with connect(port) as peer:
        def send():
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send)
        sender.start()
        if slow:
            time.sleep(0.2)  # by now the server cannot write, and so must not read
        echoed = read_all(peer, slow)
        sender.join()
    assert echoed == data, f"{len(echoed)} of {size} bytes came back"


def processor_time(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(port, pid):
    for i in range(TALKERS - 1):
        talk(port, i * 3000 + 1)
    talk(port, 8_000_000, slow=True)

    for i in range(RESETS):
        peer = connect(port)
        peer.sendall(b"x" * (i * 10000))
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()

    crowd = [connect(port) for _ in range(CROWD)]  # most of them wait in the queue
    if os.path.exists(f"/proc/{pid}/stat"):
        before = processor_time(pid)
        time.sleep(0.5)
        used = processor_time(pid) - before
        assert used < 0.2, f"{used:.2f} s of processor time in 0.5 s: it spins"
    for i, peer in enumerate(crowd):  # each end makes room for the next
        peer.sendall(b"%d" % i)
        assert peer.recv(16) == b"%d" % i
        peer.close()
    talk(port, 10)


def main():
    command = sys.argv[1:] + ["0", str(TOTAL)]
    if len(sys.argv) == 2:  # an emulator has descriptors of its own
        command = ["sh", "-c", f"ulimit -n {DESCRIPTORS} && exec \"$0\" \"$@\""] + command
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()
        run(int(line.rsplit(":", 1)[1]), server.pid)
        print(server.communicate(timeout=20)[0].strip())
        assert server.returncode == 0, f"the server ended with {server.returncode}"
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


main()
