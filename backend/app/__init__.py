"""FlaskCart: an online shop. create_app() puts the house together; server.py serves it."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import mysql.connector
import orjson
from flask import Flask
from flask_cors import CORS

from . import db, http, openapi, security
from .config import Settings
from .db import Address
from .pages import Site
from .routes import accounts, admin, cart, catalogue, checkout, mailbox, operations, orders, pages
from .services import settings as shop_settings


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
    """Everything goes to var/logs/shop.jsonl; warnings and worse are also said on standard error."""
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
    if not mysql.connector.HAVE_CEXT:
        logger.warning("The database driver's C extension did not load: everything works, at twice the cost.")


def create_app(settings: Settings, address: Address) -> Flask:
    """The WSGI application for one process. The database must have its schema; nothing is connected before the first request."""
    start_logging(settings)
    security.use_key(settings.secret_key)
    db.open(address, size=settings.threads + 1)
    app = Flask(__name__, static_folder=None)
    app.config["SHOP"] = settings
    app.url_map.strict_slashes = False
    app.extensions["site"] = Site()
    http.install(app, settings)
    if settings.cors_origins:
        CORS(app, resources={"/api/*": {}}, origins=list(settings.cors_origins), supports_credentials=True, vary_header=True)
    for module in (accounts, admin, cart, catalogue, checkout, operations, orders, pages):
        app.register_blueprint(module.bp)
    if settings.development_mailbox:
        app.register_blueprint(mailbox.bp)
    _describe(app)
    return app


def _describe(app: Flask) -> None:
    @app.get("/api/v1/openapi.json")
    @http.anyone(shared=True)
    def openapi_document() -> dict[str, object]:
        """This description."""
        return openapi.describe(app, str(shop_settings.public()["name"]))
