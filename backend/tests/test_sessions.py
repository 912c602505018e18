from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import ShopClient
from factories import PASSWORD, User

from app import db
from app.services import sessions

PLACE = {"ip": "127.0.0.1", "user_agent": "pytest"}


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with db.reading() as tx:
        return list(tx.execute(sql, params).fetchall())


def change(sql: str, *params: Any) -> None:
    with db.reading() as tx:
        tx.execute(sql, params).close()


def let_pass(**interval: int) -> None:
    """The clock moves on for all sessions: `let_pass(HOUR=2)`."""
    ((unit, amount),) = interval.items()
    change("UPDATE sessions SET " + ", ".join(f"{column} = {column} - INTERVAL {amount} {unit}" for column in ("created_at", "seen_at", "expires_at")))


def who(client: ShopClient) -> str | None:
    user = client.get("/api/v1/auth/session").json["user"]
    return user["username"] if user else None


def cookie(client: ShopClient) -> str:
    found = client.get_cookie("session")
    assert found is not None
    return found.value


def sign_in(client: ShopClient, user: User) -> Any:
    answer = client.post("/api/v1/auth/login", json={"identifier": user.username, "password": user.password})
    assert answer.status_code == 200, answer.json
    return answer.json


def alive(user: User) -> int:
    return int(rows("SELECT COUNT(*) FROM sessions WHERE user_id = %s", user.id)[0][0])


# ---------------------------------------------------------------- what a session is


def test_the_id_in_the_cookie_is_long_random_and_hashed_at_rest(client: ShopClient, alice: User) -> None:
    sign_in(client, alice)
    assert len(cookie(client)) >= 43  # 256 bits in base64
    kept = rows("SELECT * FROM sessions")
    assert cookie(client) not in str(kept)


def test_the_cookie_is_kept_from_scripts_and_other_sites(client: ShopClient, alice: User) -> None:
    answer = client.post("/api/v1/auth/login", json={"identifier": "alice", "password": PASSWORD})
    flags = {part.strip().split("=")[0] for part in answer.headers["Set-Cookie"].split(";")}
    assert {"HttpOnly", "SameSite", "Path"} <= flags
    assert "SameSite=Lax" in answer.headers["Set-Cookie"]


def test_the_row_is_the_device(client: ShopClient, alice: User) -> None:
    client.post("/api/v1/auth/login", json={"identifier": "alice", "password": PASSWORD}, headers={"User-Agent": "Firefox " + "x" * 500})
    ((user_id, ip, agent),) = rows("SELECT user_id, ip, user_agent FROM sessions")
    assert (user_id, ip, agent[:8], len(agent)) == (alice.id, "127.0.0.1", "Firefox ", 255)


def test_one_query_finds_session_and_account(shop: object, alice: User, statements: Callable[[], int]) -> None:
    sessions.save("sid", {"user_id": alice.id}, **PLACE)
    before = statements()
    found = sessions.find("sid")
    assert found is not None
    assert (found["account"]["username"], statements() - before) == ("alice", 1)


# ---------------------------------------------------------------- how it ends


@pytest.mark.parametrize(("unused", "signed_in"), [({"DAY": 29}, True), ({"DAY": 31}, False)])
def test_a_shopper_stays_signed_in_for_thirty_idle_days(client: ShopClient, alice: User, unused: dict[str, int], signed_in: bool) -> None:
    client.as_(alice)
    let_pass(**unused)
    assert (who(client) == "alice") is signed_in


def test_use_puts_the_idle_end_off_but_not_the_absolute_one(client: ShopClient, alice: User) -> None:
    client.as_(alice)
    for _ in range(4):
        let_pass(DAY=22)
        assert who(client) == "alice"
    let_pass(DAY=3)
    assert who(client) is None


@pytest.mark.parametrize(("passed", "signed_in"), [({"MINUTE": 119}, True), ({"MINUTE": 121}, False)])
def test_staff_and_admins_are_signed_out_after_two_idle_hours(client: ShopClient, ada: User, passed: dict[str, int], signed_in: bool) -> None:
    client.as_(ada)
    let_pass(**passed)
    assert (who(client) == "ada") is signed_in


def test_staff_and_admins_are_signed_out_after_twelve_hours(client: ShopClient, ada: User) -> None:
    client.as_(ada)
    for _ in range(7):
        let_pass(MINUTE=100)
        assert who(client) == "ada"
    let_pass(MINUTE=30)
    assert who(client) is None


def test_a_change_of_role_or_state_counts_from_the_next_request_on(client: ShopClient, alice: User) -> None:
    client.as_(alice)
    change("UPDATE users SET role = 'staff' WHERE id = %s", alice.id)
    assert client.get("/api/v1/auth/session").json["user"]["role"] == "staff"
    change("UPDATE users SET status = 'deactivated' WHERE id = %s", alice.id)
    assert who(client) is None
    assert client.get("/api/v1/orders").status_code == 401


def test_a_session_that_was_ended_meanwhile_is_not_brought_back(shop: object, alice: User) -> None:
    sessions.save("sid", {"user_id": alice.id}, **PLACE)
    sessions.end("sid")
    sessions.save("sid", {"user_id": alice.id, "cart": "token"}, **PLACE, known=True)
    assert sessions.find("sid") is None
    assert alive(alice) == 0


def test_whose_a_session_is_never_changes(shop: object, alice: User, bob: User) -> None:
    sessions.save("sid", {"user_id": alice.id}, **PLACE)
    for other in ({"user_id": bob.id}, {}):
        sessions.save("sid", other, **PLACE, known=True)
    found = sessions.find("sid")
    assert found is not None
    assert found["account"]["username"] == "alice"


def test_a_closed_account_gets_no_new_session(shop: object, alice: User) -> None:
    change("UPDATE users SET status = 'deactivated' WHERE id = %s", alice.id)
    sessions.save("sid", {"user_id": alice.id}, **PLACE)
    assert alive(alice) == 0


def test_what_ended_by_time_is_removed(shop: object, alice: User) -> None:
    for number in range(3):
        sessions.save(f"guest {number}", {"cart": "token"}, **PLACE)
    let_pass(DAY=91)
    sessions.save("sid", {"user_id": alice.id}, **PLACE)
    assert sessions.delete_expired() == 3
    assert rows("SELECT user_id FROM sessions") == [(alice.id,)]


# ---------------------------------------------------------------- at most three devices


def test_a_fourth_sign_in_ends_the_oldest_and_says_so(new_client: Callable[[], ShopClient], alice: User) -> None:
    browsers = [new_client() for _ in range(4)]
    notices = [sign_in(browser, alice)["notices"] for browser in browsers]
    assert [bool(one) for one in notices] == [False, False, False, True]
    assert [who(browser) for browser in browsers] == [None, "alice", "alice", "alice"]


def test_signing_in_again_in_the_same_browser_ends_no_other_device(new_client: Callable[[], ShopClient], alice: User) -> None:
    browsers = [new_client() for _ in range(3)]
    for browser in [*browsers, browsers[2]]:
        last = sign_in(browser, alice)
    assert last["notices"] == []
    assert [who(browser) for browser in browsers] == ["alice"] * 3


def test_of_many_parallel_sign_ins_three_stay(shop: object, alice: User, bob: User) -> None:
    sessions.save("bob", {"user_id": bob.id}, **PLACE)
    gate = threading.Barrier(12)

    def arrive(number: int) -> None:
        gate.wait()
        sessions.save(f"sid {number}", {"user_id": alice.id}, **PLACE)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(arrive, range(12)))
    assert (alive(alice), alive(bob)) == (3, 1)


def test_four_parallel_sign_ins_leave_three_browsers_signed_in(new_client: Callable[[], ShopClient], alice: User) -> None:
    browsers = [new_client() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda browser: sign_in(browser, alice), browsers))
    assert sorted(str(who(browser)) for browser in browsers) == ["None", "alice", "alice", "alice"]
