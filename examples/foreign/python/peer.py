"""peer.py SOCKET FILE: sends the open file to the process at the socket, and prints the file that it gets for it."""

import socket
import sys


def main(address, path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.connect(address)
        with open(path, "rb") as file:
            socket.send_fds(s, [b"from Python"], [file.fileno()])
        text, fds, _, _ = socket.recv_fds(s, 100, 1)
        with open(fds[0], "rb") as file:
            sys.stdout.buffer.write(text + b": " + file.read())


if len(sys.argv) != 3:
    sys.exit("usage: peer.py SOCKET FILE")
main(*sys.argv[1:])
