"""Record COMMAND INFO and COMMAND DOCS of a running redis-server, raw, for the commands in
commands.txt. Use: python3 record.py PORT (the golden files are of redis-server 7.0.15)."""
import pathlib
import socket
import sys

HERE = pathlib.Path(__file__).parent


class Recorder:
    """One RESP2 connection that keeps every byte of a reply."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")

    def raw(self, *words):
        parts = [b"*%d\r\n" % len(words)]
        parts += [b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words]
        self.socket.sendall(b"".join(parts))
        return self.reply()

    def reply(self):
        line = self.file.readline()
        kind, size = line[:1], line[1:-2]
        if kind == b"$" and size != b"-1":
            return line + self.file.read(int(size) + 2)
        if kind == b"*" and size != b"-1":
            return line + b"".join(self.reply() for _ in range(int(size)))
        return line


def main():
    names = (HERE / "commands.txt").read_text().split()
    server = Recorder(int(sys.argv[1]))
    (HERE / "command-7.0.txt").write_bytes(server.raw("COMMAND", "INFO", *names))
    (HERE / "command-docs-7.0.txt").write_bytes(server.raw("COMMAND", "DOCS", *names))


main()
