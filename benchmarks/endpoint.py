"""A model endpoint in a process of its own, on loopback: what benchmarks ask instead of a model."""

from __future__ import annotations

import http.server
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with as many chunks as the model's name says, or 8, in one piece."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each call waits 40 ms for an acknowledgement

    def do_POST(self) -> None:
        """On either API."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        is_chat = self.path.endswith("/chat/completions")
        chunks = int(body["model"]) if body["model"].isdigit() else 8
        events = (chat_events if is_chat else response_events)(chunks)
        out = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


def chat_events(count: int) -> list[dict[str, object]]:
    """Chunks as OpenAI sends them."""
    frame = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    said = {"index": 0, "delta": {"content": "some words "}, "finish_reason": None}
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    return [*({**frame, "choices": [said]} for _ in range(count)), {**frame, "choices": [end]}]


def response_events(count: int) -> list[dict[str, object]]:
    """Typed events as OpenAI sends them."""
    said = {"type": "response.output_text.delta", "output_index": 0, "delta": "some words "}
    return [*(said for _ in range(count)), {"type": "response.completed", "response": {}}]


@contextmanager
def endpoint() -> Generator[str]:
    """Its base URL, as long as it runs."""
    port: Synchronized[int] = multiprocessing.Value("i", 0)
    server = multiprocessing.Process(target=_serve, args=(port,), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port.value}/v1"
    finally:
        server.terminate()
        server.join()


@contextmanager
def environment(database: str | None) -> Generator[str]:
    """Let agents of this process ask the endpoint; yields the database: an SQLite file if None."""
    with endpoint() as base_url, tempfile.TemporaryDirectory() as folder:
        url = database or f"sqlite://{folder}/bench.db"
        os.environ |= {  # noqa: TID251  # as a program's user does
            "DATABASE_URL": url,
            "OPENAI_BASE_URL": base_url,
            "OPENAI_API_KEY": "k",
            "MOORINGS_CONFIG": "",
        }
        yield url


def _serve(port: Synchronized[int]) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    port.value = server.server_port
    server.serve_forever()
