"""Integer money: amounts are whole numbers of the currency's smallest unit ("minor"), rates are basis points (1/10,000)."""

from __future__ import annotations

from collections.abc import Sequence

from .config import CURRENCIES


def rounded(numerator: int, denominator: int) -> int:
    """numerator / denominator, halves away from zero, as invoices round."""
    sign = -1 if (numerator < 0) != (denominator < 0) else 1
    numerator, denominator = abs(numerator), abs(denominator)
    return sign * ((2 * numerator + denominator) // (2 * denominator))


def tax_within(gross_minor: int, rate_bp: int) -> int:
    """The tax that a price with tax contains."""
    return rounded(gross_minor * rate_bp, 10_000 + rate_bp)


def tax_on(net_minor: int, rate_bp: int) -> int:
    """The tax that comes on top of a price without tax."""
    return rounded(net_minor * rate_bp, 10_000)


def split(total_minor: int, weights: Sequence[int]) -> list[int]:
    """Split a total in proportion to weights; the parts always sum to it (largest remainder, earlier parts first)."""
    whole = sum(weights)
    if whole == 0:
        return [0 for _ in weights]
    parts = [total_minor * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total_minor * weights[i] % whole), i))
    for i in by_remainder[: total_minor - sum(parts)]:
        parts[i] += 1
    return parts


def decimal(amount_minor: int, currency: str) -> str:
    """`42.10`, with as many digits as the currency has; parse() reads it back."""
    digits = CURRENCIES[currency]
    sign, amount = ("-" if amount_minor < 0 else ""), abs(amount_minor)
    return f"{sign}{amount // 10**digits}.{amount % 10**digits:0{digits}d}" if digits else f"{sign}{amount}"


def in_words(amount_minor: int, currency: str) -> str:
    """For mails and messages: `EUR 42.10`."""
    return f"{currency} {decimal(amount_minor, currency)}"


def parse(text: str, currency: str) -> int:
    """`12.50` → 1250. Raises ValueError for anything but a plain decimal number with no more digits than the currency has."""
    whole, _, part = text.strip().partition(".")
    digits = CURRENCIES[currency]
    if not (whole.isascii() and whole.isdigit()) or (part and not (part.isascii() and part.isdigit())) or len(part.rstrip("0")) > digits:
        raise ValueError(f"{text!r} is not an amount")
    scale: int = 10**digits
    return int(whole) * scale + int(part.rstrip("0").ljust(digits, "0") or 0)
