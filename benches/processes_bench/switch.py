"""Joins the hosts of `host.py`: each packet arrives after a delay, and no faster than the network's rate.

    python switch.py SOCKET HOSTS SECONDS BITS_PER_SECOND

Each host has a wire up and a wire down, on which packets come one after the other. The kernel's `netem` would
do the same where it is and whoever is root; this runs wherever namespaces do, and the packets are TCP's own.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import heapq
import os
import select
import socket
import sys
from time import perf_counter

ROOM = 1 << 16
PR_SET_TIMERSLACK = 29


class Wires:
    """When a packet arrives that is sent now."""

    def __init__(self, hosts: int, seconds: float, bits_per_second: float) -> None:
        self.seconds, self.rate = seconds, bits_per_second
        self._up, self._down = [0.0] * hosts, [0.0] * hosts

    def arrival(self, now: float, source: int, target: int, size: int) -> float:
        takes = 8 * size / self.rate
        start = max(now, self._up[source])
        self._up[source] = start + takes
        # Its first bit is on the way down before its last one is up.
        self._down[target] = max(start + self.seconds, self._down[target]) + takes
        return self._down[target]


def main() -> None:
    path, hosts = sys.argv[1], int(sys.argv[2])
    be_prompt()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(hosts)
        ends, connections = {}, []
        while len(ends) < hosts:
            connection, _ = server.accept()
            rank, rights, *_ = connection.recvmsg(1, socket.CMSG_SPACE(4))
            ends[rank[0]] = array.array("i", rights[0][2])[0]
            connections.append(connection)
    for end in ends.values():
        os.set_blocking(end, False)
    for connection in connections:
        connection.send(b".")
    packets, late = forward(ends, connections, Wires(hosts, float(sys.argv[3]), float(sys.argv[4])))
    print(packets, late / max(packets, 1))


def be_prompt() -> None:
    """As far as the system lets it: who is not root is late on a busy machine, and Linux alone has both."""
    with contextlib.suppress(AttributeError, PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)


def forward(ends: dict[int, int], connections: list[socket.socket], wires: Wires) -> tuple[int, float]:
    """Until all hosts have left: how many packets there were, and by how many seconds they were late."""
    hosts = {end: rank for rank, end in ends.items()}
    watched, there = [*hosts, *connections], set(connections)
    due: list[tuple[float, int, int, bytes]] = []
    taken = passed = 0
    late = 0.0
    while there:
        now = perf_counter()
        while due and due[0][0] <= now:
            when, _, target, packet = heapq.heappop(due)
            late, passed = late + now - when, passed + 1
            with contextlib.suppress(OSError):  # a host that has left
                os.write(ends[target], packet)
            now = perf_counter()
        ready, *_ = select.select(watched, [], [], max(due[0][0] - now, 0) if due else None)
        for one in ready:
            if one in there:
                there.remove(one)
                watched.remove(one)
                continue
            packet = _read(one)
            if packet is None:
                watched.remove(one)
            elif packet and packet[0] >> 4 == 4 and packet[19] - 1 in ends:
                target = packet[19] - 1  # the last byte of the address in the header of IP
                taken += 1
                when = wires.arrival(perf_counter(), hosts[one], target, len(packet))
                heapq.heappush(due, (when, taken, target, packet))
    return passed, late


def _read(end: int) -> bytes | None:
    """A packet, if there is one; None where the host and its interface are gone."""
    try:
        return os.read(end, ROOM)
    except BlockingIOError:
        return b""
    except OSError:
        return None


if __name__ == "__main__":
    main()
