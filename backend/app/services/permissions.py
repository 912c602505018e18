"""Permissions that depend on the data at hand, beyond the access level that an endpoint declares."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Forbidden, StepUpRequired

# To create stored value: gift cards, and coupons that can pay for a whole order.
ISSUE_GIFT_CARDS = "gift_cards.issue"
ROLE_PERMISSIONS = {"admin": frozenset({ISSUE_GIFT_CARDS})}


@dataclass(frozen=True)
class Actor:
    """The account on whose behalf a service acts, as of the request that asked for it."""

    id: int
    role: str
    stepped_up: bool
    second_factor: bool = False

    def may(self, permission: str) -> bool:
        return permission in ROLE_PERMISSIONS.get(self.role, frozenset())

    def require(self, permission: str, refusal: str) -> None:
        """Raise Forbidden with these words without the permission, StepUpRequired without a recent step-up."""
        if not self.may(permission):
            raise Forbidden(refusal, code="permission_required")
        self.require_step_up()

    def require_step_up(self) -> None:
        """Raise StepUpRequired unless the account authenticated again in the last minutes."""
        if not self.stepped_up:
            raise StepUpRequired(second_factor=self.second_factor)
