"""What anybody types makes no link in an email to an address that nobody has verified."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, User
from hypothesis import given
from hypothesis import strategies as st
from test_mail import DATA, SHOP, Catcher, catcher, outside, parts

from app.config import Settings
from app.services import mail

__all__ = ["catcher", "outside"]

DOT = "[.\u2024\u3002\ufe52\uff0e\uff61]"
# Wider than what mail programs take for a link, and blind to characters without width.
SCHEME = "(?i:https?|ftp|mailto|tel|javascript):"
LINK = re.compile(rf"\w{DOT}\w|(?i:www){DOT}\S|{SCHEME}\S|\S[@\uff20]\S")
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
LURES = [
    "evil.example",
    "Win a prize: https://evil.example/prize?x=1",
    "http:evil.example",
    "HTTP://EVIL.EXAMPLE",
    "www.evil.example",
    "ftp://10.0.0.1/x",
    "10.0.0.1/x",
    "mail@evil.example",
    "mailto:mail",
    "evil。example",
    "evil．example",
    "evil｡example",
    "evil\u200b.\u200bexample",
    "evil.\u2060example",
    "xn--evl-2na.example",
    "ëvil.example",
    "javascript:alert(1)",
    "tel:+3212345678",
    "(evil.example)",
    '<a href="https://evil.example">prize</a>',
    "[prize](https://evil.example)",
    "evil&#46;example",
]


class Page(HTMLParser):
    """The visible text of an HTML email, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.links = "", []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        if self.lasttag != "style":
            self.text += f"{data}\n"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def has_link(text: str) -> bool:
    return bool(LINK.search(INVISIBLE.sub("", text)))


@pytest.mark.parametrize("lure", LURES)
def test_a_lure_is_a_link_before_and_none_after(lure: str) -> None:
    assert has_link(lure) or "&#46;" in lure
    assert not has_link(mail.without_links(lure))


@given(st.text("ab.w@:/\u3002\u200b\uff0e 1WÄ-_", max_size=40))
def test_no_text_whatever_is_left_with_a_link(text: str) -> None:
    assert not has_link(mail.without_links(text))


@pytest.mark.parametrize(
    "text",
    ["Alice Liddell", "J. R. Smith", "Bd. du Midi 12, bte 3", "Straße 5/7", "12:30 h", "Li (Dr.)"],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert mail.without_links(text) == text


@pytest.mark.parametrize("template", sorted(mail.TEMPLATES - mail.TEMPLATES_WITH_LINKS))
def test_no_template_shows_a_typed_text_with_its_links(template: str) -> None:
    lure = "prize at www.evil.example"
    data = DATA[template]
    typed = [name for name in mail.TYPED_FIELDS if name in data]
    planted = {name: [lure] if isinstance(data[name], list) else lure for name in typed}
    made = mail.render(template, DATA[template] | planted, SHOP)
    for part in (made.subject, made.text, made.html):
        assert "evil.example" not in part


def test_the_owner_reads_what_was_written_exactly() -> None:
    data = DATA["owner_new_message"] | {"subject_line": "evil.example"}
    assert "evil.example" in mail.render("owner_new_message", data, SHOP).text


def sent_to(catcher: Catcher, settings: Settings, email: str) -> list[EmailMessage]:
    mail.deliver_due(settings)
    return [message for message in catcher.caught if message["To"] == email]


def check(messages: list[EmailMessage]) -> None:
    assert messages
    for message in messages:
        text, html = parts(message)
        page = Page(html)
        assert "evil.example" not in str(message["Subject"]) + text + html
        assert all(link.startswith("https://shop.example") for link in page.links)
        for part in (text, page.text):
            # The shop's own address and amounts of money apart.
            typed = re.sub(r"https://shop\.example\S*|\d+\.\d\d\b", "", part)
            assert not has_link(typed), typed


@pytest.mark.parametrize("lure", LURES[:3])
def test_an_order_for_somebody_else_carries_no_link_of_its_sender(
    client: ShopClient,
    outside: Settings,
    catcher: Catcher,
    mug: Thing,
    ada: User,
    lure: str,
) -> None:
    client.add(mug.variant)
    fields = ("name", "line1", "line2", "city", "region")
    address = factories.ADDRESS | dict.fromkeys(fields, lure)
    address |= {"postcode": "evil.example", "phone": "evil.example"}
    order = client.order(email="victim@example.com", address=address, note=lure)
    factories.paid(order.json["number"])
    check(sent_to(catcher, outside, "victim@example.com"))


def test_an_answer_quotes_no_link_of_a_message_to_somebody_who_never_wrote_it(
    client: ShopClient,
    new_client: Callable[[], ShopClient],
    outside: Settings,
    catcher: Catcher,
    ada: User,
) -> None:
    lure = "See https://evil.example/prize"
    form: dict[str, Any] = {"name": lure, "email": "victim@example.com", "subject": lure}
    client.post("/api/v1/contact", json=form | {"message": f"{lure}\nwww.evil.example"})
    path = f"/api/v1/admin/messages/{factories.value('SELECT id FROM contact_messages')}/answers"
    desk = new_client().as_(ada)
    assert desk.post(path, json={"message": "What do you mean?"}).status_code == 201
    messages = sent_to(catcher, outside, "victim@example.com")
    assert len(messages) == 2
    check(messages)
