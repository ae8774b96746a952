# SPDX-License-Identifier: MIT
"""
Redis on its own epoll and on Pollux, by redis-benchmark: bench.py FOLDER ROUNDS

FOLDER has what integrations/redis/run built. All servers are up; a round measures each request
on each of them, one right after the other in an order drawn anew, epoll twice: the second says
what the machine's noise is. The servers have one core and redis-benchmark the other. Ratios are
medians of the ratios within a round.
"""
import collections
import csv
import os
import random
import statistics
import subprocess
import sys
import time

FOLDER, ROUNDS = sys.argv[1], int(sys.argv[2])
PORT = 21090
SERVERS = {  # name: what is run, with which environment
    "epoll": ("epoll", {}),
    "again": ("epoll", {}),
    "Pollux": ("pollux", {}),
    "on io_uring": ("pollux", {"PLX_BACKEND": "io_uring"}),
}
REQUESTS = ["ping_inline", "set", "get", "incr", "lpush", "hset"]
PIPELINES = {1: 50_000, 16: 200_000}  # requests at once by each connection: how many in all


def client(program, port, *options):
    command = ["taskset", "-c", "0", os.path.join(FOLDER, "source/src", program), "-p", str(port), *options]
    return subprocess.run(command, text=True, capture_output=True).stdout


def start(loop, environment, port):
    command = ["taskset", "-c", "1", os.path.join(FOLDER, "redis-server." + loop), "--port", str(port), "--save", ""]
    return subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL)


def processor_time(server):
    with open(f"/proc/{server.pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1000


def measure(server, port, pipeline, request):
    """Requests per second, and the server's microseconds for each."""
    number = PIPELINES[pipeline]
    before = processor_time(server)
    said = client("redis-benchmark", port, "--csv", "-c", "50", "-P", str(pipeline), "-n", str(number), "-r", "1000",
                  "-t", request)
    return float(list(csv.reader(said.splitlines()))[1][1]), (processor_time(server) - before) / number


def measure_all(servers):
    found = collections.defaultdict(list)
    for number in range(ROUNDS):
        for pipeline in PIPELINES:
            for request in REQUESTS:
                for name in random.sample([*servers], len(servers)):
                    found[pipeline, request, name].append(measure(*servers[name], pipeline, request))
        print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
    return found


def row(found, pipeline, request, what):
    values = {name: [one[what] for one in found[pipeline, request, name]] for name in SERVERS}
    epoll = values.pop("epoll")
    ratios = [statistics.median(a / b for a, b in zip(other, epoll)) for other in values.values()]
    return [f"{statistics.median(epoll):,.{2 * what}f}", *(f"{ratio:.2f}" for ratio in ratios)]


def main():
    servers = {}
    try:
        for port, (name, kind) in enumerate(SERVERS.items(), PORT):
            servers[name] = start(*kind, port), port
            while client("redis-cli", port, "ping").strip() != "PONG":
                time.sleep(0.05)
        found = measure_all(servers)
    finally:
        for server, _ in servers.values():
            server.terminate()
            server.wait()
    head = ["epoll", *[*SERVERS][1:]]
    print("| at once | request |", " | ".join([*head, *head]), "|\n" + "|---" * (2 + 2 * len(head)) + "|")
    for pipeline in PIPELINES:
        for request in REQUESTS:
            both = row(found, pipeline, request, 0) + row(found, pipeline, request, 1)
            print(f"| {pipeline} | {request} |", " | ".join(both), "|")


main()
