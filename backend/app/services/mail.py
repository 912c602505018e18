"""The outbox: whoever must tell somebody something writes a row in his own transaction, and the job runner sends it.

At least once: a worker that dies between a mail server's yes and its own note sends the mail again, under the same Message-ID.
Without MAIL_HOST each mail becomes a file in SHOP_VAR/mail.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import re
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import orjson
from email_validator import EmailNotValidError, validate_email
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from typing_extensions import TypedDict

from .. import counts, db, security
from ..config import Settings
from ..db import Row, Tx, q
from ..errors import Invalid, NotFound
from . import bell
from . import settings as choices

log = logging.getLogger("shop.mail")

FOLDER = Path(__file__).resolve().parents[1] / "mails"
BASES = {"layout", "code", "order"}
TEMPLATES = frozenset(path.stem for path in FOLDER.glob("*.txt")) - BASES

BATCH = 50
LEASE_SECONDS = 300  # longer than any server may keep us waiting for one mail
TIMEOUT = 10.0  # seconds for each word of a mail server
FIRST_PAUSE, LONGEST_PAUSE = 15, 1800  # seconds between tries
DAYS = 2  # after which a mail that nobody takes has failed


def enqueue(
    tx: Tx, template: str, to: str, data: dict[str, Any], *, order_id: int | None = None, user_id: int | None = None, invoice_id: int | None = None
) -> None:
    """Put a mail into the outbox, within the transaction of what it tells about.

    `user_id` says whose it is when it goes to another address than the account's; the document `invoice_id` goes with it.
    """
    if template not in TEMPLATES:
        raise KeyError(template)
    if not to.isprintable():
        raise Invalid(email="Enter an e-mail address like name@example.com.")
    kept = orjson.dumps(data).decode()
    about = {"order_id": order_id, "user_id": user_id, "invoice_id": invoice_id}
    q.mail.add(tx, message_id=security.new_token(), template=template, recipient=to, data=kept, **about)
    bell.ring(tx)


@dataclass(frozen=True)
class Letter:
    """One of many mails that are written at once."""

    to: str
    data: dict[str, Any]
    user_id: int | None


def enqueue_all(tx: Tx, template: str, letters: list[Letter]) -> list[int]:
    """Put mails into the outbox in two statements, however many they are; gives their ids, in the same order."""
    if template not in TEMPLATES:
        raise KeyError(template)
    names = [security.new_token() for _ in letters]
    made = [[name, one.to, orjson.dumps(one.data).decode(), one.user_id or 0] for name, one in zip(names, letters, strict=True)]
    q.mail.add_all(tx, template=template, mails=orjson.dumps(made).decode())
    ids = {row["message_id"]: row["id"] for row in q.mail.list_added(tx, message_ids=names)}
    bell.ring(tx)
    return [ids[name] for name in names]


def any_due() -> bool:
    """Whether a mail waits to be sent now."""
    with db.reading() as tx:
        return bool(q.mail.list_due(tx, most=1))


def deliver_due(settings: Settings) -> int:
    """Send what is due, one mail after the other; gives the number of mails sent. What cannot be sent is tried again later."""
    with db.reading() as tx:
        due = [row["id"] for row in q.mail.list_due(tx, most=BATCH)]
    sent, gone = 0, None
    with _carrier(settings) as carrier:
        for mail_id in [*due, None]:
            taken, gone = db.transaction(_go_on, gone, mail_id), None
            if not taken or mail_id is None:
                continue
            try:
                _send(mail_id, settings, carrier)
            except _NoConnection as error:
                # The others would fail alike, each after the same wait; they stay due.
                db.transaction(_put_off, mail_id, str(error))
                break
            except OSError as error:
                log.warning("mail not sent", extra={"mail": mail_id, "error": type(error).__name__})
                db.transaction(_put_off, mail_id, _words(error))
                continue
            except Exception as error:
                # One mail that cannot be made must not keep the others waiting.
                log.exception("mail not made", extra={"mail": mail_id})
                db.transaction(_put_off, mail_id, _words(error))
                continue
            gone = mail_id
            sent += 1
    return sent


def _go_on(tx: Tx, gone: int | None, following: int | None) -> bool:
    """Note that one mail went out and take the next one, together, so that the disk is waited for once a mail; gives whether it was to be had."""
    if gone is not None:
        _note_sent(tx, gone)
    return following is not None and bool(q.mail.lease(tx, id=following, seconds=LEASE_SECONDS))


def _note_sent(tx: Tx, mail_id: int) -> None:
    q.mail.note_sent(tx, id=mail_id)
    tx.after_commit.append(lambda: counts.add("mail sent"))


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _put_off(tx: Tx, mail_id: int, reason: str) -> None:
    row = q.mail.get(tx, id=mail_id, days=DAYS)
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(row["attempts"] - 1, 12))
    status = "failed" if row["last_chance"] else "queued"
    q.mail.put_off(tx, id=mail_id, status=status, error=reason[:500], seconds=pause)
    tx.after_commit.append(lambda: counts.add(f"mail {'given_up' if status == 'failed' else 'put_off'}"))


def _send(mail_id: int, settings: Settings, carrier: _Carrier) -> None:
    with db.reading() as tx:
        row = q.mail.get(tx, id=mail_id, days=DAYS)
        shop = choices.shop(tx)
    carrier.take(compose(row, settings, shop), row)


# ---------------------------------------------------------------- what a mail says


class _Wire(policy.EmailPolicy):
    """As SMTP wants it. An address to unsubscribe at stays in one piece: folded or encoded, as Python does it, few mail programs can read it."""

    def fold(self, name: str, value: Any) -> str:
        return f"{name}: {value}{self.linesep}" if name == "List-Unsubscribe" else str(super().fold(name, value))

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("ascii") if name == "List-Unsubscribe" else bytes(super().fold_binary(name, value))


WIRE = _Wire(linesep="\r\n")


@dataclass(frozen=True)
class Rendered:
    subject: str
    text: str
    html: str


def _environment(autoescape: bool) -> Environment:
    return Environment(loader=FileSystemLoader(FOLDER), autoescape=autoescape, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


_text, _html = _environment(False), _environment(True)


# Text that anyone can type and that goes to an unverified address: the name and
# the address of an order, the subject and the text of a message to the shop.
TYPED_FIELDS = ("name", "address", "subject_line", "asked")
# Emails whose fields of these names the owner wrote, or must read exactly as they were written.
TEMPLATES_WITH_LINKS = {"newsletter", "owner_new_message"}
# Mail programs turn `example.com`, `https:…` and `a@b` into links, also with the dots of other
# scripts. A space after the character that makes the link breaks it everywhere.
_LINK_MAKERS = re.compile(
    r"""[.\u2024\u3002\ufe52\uff0e\uff61](?=[^\s.,;:!?)\]"'])"""  # a dot within a word
    r"""|[@\uff20](?=\S)"""
    r"""|(?<=[^\W\d_]):(?=\S)"""  # the colon of a scheme
)


def without_links(text: str) -> str:
    """The text, changed so that no mail program makes a link of any part of it."""
    return _LINK_MAKERS.sub(lambda found: f"{found.group()} ", text)


def _without_typed_links(template: str, data: dict[str, Any]) -> dict[str, Any]:
    if template in TEMPLATES_WITH_LINKS:
        return data
    return data | {name: _broken_up(data[name]) for name in TYPED_FIELDS if name in data}


def _broken_up(value: Any) -> Any:
    if isinstance(value, list):
        return [_broken_up(one) for one in value]
    return without_links(value) if isinstance(value, str) else value


def render(template: str, data: dict[str, Any], shop: dict[str, Any]) -> Rendered:
    """The mail's words. `shop` holds name, url and seller."""
    values = {**_without_typed_links(template, data), "shop": shop}
    plain = _text.get_template(f"{template}.txt")
    subject = one_line(_block(plain, "subject", values))
    values["subject"] = subject
    return Rendered(subject, plain.render(values).strip() + "\n", _html.get_template(f"{template}.html").render(values))


def _block(template: Template, name: str, values: dict[str, Any]) -> str:
    return "".join(template.blocks[name](template.new_context(values)))


def one_line(text: str) -> str:
    """The text without line breaks and other controls: nothing that stands in a header may begin another one."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def compose(row: Row, settings: Settings, shop: dict[str, Any]) -> EmailMessage:
    """The mail as it goes out. Links lead to SHOP_URL, never to what a request called the shop."""
    data = orjson.loads(row["data"])
    rendered = render(row["template"], data, {"name": shop["name"], "url": settings.url, "seller": shop["seller"]})
    domain = _domain(settings)
    name, sender = parseaddr(settings.mail_from)
    message = EmailMessage(policy=WIRE)
    message["Message-ID"] = f"<{row['message_id']}@{domain}>"
    message["Date"] = format_datetime(row["created_at"].replace(tzinfo=UTC))
    message["From"] = _mailbox(name or shop["name"], sender or f"no-reply@{domain}")
    message["To"] = _mailbox("", row["recipient"])
    if data.get("reply_to"):
        message["Reply-To"] = _mailbox("", data["reply_to"])
    elif shop["seller"]["email"]:
        message["Reply-To"] = _mailbox(shop["name"], shop["seller"]["email"])
    message["Subject"] = rendered.subject
    message["Auto-Submitted"] = "auto-generated"
    if data.get("one_click"):
        # Mail programs offer a button of their own, which asks this address and nobody else (RFC 8058).
        message["List-Unsubscribe"] = f"<{settings.url}{data['one_click']}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(rendered.text, cte="quoted-printable")
    message.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    if row.get("document"):
        message.add_attachment(row["document"], maintype="application", subtype="pdf", filename=f"{row['document_kind']}-{row['document_number']}.pdf")
    return message


def _domain(settings: Settings) -> str:
    host = urlsplit(settings.url).hostname or "localhost"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.encode("idna").decode()
    return "localhost"


def _mailbox(name: str, address: str) -> Address:
    """Who it is, with an ASCII domain, which every mail server takes."""
    with contextlib.suppress(EmailNotValidError):
        address = validate_email(address, check_deliverability=False, test_environment=True).ascii_email or address
    local, _, domain = address.rpartition("@")
    return Address(one_line(name), local, domain)


# ---------------------------------------------------------------- how it gets there


class _NoConnection(Exception):
    """The mail server cannot be spoken to at all."""


class _Carrier(Protocol):
    def take(self, message: EmailMessage, row: Row) -> None:
        """Returns once somebody else answers for the mail; raises otherwise."""

    def close(self) -> None: ...


@contextlib.contextmanager
def _carrier(settings: Settings) -> Iterator[_Carrier]:
    carrier: _Carrier = _Server(settings) if settings.mail_host else _Files(settings.var / "mail")
    try:
        yield carrier
    finally:
        carrier.close()


class _Files:
    """One file a mail. Its name comes from the mail alone, so that a second delivery replaces the first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, message: EmailMessage, row: Row) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{row['created_at']:%Y%m%dT%H%M%S}-{row['id']}-{row['template']}.eml"
        draft = path.with_suffix(".part")
        # The files hold codes and orders' links.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_bytes_of(message))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        log.info("mail written", extra={"mail": row["id"], "path": str(path)})

    def close(self) -> None:
        return


def _bytes_of(message: EmailMessage) -> bytes:
    international = any(not str(message[name]).isascii() for name in ("To", "From"))
    return message.as_bytes(policy=WIRE.clone(utf8=international))


class WrittenMail(TypedDict):
    """A mail as it lies in the folder."""

    name: str
    subject: str
    to: str
    sent_at: str
    text: str
    html: str


def list_written(var: Path, *, most: int = 200) -> list[WrittenMail]:
    """The mails that became files, newest first."""
    newest = sorted((var / "mail").glob("*.eml"), key=_age, reverse=True)[:most]
    return [_read(path) for path in newest]


def _age(path: Path) -> tuple[str, int]:
    time, number, _ = path.name.split("-", 2)
    return time, int(number)


def read_written(var: Path, name: str) -> WrittenMail:
    """One of them. Raises NotFound."""
    path = var / "mail" / name
    if not re.fullmatch(r"[0-9T]+-[0-9]+-[a-z_]+\.eml", name) or not path.is_file():
        raise NotFound("There is no such mail.")
    return _read(path)


def delete_written(var: Path, mail_ids: set[int]) -> None:
    """Remove the files that these mails became."""
    for path in (var / "mail").glob("*.eml") if mail_ids else ():
        if _age(path)[1] in mail_ids:
            path.unlink(missing_ok=True)


def _read(path: Path) -> WrittenMail:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    parts = {part.get_content_type(): str(part.get_content()) for part in message.walk() if part.get_content_maintype() == "text"}
    return {
        "name": path.name,
        "subject": str(message["Subject"]),
        "to": str(message["To"]),
        "sent_at": str(message["Date"]),
        "text": parts.get("text/plain", ""),
        "html": parts.get("text/html", ""),
    }


class _Server:
    """A mail server, spoken to when the first mail is there and kept for the others."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._line: smtplib.SMTP | None = None

    def take(self, message: EmailMessage, row: Row) -> None:
        if self._line is None:
            try:
                self._line = self._connect()
            except (OSError, ValueError) as error:
                log.warning("no connection to the mail server", extra={"error": type(error).__name__})
                raise _NoConnection(_words(error)) from error
        try:
            self._line.send_message(message)
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused):
            # This mail is refused; the line is as good as before.
            raise
        except OSError:
            self.close()
            raise
        log.info("mail sent", extra={"mail": row["id"]})

    def _connect(self) -> smtplib.SMTP:
        settings, name = self.settings, _domain(self.settings)
        where = (settings.mail_host, settings.mail_port, name, TIMEOUT)
        if settings.mail_tls == "tls":
            host, port, name, timeout = where
            line: smtplib.SMTP = smtplib.SMTP_SSL(host, port, name, timeout=timeout, context=ssl.create_default_context())
        else:
            line = smtplib.SMTP(*where)
        try:
            if settings.mail_tls == "starttls":
                line.starttls(context=ssl.create_default_context())
            if settings.mail_user:
                line.login(settings.mail_user, settings.mail_password)
        except BaseException:
            line.close()
            raise
        return line

    def close(self) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        try:
            line.quit()
        except OSError:
            line.close()
