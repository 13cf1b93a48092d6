"""Record what a running redis-server answers about random bitmaps, as lines of
    COMMAND HEX ARGUMENTS... REPLY [STRING AFTERWARDS]
where HEX is the value of the key ("-" for the empty string). Use: python3 record_bits.py PORT SEED
COUNT > bits-7.0.txt"""
import random
import socket
import sys


def end(rng, most):
    return str(rng.choice([rng.randint(-most - 3, most + 3), rng.randint(0, most), -1, 0]))


def amount(rng):
    return str(rng.choice([rng.randint(-300, 300), rng.randint(-2**63, 2**63 - 1), -2**63, 2**63 - 1]))


def case(rng):
    fill = rng.choice([0, 255, rng.randrange(256)])
    value = bytes(rng.choice([fill, fill, fill, rng.randrange(256)]) for _ in range(rng.randrange(12)))
    unit = rng.choice(["BYTE", "BIT"])
    most = len(value) * (8 if unit == "BIT" else 1)
    kind = rng.randrange(4)
    if kind == 0:
        return value, ["BITCOUNT", end(rng, most), end(rng, most), unit]
    if kind == 1:
        return value, ["BITPOS", rng.choice("01"), end(rng, most), end(rng, most), unit]
    if kind == 2:
        tail = rng.choice([[], [end(rng, len(value))]])
        return value, ["BITPOS", rng.choice("01")] + tail
    field = rng.choice(["i%d" % rng.randint(1, 64), "u%d" % rng.randint(1, 63)])
    overflow = rng.choice(["WRAP", "SAT", "FAIL"])
    offset = str(rng.randrange(100))
    return value, ["BITFIELD", overflow, rng.choice(["SET", "INCRBY"]), field, offset, amount(rng)]


def main():
    port, seed, count = map(int, sys.argv[1:])
    rng = random.Random(seed)
    with socket.create_connection(("127.0.0.1", port)) as server:
        replies = server.makefile("rb")

        def send(*words):
            words = [word if isinstance(word, bytes) else word.encode() for word in words]
            server.sendall(b"*%d\r\n" % len(words) + b"".join(
                b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
            head = replies.readline()[:-2]
            if head[:1] == b"*":
                head = replies.readline()[:-2]
            if head[:1] == b"$" and head != b"$-1":
                return replies.read(int(head[1:]) + 2)[:-2]
            return "nil" if head in (b"$-1", b"_") else head[1:].decode()

        for _ in range(count):
            value, words = case(rng)
            send("SET", "k", value)
            command = [words[0], "k"] + words[1:]
            if words[0] == "BITFIELD":
                command[2:2] = ["OVERFLOW"]
            result = [send(*command)]
            if words[0] == "BITFIELD":
                result.append(send("GET", "k").hex() or "-")
            print(words[0], value.hex() or "-", *words[1:], *result)


main()
