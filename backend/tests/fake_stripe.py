"""A stand-in for Stripe: a real HTTP server that the official library talks to, with payment pages that a browser can walk through.

Keys of idempotency, signatures and states are as Stripe documents them. What goes wrong on the way is arranged by a test: `down`, `slow`,
`lose_answers`, and the webhooks, which wait in `outbox` to be delivered in any order and number, or go out by themselves with `webhook`.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import itertools
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY, SECRET = "sk_test_0123456789abcdef", "whsec_0123456789abcdef"
SHORTEST = 30 * 60  # seconds for which a page must be open


class Refused(Exception):
    def __init__(self, status: int, code: str, kind: str = "invalid_request_error") -> None:
        super().__init__(code)
        self.status, self.error = status, {"error": {"type": kind, "code": code, "message": code}}


def signed(body: bytes, *, secret: str = SECRET, at: float | None = None) -> str:
    moment = int(time.time() if at is None else at)
    return f"t={moment},v1={hmac.new(secret.encode(), b'%d.%s' % (moment, body), hashlib.sha256).hexdigest()}"


class FakeStripe:
    def __init__(self, webhook: str = "") -> None:
        self.webhook = webhook
        self.pages: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.outbox: list[bytes] = []
        self.requests: list[tuple[str, str]] = []
        self.down = self.lose_answers = False
        self.slow = 0.0
        self._answers: dict[str, tuple[str, dict[str, Any]]] = {}
        self._number = itertools.count(1)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    # ---- what a buyer does

    def pay(self, page_id: str, *, webhook: bool = True) -> bytes:
        """The buyer pays on the page; gives the event that tells of it."""
        page = self.pages[page_id]
        if page["status"] != "open":
            raise Refused(400, "session_not_open")
        page |= {"status": "complete", "payment_status": "paid", "payment_intent": f"pi_{page_id}"}
        return self.tell("checkout.session.completed", page, send=webhook)

    def tell(self, kind: str, page: dict[str, Any], *, send: bool = True, **changed: Any) -> bytes:
        event = {"id": f"evt_{next(self._number)}", "object": "event", "type": kind, "livemode": False, "data": {"object": page | changed}}
        body = json.dumps(event).encode()
        if send and self.webhook:
            threading.Thread(target=self._deliver, args=(body,), daemon=True).start()
        elif send:
            self.outbox.append(body)
        return body

    def _deliver(self, body: bytes) -> None:
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signed(body)}
        urllib.request.urlopen(urllib.request.Request(self.webhook, body, headers), timeout=10).close()

    # ---- the API

    def answer(self, method: str, path: str, fields: dict[str, str], key: str) -> dict[str, Any]:
        with self._lock:
            asked = json.dumps([method, path, fields], sort_keys=True)
            if key and key in self._answers:
                former, answer = self._answers[key]
                if former != asked:
                    raise Refused(400, "idempotency_key_in_use", "idempotency_error")
                return answer
            answer = self._carry_out(method, path.split("/")[2:], fields)
            if key:
                self._answers[key] = (asked, answer)
            return answer

    def _carry_out(self, method: str, path: list[str], fields: dict[str, str]) -> dict[str, Any]:
        match method, path:
            case "POST", ["checkout", "sessions"]:
                return self._open(fields)
            case "GET", ["checkout", "sessions", page_id] if page_id in self.pages:
                return self.pages[page_id]
            case "POST", ["checkout", "sessions", page_id, "expire"] if page_id in self.pages:
                if self.pages[page_id]["status"] != "open":
                    raise Refused(400, "session_not_open")
                self.pages[page_id]["status"] = "expired"
                self.tell("checkout.session.expired", self.pages[page_id])
                return self.pages[page_id]
            case "POST", ["refunds"]:
                return self._refund(fields)
        raise Refused(404, "resource_missing")

    def _open(self, fields: dict[str, str]) -> dict[str, Any]:
        if int(fields["expires_at"]) < time.time() + SHORTEST:
            raise Refused(400, "expires_at_too_soon")
        page_id = f"cs_test_{next(self._number)}"
        self.pages[page_id] = {
            "id": page_id, "object": "checkout.session", "mode": fields["mode"], "livemode": False, "status": "open", "payment_status": "unpaid",
            "client_reference_id": fields["client_reference_id"], "payment_intent": None, "url": f"{self.url}/pay/{page_id}",
            "amount_total": int(fields["line_items[0][price_data][unit_amount]"]) * int(fields["line_items[0][quantity]"]),
            "currency": fields["line_items[0][price_data][currency]"], "success_url": fields["success_url"], "cancel_url": fields["cancel_url"],
            "expires_at": int(fields["expires_at"]), "metadata": {name[9:-1]: value for name, value in fields.items() if name.startswith("metadata[")},
        }  # fmt: skip
        # What is answered, and kept under the key, is the page as it was then.
        return dict(self.pages[page_id])

    def _refund(self, fields: dict[str, str]) -> dict[str, Any]:
        charge, amount = fields["payment_intent"], int(fields["amount"])
        paid = sum(page["amount_total"] for page in self.pages.values() if page["payment_intent"] == charge)
        if amount > paid - sum(one["amount"] for one in self.refunds.values() if one["payment_intent"] == charge):
            raise Refused(400, "charge_already_refunded")
        refund = {"id": f"re_{next(self._number)}", "object": "refund", "amount": amount, "payment_intent": charge, "status": "succeeded"}
        self.refunds[refund["id"]] = refund
        return refund

    def page_html(self, page: dict[str, Any], note: str = "") -> str:
        amount = f"{page['currency'].upper()} {page['amount_total'] / 100:.2f}"
        return (
            '<!doctype html><html lang="en"><title>Pay</title><link rel="icon" href="data:,"><main><h1>Pay ' + html.escape(amount) + "</h1>"
            f'<p role="status">{html.escape(note)}</p><form method="post"><button name="act" value="pay">Pay now</button>'
            f'<button name="act" value="decline">Pay with a card that is declined</button></form>'
            f'<a href="{html.escape(page["cancel_url"])}">Back to the shop</a></main>'
        )

    def _handler(fake) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: Any) -> None: ...

            def do_GET(self) -> None:
                self._any("GET")

            def do_POST(self) -> None:
                self._any("POST")

            def _any(self, method: str) -> None:
                path = urlsplit(self.path).path
                fields = dict(parse_qsl(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(), keep_blank_values=True))
                if path.startswith("/pay/"):
                    return self._page(method, fake.pages[path[5:]], fields.get("act"))
                fake.requests.append((method, path))
                if self.headers["Authorization"] != f"Bearer {KEY}":
                    return self._send(401, {"error": {"type": "invalid_request_error", "message": "bad key"}})
                if fake.down:
                    return self._send(503, {"error": {"type": "api_error", "message": "down"}})
                time.sleep(fake.slow)
                try:
                    answer = fake.answer(method, path, fields, self.headers.get("Idempotency-Key", ""))
                except Refused as refused:
                    return self._send(refused.status, refused.error)
                if fake.lose_answers:
                    self.close_connection = True
                    return self.connection.close()
                self._send(200, answer)

            def _page(self, method: str, page: dict[str, Any], act: str | None) -> None:
                if method == "POST" and act == "pay" and page["status"] == "open":
                    fake.pay(page["id"])
                    self.send_response(303)
                    self.send_header("Location", page["success_url"])
                    self.end_headers()
                    return
                note = "Your card was declined." if act == "decline" else ""
                self._send(200, fake.page_html(page, note).encode(), "text/html; charset=utf-8")

            def _send(self, status: int, content: Any, kind: str = "application/json") -> None:
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(BrokenPipeError):  # whoever asked waited no longer
                    self.wfile.write(body)

        return Handler

    @contextmanager
    def running(self) -> Iterator[FakeStripe]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
