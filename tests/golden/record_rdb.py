"""Fill a fresh redis-server with values of all types and encodings, and SAVE them.
Use: redis-server --port PORT --save '' --dbfilename redis-7.0.rdb; python3 record_rdb.py PORT"""
import socket
import sys

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
replies = connection.makefile("rb")


def skip():
    line = replies.readline()
    assert line[:1] != b"-", line
    size = int(line[1:-2]) if line[:1] in b"$*" else -1
    if line[:1] == b"$" and size >= 0:
        replies.read(size + 2)
    for _ in range(size if line[:1] == b"*" else 0):
        skip()


def call(*words):
    words = [str(word).encode() for word in words]
    parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
    connection.sendall(b"*%d\r\n" % len(words) + b"".join(parts))
    skip()


call("SET", "text", "value")
call("SET", "int", 12345)
call("SET", "wide", 1 << 40)
call("SET", "long", "abc " * 100)
call("SET", "expires", "v", "PXAT", 4000000000000)
call("RPUSH", "list", *range(20))
call("RPUSH", "quicklist", *[f"element-{n}" * 9 for n in range(300)])
call("SADD", "ints", *range(0, 900, 7))
call("SADD", "set", "a", "b", "c")
call("ZADD", "zset", 1, "a", 2.5, "b", "inf", "c")
call("ZADD", "skiplist", *[word for n in range(200) for word in (n * 0.5, f"m{n}")])
call("HSET", "hash", "f", "v", "g", "w")
call("HSET", "table", *[word for n in range(100) for word in (f"field{n}", "v" * n)])
for n in range(1, 251):
    call("XADD", "stream", f"{n}-1", "name", f"value{n}")
call("XGROUP", "CREATE", "stream", "group", 0)
call("XREADGROUP", "GROUP", "group", "alice", "COUNT", 10, "STREAMS", "stream", ">")
call("XDEL", "stream", "3-1")
call("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
call("SELECT", 3)
call("SET", "elsewhere", 1)
call("SAVE")
