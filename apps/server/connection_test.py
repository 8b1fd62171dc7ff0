# SPDX-License-Identifier: Apache-2.0
"""Connections that are malformed, slow, idle, too many, or never read their answers."""

import json
import os
import socket
import threading
import time
import unittest

from serving import HERE, ServerTest

CORPUS = os.path.join(HERE, "..", "..", "fuzz", "corpus", "http")


class Connections(ServerTest):
    """Bytes, time and numbers are bounded."""

    def test_malformed_messages_are_refused_and_closed(self):
        host = b"Host: localhost\r\n"
        for data, status in (
                (b"nonsense\r\n\r\n", 400), (b"GET  HTTP/1.1\r\n\r\n", 400),
                (b"GET / HTTP/2.0\r\n\r\n", 505), (b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\n" + host + b"X: \x00\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\n" + host + host + b"\r\n", 400),
                (b"GET / HTTP/1.1\r\n" + host + b" folded: x\r\n\r\n", 400),
                (b"GET http://x/ HTTP/1.1\r\n\r\n", 400),
                (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n", 431),
                (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
                (b"POST /api/runs HTTP/1.1\r\n" + host + b"\r\n", 411),
                (b"POST /api/runs HTTP/1.1\r\n" + host + b"Content-Length: 9x\r\n\r\n", 400),
                (b"POST /api/runs HTTP/1.1\r\n" + host + b"Content-Length: -1\r\n\r\n", 400),
                (b"POST /api/runs HTTP/1.1\r\n" + host +
                 b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
                (b"POST /api/runs HTTP/1.1\r\n" + host + b"Content-Length: 999999999\r\n\r\n", 413),
                (b"POST /api/runs HTTP/1.1\r\n" + host +
                 b"Content-Length: 99999999999999999999999\r\n\r\n", 413),
                (b"POST /api/runs HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n", 501)):
            answer = self.server.raw(data)
            self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), (data[:60], answer[:80]))
            self.assertIn("error", json.loads(answer.split(b"\r\n\r\n", 1)[1]))

    def test_the_corpus_of_messages_is_read_or_refused_as_named(self):
        for name in sorted(os.listdir(CORPUS)):
            with open(os.path.join(CORPUS, name), "rb") as file:
                content = file.read()
            answer = self.server.raw(content + b"\r\nConnection: close\r\n\r\n" +
                                     (b"{}" if name == "good_post" else b""))
            status = int(answer.split(b" ")[1])
            # The good ones ask for what is not there, or send no JSON.
            (self.assertIn if name.startswith("good_") else self.assertNotIn)(
                status, (404, 415, 403), name)
            self.assertGreaterEqual(status, 400, name)

    def test_requests_behind_each_other_on_one_connection_are_answered_in_order(self):
        one = b"GET /api/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
        last = b"GET /api/ask HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        answer = self.server.raw(one + one + last)
        self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), 3)
        self.assertTrue(answer.endswith(b'{"model":null}'))

    def test_slow_and_idle_clients_are_closed_after_five_seconds(self):
        def closed_after(data, trickle=b""):
            begin = time.monotonic()
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=12) as client:
                client.sendall(data)
                client.settimeout(0.5)
                answer = b""
                while time.monotonic() - begin < 12:
                    try:
                        part = client.recv(4096)
                        if not part:
                            break
                        answer += part
                    except TimeoutError:
                        if trickle:
                            try:
                                client.sendall(trickle)
                            except OSError:
                                break
                    except OSError:
                        break
                return time.monotonic() - begin, answer

        results = {}
        threads = [threading.Thread(target=lambda n=name, a=arguments: results.update(
            {n: closed_after(*a)})) for name, arguments in {
                "idle": (b"",), "half": (b"GET / HTTP/1.1\r\n",),
                "trickle": (b"GET / HTTP/1.1\r\n", b"A: b\r\n"),
                "body": (b"POST /api/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",),
                "after": (b"GET /api/ask HTTP/1.1\r\nHost: localhost\r\n\r\n",)}.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name, (seconds, answer) in results.items():
            self.assertGreater(seconds, 4, name)
            self.assertLess(seconds, 9, name)
            status = {"idle": b"", "after": b"HTTP/1.1 200"}.get(name, b"HTTP/1.1 408")
            self.assertTrue(answer.startswith(status), (name, answer[:80]))

    def test_the_sixty_fifth_connection_gets_503_and_the_others_go_on(self):
        held = [socket.create_connection(("127.0.0.1", self.server.port)) for _ in range(64)]
        try:
            for client in held:
                client.sendall(b"GET /api/ask HTTP/1.1\r\nHost: localhost\r\n\r\n")
            for client in held:
                self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200"))
            status, headers, data = self.server.ask("GET", "/api/models")
            self.assertEqual(status, 503)
            self.assertIn("64 connections", json.loads(data)["error"])
            self.assertEqual(headers["Retry-After"], "1")
        finally:
            for client in held:
                client.close()
        for _ in range(100):
            if self.server.ask("GET", "/api/models")[0] == 200:
                break
            time.sleep(0.05)
        else:
            self.fail("no connection became free")

    def test_a_client_that_does_not_read_its_answers_is_let_go(self):
        one = b"GET /page.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
        whole = 100 * len(self.server.ask("GET", "/page.js")[2])
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(20)
            client.connect(("127.0.0.1", self.server.port))
            client.sendall(100 * one)
            for _ in range(7):
                time.sleep(1)
                self.assertEqual(self.server.ask("GET", "/api/ask")[0], 200)
            read = 0
            try:
                while part := client.recv(1 << 20):
                    read += len(part)
            except ConnectionResetError:
                pass
            self.assertLess(read, whole)

    def test_thirty_two_runs_can_be_followed_at_once_and_others_are_answered(self):
        text = "w5 " * 1_300_000  # takes long to cut into tokens
        runs = [self.server.json("POST", "/api/runs", {"text": text, "truncate": True})["run"]
                for _ in range(12)]
        followed = []
        try:
            path = f"/api/runs/{runs[-1]}/events"
            for _ in range(32):
                client = socket.create_connection(("127.0.0.1", self.server.port), timeout=20)
                followed.append(client)
                client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            for client in followed:
                self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200"))
            status, _, data = self.server.ask("GET", path)
            self.assertEqual(status, 503)
            self.assertIn("32 runs are being followed", json.loads(data)["error"])
            self.assertEqual(self.server.ask("GET", "/api/models")[0], 200)
        finally:
            for run in runs:
                self.server.ask("DELETE", f"/api/runs/{run}")
            for client in followed:
                client.close()
        for _ in range(200):  # whoever left makes room
            status, _, data = self.server.ask("GET", path)
            if status == 200:
                break
            time.sleep(0.05)
        self.assertIn(b"cancelled", data)


if __name__ == "__main__":
    unittest.main()
