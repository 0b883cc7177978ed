"""Runs a command in a network namespace of its own, whose only interface leads to the switch (`switch.py`).

    python host.py SOCKET COMMAND ...

Linux alone has namespaces. Nobody needs to be root where users may have their own, and open /dev/net/tun.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import os
import socket
import struct
import sys

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
TUNSETIFF, TUN, NO_PREFIX = 0x400454CA, 0x0001, 0x1000
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFMTU = 0x8914, 0x8916, 0x891C, 0x8922
UP_AND_RUNNING = 0x1 | 0x40
INTERFACE = "net0"
PACKET = 65535  # the largest there is, so that the switch has few to pass on
RANK_NAMES = ("PMI_RANK", "RANK")  # of MPICH, of torch


def enter(path: str, rank: int) -> None:
    """From here on this process has that network and no other."""
    flags = CLONE_NEWNET | (0 if os.geteuid() == 0 else CLONE_NEWUSER)
    if ctypes.CDLL(None, use_errno=True).unshare(flags):
        raise OSError(ctypes.get_errno(), "this system gives no network namespace")
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", INTERFACE.encode(), TUN | NO_PREFIX))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:

        def set_up(code: int, form: str, *values: object, name: str = INTERFACE) -> None:
            fcntl.ioctl(control, code, struct.pack("16s" + form, name.encode(), *values))

        def address(ip: str) -> tuple[object, ...]:
            return socket.AF_INET, 0, socket.inet_aton(ip)

        set_up(SIOCSIFFLAGS, "H22x", UP_AND_RUNNING, name="lo")
        set_up(SIOCSIFADDR, "HH4s8x", *address(f"10.77.0.{rank + 1}"))
        set_up(SIOCSIFNETMASK, "HH4s8x", *address("255.255.255.0"))
        set_up(SIOCSIFMTU, "i20x", PACKET)
        set_up(SIOCSIFFLAGS, "H22x", UP_AND_RUNNING)
    switch = socket.socket(socket.AF_UNIX)
    # By way of its folder: a socket's whole path may have no more than 100 characters.
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    switch.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    os.close(folder)
    # The switch has the other end of the interface, and sees by the connection that this host is still there.
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [tun]))]
    switch.sendmsg([bytes([rank])], rights)
    switch.recv(1)
    os.close(tun)
    os.set_inheritable(switch.detach(), True)


def main() -> None:
    rank = next(int(os.environ[name]) for name in RANK_NAMES if name in os.environ)
    enter(sys.argv[1], rank)
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
