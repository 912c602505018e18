from __future__ import annotations

from typing import Annotated

from flask import Blueprint
from pydantic import AfterValidator, Field, StringConstraints, model_validator
from typing_extensions import TypedDict

from .. import http, step_up
from ..http import Body, Email, Line, Secret, Username, anyone, signed_in
from ..services import accounts, cart, sessions, tokens, wishlist
from ..services.accounts import Challenge
from ..services.cart import Buyer
from ..services.sessions import Account
from ..services.tokens import AccessToken

bp = Blueprint("accounts", __name__, url_prefix="/api/v1/auth")


def _digits(value: str) -> str:
    code = "".join(value.split())
    if not (code.isascii() and code.isdigit() and 6 <= len(code) <= 8):
        raise ValueError("Enter the digits from the mail.")
    return code


Code = Annotated[str, StringConstraints(max_length=32), AfterValidator(_digits)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class SignUp(Body):
    username: Username
    email: Email
    password: Secret


class Confirmation(Body):
    challenge: Token
    otp: Code


class Again(Body):
    challenge: Token


class SignIn(Body):
    identifier: Line = Field(min_length=1, max_length=254)
    password: Secret
    # Six digits of an app, or a recovery code.
    totp: Line = Field("", max_length=32)


class Proof(Body):
    password: Secret | None = None
    totp: Line | None = Field(None, min_length=1, max_length=32)

    @model_validator(mode="after")
    def _one_of_two(self) -> Proof:
        if (self.password is None) == (self.totp is None):
            raise ValueError("Give either password or totp.")
        return self


class Forgotten(Body):
    email: Email


class NewPassword(Body):
    challenge: Token
    otp: Code
    new_password: Secret


class Welcome(TypedDict):
    user: Account | None
    notices: list[str]


class Session(TypedDict):
    user: Account | None
    totp: bool
    cart_count: int
    wishlist: list[int]


def _begin(user_id: int, *, greeted: bool = False, password_hash: str | None = None) -> Welcome:
    """A new session for the user, with what the guest had put into the cart and wished for."""
    notices = cart.merge_guest(http.guest_token(), user_id)
    wishlist.merge_guest(http.guest_token(), user_id)
    http.begin_session(user_id, greeted=greeted, password_hash=password_hash)
    return {"user": http.current_account(), "notices": notices + sessions.notices_of_sign_in(user_id)}


@bp.post("/register")
@anyone(status=202, limit="codes")
def register(body: SignUp) -> Challenge:
    """Begin a sign-up: a code goes to the address. The answer is the same whether or not the address has an account."""
    return accounts.register(body.username, body.email, body.password, limited=http.limited())


@bp.post("/verify")
@anyone(status=201, problems=(409,))
def verify(body: Confirmation) -> Welcome:
    """Finish a sign-up with the code from the mail; the new account is signed in."""
    return _begin(accounts.verify(body.challenge, body.otp), greeted=True)


@bp.post("/resend")
@anyone(status=202, limit="codes")
def resend(body: Again) -> Challenge:
    """Mail another code for the same challenge. Former codes stay good."""
    accounts.resend(body.challenge, limited=http.limited())
    return {"challenge": body.challenge}


@bp.post("/login")
@anyone(problems=(401,), limit="sign_in_address")
def login(body: SignIn) -> Welcome:
    """Sign in with username or e-mail address, and a code where two-step sign-in is on. A guest's cart comes along."""
    user_id, password_hash = accounts.sign_in(body.identifier, body.password, http.visitor(), totp_code=body.totp)
    return _begin(user_id, password_hash=password_hash)


@bp.post("/token")
@anyone(problems=(401,), limit="sign_in_address")
def issue_token(body: SignIn) -> AccessToken:
    """An access token for scripts, to be sent as `Authorization: Bearer`. It is good for 15 minutes, and listed among the devices."""
    visitor = http.visitor()
    return tokens.issue(accounts.sign_in(body.identifier, body.password, visitor, totp_code=body.totp), visitor)


@bp.post("/step-up")
@signed_in(status=204, limit="proof")
def authenticate_again(body: Proof) -> None:
    """Authenticate again: with two-step sign-in on by a code, else by the password. It counts for ten minutes; the session gets a new id."""
    step_up.perform(password=body.password, code=body.totp)


@bp.post("/logout")
@anyone(status=204)
def logout() -> None:
    """End this session."""
    http.end_session()


@bp.get("/session")
@anyone
def session() -> Session:
    """Who is signed in, with two-step sign-in or without, and how much the cart holds."""
    buyer = Buyer(http.user_id(), http.guest_token())
    user = http.current_account()
    return {
        "user": user,
        "totp": user is not None and step_up.has_second_factor(),
        "cart_count": cart.count(buyer.user_id, buyer.guest_token),
        "wishlist": wishlist.ids_of(buyer),
    }


@bp.post("/forgot")
@anyone(status=202, limit="codes")
def forgot(body: Forgotten) -> Challenge:
    """Ask for a new password: a code goes to the address if it has an account. The answer is the same if not."""
    return accounts.forgot(body.email, limited=http.limited())


@bp.post("/reset")
@anyone(status=204)
def reset(body: NewPassword) -> None:
    """Set a new password with the code from the mail. Every session of the account ends."""
    accounts.reset(body.challenge, body.otp, body.new_password)
