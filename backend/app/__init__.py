"""FlaskCart: an online shop. create_app() puts the house together; server.py serves it."""

from __future__ import annotations

import importlib
import logging
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from werkzeug.routing import Rule

from .logs import start_logging
from .origins import origin_variants

# The database's driver would load this library for addresses of a kind that nobody here gives, for a tenth of what all imports take.
sys.modules["dns"] = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from flask import Flask

    from .config import Settings
    from .db import Address

ROUTES = (
    "accounts",
    "admin",
    "admin_orders",
    "articles",
    "backups",
    "cart",
    "cart_reminders",
    "categories",
    "catalogue",
    "checkout",
    "contact",
    "dashboard",
    "devices",
    "discovery",
    "events",
    "exports",
    "gift_cards",
    "imports",
    "inventory",
    "jobs",
    "mails",
    "me",
    "newsletters",
    "operations",
    "orders",
    "pages",
    "payments",
    "products",
    "promotions",
    "recommendations",
    "reviews",
    "settings",
    "support",
    "users",
    "wishlist",
)


class OneWay(Rule):
    """A way to a route, and not back: nobody asks for a route's address, and to prepare for that takes most of putting the app together."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return _no_way_back


def _no_way_back(*_: Any) -> tuple[str, str]:
    raise RuntimeError("Addresses are written out here: url_for() finds none.")


def create_app(settings: Settings, address: Address) -> Flask:
    """The WSGI application for one process. The database must have its schema; nothing is connected before the first request."""
    # Imported here, so that the supervisor and the command line, which need this package but no app, start at once.
    import mysql.connector
    from flask import Flask
    from flask_cors import CORS

    from . import counts, db, http, pages, security
    from .services import bell, discovery, payments

    start_logging(settings)
    if not mysql.connector.HAVE_CEXT:
        logging.getLogger("shop").warning("The database driver's C extension did not load: everything works, at twice the cost.")
    security.use_key(settings.secret_key)
    security.limit_hashing(settings.threads)
    # One for each worker thread, one for the thread that watches the catalog version, one spare.
    db.open(address, size=settings.threads + 2, statement_timeout=db.WEB_TIMEOUT)
    bell.use(settings.var)
    counts.use(settings.var)
    discovery.use(settings.var / "search")
    payments.use(settings)
    app = Flask(__name__, static_folder=None)
    app.config["SHOP"] = settings
    app.url_map.strict_slashes = False
    app.url_rule_class = OneWay
    app.extensions["site"] = pages.site()
    http.install(app, settings)
    if settings.cors_origins:
        # Compiled, since the library takes a string with brackets (an IPv6 address) for a pattern.
        variants = [variant for origin in settings.cors_origins for variant in origin_variants(origin)]
        CORS(
            app,
            resources={"/api/*": {}},
            origins=[re.compile(re.escape(variant) + r"\Z") for variant in variants],
            supports_credentials=True,
            vary_header=False,
        )
    for name in ROUTES + (("mailbox",) if settings.development_mailbox else ()):
        app.register_blueprint(importlib.import_module(f".routes.{name}", __package__).bp)
    return app
