"""Records the reply to INFO everything of a fresh redis-server: record_info.py PORT."""

import pathlib
import socket
import sys


def read_reply(stream):
    head = stream.readline()
    return stream.read(int(head[1:]) + 2)[:-2] if head[:1] == b"$" else head


def main():
    connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    stream = connection.makefile("rb")
    for command in (b"SET a 1", b"GETRANGE a 0 x", b"INFO everything"):
        connection.sendall(command + b"\r\n")
        reply = read_reply(stream)
    pathlib.Path(__file__).with_name("info-7.0.txt").write_bytes(reply)


main()
