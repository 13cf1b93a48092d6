"""Strings, expiry and keys through redis-py, in RESP2 and RESP3, plain, pipelined and pooled."""

import os
import threading
import unittest

import redis

PORT = int(os.environ["PORT"])


class Strings(unittest.TestCase):
    protocol = 2

    def setUp(self):
        self.r = redis.Redis(port=PORT, protocol=self.protocol)
        self.r.flushall()

    def tearDown(self):
        self.r.close()

    def test_set_and_get(self):
        self.assertTrue(self.r.set("a", "1"))
        self.assertEqual(self.r.get("a"), b"1")
        self.assertIsNone(self.r.get("missing"))
        self.assertIsNone(self.r.set("a", "2", nx=True))
        self.assertEqual(self.r.set("a", "2", get=True), b"1")
        self.assertEqual(self.r.getdel("a"), b"2")
        self.assertEqual(self.r.exists("a"), 0)

    def test_many(self):
        pairs = {f"key:{i}": str(i) for i in range(100)}
        self.assertTrue(self.r.mset(pairs))
        self.assertEqual(self.r.mget(list(pairs)), [v.encode() for v in pairs.values()])
        self.assertFalse(self.r.msetnx({"key:1": "x", "new": "y"}))
        self.assertEqual(self.r.dbsize(), 100)
        self.assertEqual(set(self.r.scan_iter("key:*", count=7)), {k.encode() for k in pairs})
        self.assertEqual(self.r.delete(*pairs), 100)

    def test_numbers(self):
        self.assertEqual(self.r.incr("n"), 1)
        self.assertEqual(self.r.incrby("n", 41), 42)
        self.assertEqual(self.r.decr("n"), 41)
        self.assertAlmostEqual(float(self.r.incrbyfloat("n", 0.5)), 41.5)
        with self.assertRaises(redis.ResponseError):
            self.r.incr("n")

    def test_expiry(self):
        self.r.set("a", "1", ex=100)
        self.assertIn(self.r.ttl("a"), (99, 100))
        self.assertTrue(self.r.persist("a"))
        self.assertEqual(self.r.ttl("a"), -1)
        self.assertEqual(self.r.ttl("missing"), -2)
        self.assertTrue(self.r.expireat("a", 33177117420))
        self.assertEqual(self.r.expiretime("a"), 33177117420)

    def test_bits(self):
        self.assertEqual(self.r.setbit("b", 7, 1), 0)
        self.assertEqual(self.r.getbit("b", 7), 1)
        self.assertEqual(self.r.bitcount("b"), 1)
        self.assertEqual(self.r.bitpos("b", 1), 7)
        self.assertEqual(self.r.bitop("NOT", "c", "b"), 1)
        self.assertEqual(self.r.bitfield("f").set("u8", 0, 255).get("i8", 0).execute(), [0, -1])

    def test_keys(self):
        self.r.set("a", "1")
        self.assertTrue(self.r.rename("a", "b"))
        self.assertTrue(self.r.copy("b", "c"))
        self.assertEqual(sorted(self.r.keys("*")), [b"b", b"c"])
        self.assertEqual(self.r.type("b"), b"string")
        self.assertEqual(self.r.object("encoding", "b"), b"int")

    def test_pipeline(self):
        pipe = self.r.pipeline(transaction=False)
        for i in range(1000):
            pipe.set(f"key:{i}", i).get(f"key:{i}")
        replies = pipe.execute()
        self.assertEqual(replies[1::2], [str(i).encode() for i in range(1000)])

    def test_binary(self):
        every = bytes(range(256))
        self.r.set(every, every)
        self.assertEqual(self.r.get(every), every)


class StringsInResp3(Strings):
    protocol = 3


class Connections(unittest.TestCase):
    def test_info_and_config(self):
        r = redis.Redis(port=PORT, client_name="tester")
        self.assertEqual(r.client_getname(), "tester")
        self.assertIn("redis_version", r.info())
        self.assertEqual(r.config_get("databases"), {"databases": "16"})
        self.assertTrue(any(client["name"] == "tester" for client in r.client_list()))
        self.assertIn("get", r.command())

    def test_databases(self):
        zero, one = redis.Redis(port=PORT), redis.Redis(port=PORT, db=1)
        zero.flushall()
        zero.set("a", "zero")
        self.assertIsNone(one.get("a"))
        self.assertTrue(zero.move("a", 1))
        self.assertEqual(one.get("a"), b"zero")

    def test_threads_count_together(self):
        r = redis.Redis(port=PORT)
        r.flushall()

        def count():
            for _ in range(200):
                r.incr("n")

        threads = [threading.Thread(target=count) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(r.get("n"), b"1600")


if __name__ == "__main__":
    unittest.main()
