# SPDX-License-Identifier: Apache-2.0
"""What the server makes of wrong requests and attackers, of questions for a language model, and how
it starts and ends. serving.py has the server, connection_test.py its connections.
"""

import http.server
import json
import signal
import socket
import subprocess
import threading
import time
import unittest

from serving import BINARY, Server, ServerTest


class BadInput(ServerTest):
    """Whatever is asked wrongly is answered with a reason."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.trace = cls.server.run(model="tiny", text="w5 w9 w14")

    def test_wrong_requests_for_runs(self):
        for body, status, says in (
                (b"{", 400, ["request"]), (b"[]", 400, ["object"]), (b"", 400, []),
                ({"text": ""}, 400, ["text"]), ({"text": 5}, 400, ["text", "5"]),
                ({"text": "w5", "colour": 1}, 400, ["colour"]),
                ({"text": "w5", "generate": -1}, 400, ["generate"]),
                ({"text": "w5", "generate": 10 ** 9}, 400, ["generate"]),
                ({"text": "w5", "kind": "sideways"}, 400, ["kind"]),
                ({"text": "w5", "model": "nobody"}, 404, ["nobody"]),
                ({"text": "w5", "model": "../../etc"}, 404, ["etc"]),
                ({"text": "w5", "model": "/etc"}, 404, ["/etc"]),
                (b'{"text": "w5", "text": "w6"}', 400, ["text"]),
                (b'{"text": "\xff"}', 400, ["request"]),
                (b"[" * 100000, 400, ["request"])):
            self.bad(status, "POST", "/api/runs", body, says=says)
        self.bad(415, "POST", "/api/runs", b"{}", headers={"Content-Type": "text/plain"})

    def test_wrong_addresses(self):
        trace = f"/api/traces/{self.trace}"
        for path, status, says in (
                ("/nowhere", 404, ["/nowhere"]), ("/api", 404, []), ("/api/", 404, []),
                ("/api/traces/0123456789abcdef", 404, ["0123456789abcdef"]),
                ("/api/traces/..%2f..%2fetc%2fpasswd", 404, []),
                ("/api/traces/%00", 400, ["zero"]), ("/%zz", 400, ["%"]),
                ("/../../etc/passwd", 404, []), ("/page.js/../../x", 404, []),
                ("/api/runs/nobody/events", 404, ["nobody"]),
                (trace + "/nothing", 404, []),
                (trace + "/tile", 400, ["head"]), (trace + "/tile?head=L9H9", 404, ["L9H9"]),
                (trace + "/tile?head=L1H1&size=0", 400, ["size"]),
                (trace + "/tile?head=L1H1&size=99999999999999999999", 400, ["size"]),
                (trace + "/tile?head=L1H1&size=2&rows=3:2", 400, ["rows"]),
                (trace + "/tile?head=L1H1&cell=0,1", 400, ["cell", "height,width"]),
                (trace + "/tile?head=L1H1&cell=1", 400, ["cell"]),
                (trace + "/tile?head=L1H1&cell=1,1&size=2", 400, ["cell", "size"]),
                (trace + "/tile?head=L1H1&size=2&rows=0:6", 400, ["rows", "0:5"]),
                (trace + "/tile?head=L1H1&size=2&cols=-1:2", 400, ["cols"]),
                (trace + "/tile?head=L1H1&size=2&pool=least", 400, ["pool"]),
                (trace + "/tile?head=L1H1&size=2&kind=cross", 400, ["kind"]),
                (trace + "/tile?head=L1H1&size=2&size=3", 400, ["size"]),
                (trace + "/tile?head=L1H1&size=2&more=3", 400, ["more"]),
                (trace + "/explain?head=L1H1&token=5", 400, ["token"]),
                (trace + "/explain?head=L1H1", 400, ["token"]),
                (trace + "/export?head=L1H1&format=gif", 400, ["gif"]),
                (trace + "/export?head=L1H1&view=clock", 400, ["clock"]),
                (trace + "/export?head=L1H1&view=row", 400, ["word"]),
                (trace + "/export?head=L1H1&scale=cubic", 400, ["scale"]),
                (trace + "/export?head=L1H1&keepMass=nan", 400, ["keepMass"])):
            self.bad(status, "GET", path, says=says)
        self.bad(405, "DELETE", trace)
        self.bad(405, "GET", "/api/runs", says=["POST"])
        self.bad(405, "PUT", "/")
        self.bad(405, "OPTIONS", "/api/runs")

    def test_questions_need_a_service(self):
        self.assertEqual(self.server.json("GET", "/api/ask"), {"model": None})
        self.bad(404, "POST", "/api/ask", {"question": "why?", "facts": "", "language": "en"},
                 says=["--ask-url"])
        self.bad(400, "POST", "/api/ask", {"question": "why?"}, says=["facts"])
        self.bad(413, "POST", "/api/ask", {"question": "w" * 70000, "facts": "", "language": "en"})

    def test_other_sites_are_refused(self):
        here = f"127.0.0.1:{self.server.port}"
        self.bad(403, "GET", "/", headers={"Host": f"evil.example:{self.server.port}"})
        self.bad(403, "GET", "/api/models", headers={"Host": "regard.evil.example"})
        for host in (here, f"localhost:{self.server.port}", "[::1]:1", "localhost:9999"):
            self.assertEqual(self.server.ask("GET", "/api/models", headers={"Host": host})[0], 200)
        for origin in ("http://evil.example", "null", f"https://{here}", "http://localhost"):
            self.bad(403, "POST", "/api/runs", {"text": "w5"}, headers={"Origin": origin})
        self.assertEqual(self.server.ask("GET", "/api/models",
                                         headers={"Origin": f"http://{here}"})[0], 200)
        self.bad(403, "GET", "/api/models", headers={"Sec-Fetch-Site": "cross-site"})
        opened = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        self.assertEqual(self.server.ask("GET", "/", headers=opened)[0], 200)

    def test_text_is_never_markup(self):
        text = "w5 </script><script>alert(1)</script> <!-- w9 --> \u202e"
        trace = self.server.run(model="tiny", text=text)
        self.assertEqual(self.server.json("GET", f"/api/traces/{trace}")["sides"][0]["text"], text)
        svg = self.server.ask("GET", f"/api/traces/{trace}/export?head=L0H0&format=svg")[2]
        self.assertNotIn(b"<script", svg)


class WithToken(ServerTest):
    arguments = ("--token", "0123456789abcdef", "--listen", "0.0.0.0")

    def test_only_those_who_know_the_token_are_served(self):
        self.assertIn("?token=0123456789abcdef", self.server.line)
        self.bad(401, "GET", "/api/models", says=["token"])
        self.bad(401, "GET", "/api/models", headers={"Authorization": "Bearer 0123456789abcdeg"})
        self.bad(401, "GET", "/?token=wrong")
        self.bad(401, "GET", "/api/models", headers={"Cookie": "regard_token="})
        bearer = {"Authorization": "Bearer 0123456789abcdef"}
        self.assertEqual(self.server.ask("GET", "/api/models", headers=bearer)[0], 200)
        status, headers, _ = self.server.ask("GET", "/?token=0123456789abcdef")
        self.assertEqual((status, headers["Location"]), (303, "/"))
        self.assertIn("HttpOnly", headers["Set-Cookie"])
        cookie = {"Cookie": "other=1; " + headers["Set-Cookie"].split(";")[0]}
        self.assertEqual(self.server.ask("GET", "/api/models", headers=cookie)[0], 200)


class Service(http.server.BaseHTTPRequestHandler):
    """A language model that says what it was asked."""
    asked = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Service.asked.append((self.path, self.headers, body))
        fails = "fail" in body["messages"][1]["content"]
        answer = json.dumps({"choices": [{"message": {"content": "Because."}}]}).encode()
        self.send_response(500 if fails else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Questions(unittest.TestCase):
    def test_a_question_goes_to_the_service_with_the_facts_and_the_key(self):
        service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        threading.Thread(target=service.serve_forever, daemon=True).start()
        self.addCleanup(service.server_close)
        self.addCleanup(service.shutdown)
        server = Server("--ask-url", f"http://127.0.0.1:{service.server_port}/v1",
                        "--ask-model", "parrot", REGARD_ASK_KEY="secret")
        self.addCleanup(server.end)
        self.assertEqual(server.json("GET", "/api/ask"), {"model": "parrot"})
        question = {"question": "Why \"it\"?", "facts": "it -> animal 0.68", "language": "de"}
        self.assertEqual(server.json("POST", "/api/ask", question), {"answer": "Because."})
        path, headers, body = Service.asked[-1]
        self.assertEqual(path, "/v1/chat/completions")
        self.assertEqual(headers["Authorization"], "Bearer secret")
        self.assertEqual(body["model"], "parrot")
        self.assertIn("it -> animal 0.68", body["messages"][0]["content"])
        self.assertIn("language: de", body["messages"][0]["content"])
        self.assertEqual(body["messages"][1]["content"], "Why \"it\"?")
        status, _, data = server.ask("POST", "/api/ask", {**question, "question": "fail"})
        self.assertEqual(status, 502)
        self.assertIn("500", json.loads(data)["error"])
        self.assertNotIn(b"secret", data)


class StartAndEnd(unittest.TestCase):
    def refuse(self, *arguments, says):
        done = subprocess.run([BINARY, "serve", *arguments], capture_output=True, timeout=30,
                              check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        for part in says:
            self.assertIn(part, done.stderr.decode())

    def test_other_addresses_need_a_token(self):
        self.refuse("--port", "0", "--listen", "0.0.0.0", says=["--token"])
        self.refuse("--port", "0", "--listen", "0.0.0.0", "--token", "short", says=["16"])
        self.refuse("--port", "0", "--token", "x" * 15 + " ", says=["--token"])
        self.refuse("--port", "70000", says=["70000"])
        self.refuse("--ask-url", "file:///etc/passwd", says=["--ask-url"])

    def test_a_port_in_use_is_said(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            done = subprocess.run([BINARY, "serve", "--port", port], capture_output=True,
                                  timeout=30, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(port, done.stderr.decode())

    def test_it_ends_in_good_order_with_clients_and_runs_under_way(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            server = Server()
            idle = socket.create_connection(("127.0.0.1", server.port))
            runs = [server.json("POST", "/api/runs", {"text": "w5 w9 w14"})["run"]
                    for _ in range(8)]
            follower = socket.create_connection(("127.0.0.1", server.port))
            follower.sendall(f"GET /api/runs/{runs[-1]}/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
                             .encode())
            begin = time.monotonic()
            status, errors, left = server.end(how)
            self.assertEqual((status, errors, left), (0, "", []))
            self.assertLess(time.monotonic() - begin, 5)
            idle.close()
            follower.close()


if __name__ == "__main__":
    unittest.main()
