# SPDX-License-Identifier: MIT
"""
Downloads from servers on this machine: download_test.py DOWNLOAD HTTP_SERVER [TEST...]

The files come from examples/http_server; what it never does to a client, ClumsyServer does.
PLX_BACKEND names the backend of both.
"""
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

DOWNLOAD, HTTP_SERVER = map(os.path.abspath, sys.argv[1:3])
PATIENCE = 30  # seconds until something that must happen has not


class ClumsyServer:
    """Answers /ID/NAME with NAME as the body, when GATHERED clients have asked, and ends the connection.

    ID is what it does instead: abort (a reset half way), short (an early end), silent (no answer).
    """

    def __init__(self, gathered=1):
        self.barrier = threading.Barrier(gathered)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client:
            _, what, name = client.makefile("rb").readline().split()[1].decode().split("/")
            self.barrier.wait(PATIENCE)
            length = len(name) + (1000 if what in ("abort", "short") else 0)
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            if what == "silent":
                client.recv(1 << 16)
                while client.recv(1 << 16):
                    pass
                return
            client.sendall(head.encode() + name.encode())
            if what == "abort":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Download(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pollux-curl-")
        self.addCleanup(folder.cleanup)
        self.source, self.target = (os.path.join(folder.name, name) for name in ("source", "target"))
        os.mkdir(self.source)
        os.mkdir(self.target)

    def download(self, *arguments, status):
        """Downloads, and returns what was said to have failed as {name: why}."""
        done = subprocess.run([DOWNLOAD, *arguments], text=True, capture_output=True, timeout=2 * PATIENCE)
        self.assertEqual((done.stderr, done.returncode), ("", status), done.stdout)
        lines = [line.split(": ", 1) for line in done.stdout.splitlines()]
        return {head.rpartition("/")[2]: why for head, why in lines}

    def clumsy(self, *arguments):
        server = ClumsyServer(*arguments)
        self.addCleanup(server.close)
        return server

    def serve_files(self, sizes):
        """Writes files of these sizes, serves them, and returns their bytes by name, and the server's URL."""
        files = {f"file{i}": random.Random(i).randbytes(size) for i, size in enumerate(sizes)}
        for name, body in files.items():
            with open(os.path.join(self.source, name), "wb") as file:
                file.write(body)
        server = subprocess.Popen([HTTP_SERVER, "--quiet", self.source], text=True, stdout=subprocess.PIPE)
        self.addCleanup(server.wait)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.terminate)
        return files, server.stdout.readline().split()[-1]

    def target_files(self):
        found = {}
        for name in os.listdir(self.target):
            with open(os.path.join(self.target, name), "rb") as file:
                found[name] = file.read()
        return found

    def test_a_hundred_files_at_once(self):
        files, base = self.serve_files([0, 1, 3_000_000] + [random.Random(i).randrange(200_000) for i in range(97)])
        self.assertEqual(self.download(self.target, *(base + name for name in files), status=0), {})
        self.assertEqual(self.target_files(), files)

    def test_all_are_on_their_way_at_once(self):
        """Nobody is answered before all hundred have asked."""
        server = self.clumsy(100)
        names = [f"name{i}" for i in range(100)]
        urls = [f"http://127.0.0.1:{server.port}/ok/{name}" for name in names]
        self.assertEqual(self.download(self.target, *urls, status=0), {})
        self.assertEqual(self.target_files(), {name: name.encode() for name in names})

    def test_connections_are_used_again(self):
        files, base = self.serve_files([20_000] * 200)
        urls = [base + name for name in files]
        self.assertEqual(self.download("--parallel", "10", self.target, *urls, status=0), {})
        self.assertEqual(self.target_files(), files)

    def test_numbers_of_closed_sockets_are_used_again(self):
        """Each answer ends its connection: the next one has its number, often in the same batch of events."""
        server = self.clumsy()
        names = [f"name{i}" for i in range(400)]
        urls = [f"http://127.0.0.1:{server.port}/ok/{name}" for name in names]
        self.assertEqual(self.download("--parallel", "20", self.target, *urls, status=0), {})
        self.assertEqual(self.target_files(), {name: name.encode() for name in names})

    def test_a_broken_transfer_does_not_harm_the_others(self):
        files, base = self.serve_files([100_000] * 20)
        server = self.clumsy()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            closed = listener.getsockname()[1]
        bad = [f"http://127.0.0.1:{server.port}/{what}/{what}" for what in ("abort", "short")]
        bad += [f"http://127.0.0.1:{closed}/refused", base + "absent"]
        urls = [base + name for name in files]
        failed = self.download(self.target, *urls[:10], *bad, *urls[10:], status=1)
        self.assertEqual(sorted(failed), ["abort", "absent", "refused", "short"])
        self.assertRegex(failed["refused"], "connect")
        self.assertEqual(self.target_files(), files)

    def test_a_silent_server_is_left_when_the_time_is_up(self):
        server = self.clumsy()
        began = time.monotonic()
        urls = [f"http://127.0.0.1:{server.port}/silent/name{i}" for i in range(3)]
        failed = self.download("--timeout", "1", self.target, *urls, status=1)
        self.assertGreaterEqual(time.monotonic() - began, 1)
        self.assertEqual([*failed.values()], ["Timeout was reached"] * 3)
        self.assertEqual(self.target_files(), {})

    def test_names_are_resolved(self):
        """By a thread of libcurl, whose end is a socket that it has us watch; then the fastest address wins."""
        files, base = self.serve_files([1000] * 5)
        base = base.replace("127.0.0.1", "localhost")
        self.assertEqual(self.download(self.target, *(base + name for name in files), status=0), {})
        self.assertEqual(self.target_files(), files)

    def test_a_connection_that_takes_its_time(self):
        """The server's queue is full at first: only the socket's becoming writable tells that it is through."""
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
            port = listener.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)):
                process = subprocess.Popen([DOWNLOAD, self.target, f"http://127.0.0.1:{port}/name"])
                self.addCleanup(process.wait)
                self.addCleanup(process.kill)
                self.wait_until(lambda: self.connecting(port))
                listener.accept()[0].close()
                with listener.accept()[0] as client:
                    client.recv(1 << 16)
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nname")
                    self.assertEqual(process.wait(PATIENCE), 0)
        self.assertEqual(self.target_files(), {"name": b"name"})

    def test_it_is_one_thread_that_sleeps(self):
        """With nothing to do but to wait it is one thread, and takes no processor time."""
        server = self.clumsy()
        process = subprocess.Popen([DOWNLOAD, self.target,
                                    *(f"http://127.0.0.1:{server.port}/silent/{i}" for i in range(100))])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.wait_until(lambda: len(os.listdir(f"/proc/{process.pid}/fd")) >= 200)
        self.assertEqual(len(os.listdir(f"/proc/{process.pid}/task")), 1)
        before = self.processor_time(process.pid)
        time.sleep(2)
        self.assertLess(self.processor_time(process.pid) - before, 0.5)

    def wait_until(self, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def connecting(self, port):
        """Whether there is a connection to the port that has had no answer (state 2: SYN_SENT)."""
        with open("/proc/net/tcp") as file:
            lines = [line.split() for line in file]
        return any(line[2].endswith(f":{port:04X}") and line[3] == "02" for line in lines)

    def processor_time(self, pid):
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    if "does not have" in subprocess.run([DOWNLOAD, "/"], text=True, capture_output=True).stderr:
        print(f"skip: {os.environ['PLX_BACKEND']} is not to be had here")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
