"""Record what a running redis-server makes of random float texts, as lines of
    score TEXT REPLY        ZADD of the text, then ZSCORE
    incr TEXT TEXT REPLY    SET of the first, INCRBYFLOAT by the second
Use: python3 record_floats.py PORT SEED COUNT > floats-7.0.txt"""
import random
import socket
import sys


def digits(rng, most):
    return "".join(rng.choice("0123456789") for _ in range(rng.randint(1, most)))


def number(rng):
    sign = rng.choice(["", "", "", "-", "-", "+"])
    kind = rng.randrange(16)
    if kind < 4:
        return sign + digits(rng, 6) + "." + digits(rng, 4)
    if kind < 6:
        return sign + digits(rng, 20)
    if kind < 8:
        return sign + digits(rng, 12) + "." + digits(rng, 30)
    if kind < 10:
        return sign + digits(rng, 3) + "." + digits(rng, 20) + "e%d" % rng.randint(-30, 30)
    if kind == 10:
        return sign + digits(rng, 40) + "e%d" % rng.randint(-350, 320)
    if kind == 11:
        return sign + digits(rng, 25) + "E%d" % rng.choice([rng.randint(-4990, 4940), 4920, -4945])
    if kind == 12:
        return sign + "0x%x.%xp%d" % (rng.getrandbits(70), rng.getrandbits(9), rng.randint(-60, 60))
    if kind == 13:
        return sign + "%d" % (2 ** rng.randint(50, 66) + rng.randint(-2, 2))
    if kind == 14:
        return sign + "%d.%s" % (rng.randint(0, 9), "0" * rng.randint(14, 20) + digits(rng, 2))
    odd = ["inf", "nan", "1e", "0x", ".5", "5.", ".", "0.1", "0.2", "1e-17", "5e-18", "15e-18",
           "0.000000000000000005", "1.18973149535723176502e+4932", "3.6e-4951", "0x1p-16445",
           "0x1p-1074", "0x1p1023", "0x1.fffffffffffffffep16383", "infinity", "1" * 400]
    return sign + rng.choice(odd)


def main():
    port, seed, count = map(int, sys.argv[1:])
    rng = random.Random(seed)
    lines, wire = [], []
    for _ in range(count):
        words = ["incr", number(rng), number(rng)] if rng.random() < 0.7 else ["score", number(rng)]
        if words[0] == "incr" and rng.random() < 0.1:
            words[2] = words[1][1:] if words[1][0] in "-+" else "-" + words[1]
        commands = [["DEL", "k"], ["SET", "k", words[1]], ["INCRBYFLOAT", "k", words[-1]]]
        if words[0] == "score":
            commands = [["DEL", "k"], ["ZADD", "k", words[1], "m"], ["ZSCORE", "k", "m"]]
        lines.append(words)
        for command in commands:
            wire.append("*%d\r\n" % len(command))
            wire += ["$%d\r\n%s\r\n" % (len(word), word) for word in command]
    with socket.create_connection(("127.0.0.1", port)) as server:
        replies = server.makefile("rb")
        for index, words in enumerate(lines):
            server.sendall("".join(wire).encode() if index == 0 else b"")
            replies.readline(), replies.readline()
            head = replies.readline().decode().strip()
            body = replies.readline().decode().strip() if head[0] == "$" and head != "$-1" else "ERR"
            print(*words, body)


main()
