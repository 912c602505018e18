"""FlaskCart: an online shop. create_app() puts the house together; server.py serves it."""

from __future__ import annotations

import importlib
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from flask import Flask

    from .config import Settings
    from .db import Address

ROUTES = (
    "accounts",
    "admin",
    "admin_orders",
    "cart",
    "categories",
    "catalogue",
    "checkout",
    "devices",
    "discovery",
    "events",
    "gift_cards",
    "imports",
    "inventory",
    "jobs",
    "mails",
    "me",
    "operations",
    "orders",
    "pages",
    "payments",
    "products",
    "promotions",
    "recommendations",
    "reviews",
    "settings",
    "users",
    "wishlist",
)


class JsonLines(logging.Formatter):
    """One JSON object a line; line breaks within are escaped, so no input can forge a line."""

    STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        line = {"at": datetime.fromtimestamp(record.created, UTC), "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        line |= {name: value for name, value in vars(record).items() if name not in self.STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z).decode()


def start_logging(settings: Settings) -> None:
    """Everything goes to var/logs/shop.jsonl, events to events.jsonl beside it; warnings and worse are also said on standard error."""
    # Nobody reads from which line, thread or process of the shop a line came, and to find that out takes most of the time of a ready answer.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    folder = settings.var / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    to_file = logging.FileHandler(folder / "shop.jsonl", encoding="utf-8")
    to_file.setFormatter(JsonLines())
    to_screen = logging.StreamHandler(sys.stderr)
    to_screen.setLevel(logging.WARNING)
    logger = logging.getLogger("shop")
    logger.handlers[:] = [to_file, to_screen]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    happened = logging.FileHandler(folder / "events.jsonl", encoding="utf-8")
    happened.setFormatter(JsonLines())
    events = logging.getLogger("shop.events")
    events.handlers[:] = [happened]
    events.propagate = False


def create_app(settings: Settings, address: Address) -> Flask:
    """The WSGI application for one process. The database must have its schema; nothing is connected before the first request."""
    # Imported here, so that the supervisor and the command line, which need this package but no app, start at once.
    import mysql.connector
    from flask import Flask
    from flask_cors import CORS

    from . import db, http, security
    from .pages import Site
    from .services import bell, discovery, payments

    start_logging(settings)
    if not mysql.connector.HAVE_CEXT:
        logging.getLogger("shop").warning("The database driver's C extension did not load: everything works, at twice the cost.")
    security.use_key(settings.secret_key)
    db.open(address, size=settings.threads + 1)
    bell.use(settings.var)
    discovery.use(settings.var / "search")
    payments.use(settings)
    app = Flask(__name__, static_folder=None)
    app.config["SHOP"] = settings
    app.url_map.strict_slashes = False
    app.extensions["site"] = Site()
    http.install(app, settings)
    if settings.cors_origins:
        CORS(app, resources={"/api/*": {}}, origins=list(settings.cors_origins), supports_credentials=True, vary_header=False)
    for name in ROUTES + (("mailbox",) if settings.development_mailbox else ()):
        app.register_blueprint(importlib.import_module(f".routes.{name}", __package__).bp)
    return app
