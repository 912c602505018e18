"""Findings as a picture: bars that should reach their goal, bars that should stay below it, and lines. Plain SVG that reads in light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from .measure import Finding, number

WIDTH, LEFT, ROW, PAD = 960, 330, 24, 24
BAR = 300  # px from nothing to the end of a bar that is cut off
LONGEST = 1.5  # of its goal; longer bars are cut off there
PLOT = 150  # px, the height of lines
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.head { font-weight: 600; font-size: 15px } .small { font-size: 11.5px; fill: #57606a } .paper { fill: #fff }
.good { fill: #2f8f6b } .bad { fill: #d1782b } .rule { stroke: #d0d7de } .goal { stroke: #24292f; stroke-dasharray: 3 3 } .line { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9aa4af } .paper { fill: #0d1117 } .rule { stroke: #30363d } .goal { stroke: #e6edf3 } .good { fill: #3fb68b }
}
"""
COLOURS = ("#2f8f6b", "#3b76c4", "#b5508a", "#d1782b", "#7a6ad8", "#6b8f2f")


@dataclass(frozen=True)
class Lines:
    """Figures at some places, one line for each name; `places` are what stands under them."""

    title: str
    unit: str
    places: list[str]
    named: dict[str, list[float]]


def draw(title: str, findings: Iterable[Finding], lines: Iterable[Lines] = ()) -> str:
    """All that has a goal, and the lines below. Gives the text of an SVG file."""
    judged = [one for one in findings if one.goal is not None]
    parts: list[str] = [_text(PAD, 34, title, "head")]
    y = 62
    for heading, group in (
        ("should reach the line", [one for one in judged if not one.at_most]),
        ("should stay before the line", [one for one in judged if one.at_most]),
    ):
        if group:
            parts += _bars(y, heading, group)
            y += 42 + ROW * len(group)
    for one in lines:
        parts += _plot(y + 8, one)
        y += PLOT + 76
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 8}" width="{WIDTH}" height="{y + 8}" role="img" aria-label="{escape(title)}">'
    return "\n".join([head, f"<style>{STYLE}</style>", f'<rect class="paper" width="{WIDTH}" height="{y + 8}"/>', *parts, "</svg>"]) + "\n"


def _bars(y: int, heading: str, findings: list[Finding]) -> list[str]:
    goal = LEFT + BAR / LONGEST
    bottom = y + 16 + ROW * len(findings)
    parts = [_text(PAD, y, heading.capitalize()), f'<path class="goal" d="M{goal:.0f} {y + 4}V{bottom}"/>']
    for place, one in enumerate(findings):
        top = y + 12 + ROW * place
        share = one.compared / one.goal if one.goal else 0.0
        length = max(2.0, BAR * min(share, LONGEST) / LONGEST)
        parts.append(f'<rect class="{"good" if one.held else "bad"}" x="{LEFT}" y="{top + 4}" width="{length:.1f}" height="{ROW - 9}" rx="2"/>')
        parts.append(_text(LEFT - 10, top + 16, one.what, anchor="end"))
        parts.append(_text(LEFT + BAR + 12, top + 16, _told(one), "small"))
    return parts


def _told(one: Finding) -> str:
    bound = f"{'at most' if one.at_most else 'at least'} {one.goal:g}"
    figure = f"{number(one.value)} {one.unit}".strip()
    return f"{one.compared:.2f} ({bound}): {figure}, floor {number(one.floor)}" if one.floor else f"{figure} ({bound})"


def _plot(y: int, lines: Lines) -> list[str]:
    top, bottom, right = y + 16, y + 16 + PLOT, LEFT + BAR + 140
    most = _round_up(max(max(values) for values in lines.named.values()))
    step = (right - LEFT) / max(1, len(lines.places) - 1)
    parts = [_text(PAD, y, f"{lines.title}, {lines.unit}")]
    for share in (0.0, 0.5, 1.0):
        height = bottom - share * PLOT
        parts.append(f'<path class="rule" d="M{LEFT} {height:.0f}H{right:.0f}"/>' + _text(LEFT - 10, height + 4, f"{most * share:g}", "small", "end"))
    every = max(1, math.ceil(len(lines.places) / 8))
    parts += [_text(LEFT + step * at, bottom + 18, name, "small", "middle") for at, name in enumerate(lines.places) if at % every == 0]
    for place, (name, values) in enumerate(lines.named.items()):
        colour = COLOURS[place % len(COLOURS)]
        points = " ".join(f"{LEFT + step * at:.1f},{bottom - PLOT * value / most:.1f}" for at, value in enumerate(values))
        parts.append(f'<polyline class="line" stroke="{colour}" points="{points}"/>')
        legend = top + 8 + 18 * place
        parts.append(f'<rect fill="{colour}" x="{right + 16:.0f}" y="{legend - 4}" width="12" height="4"/>' + _text(right + 34, legend + 2, name, "small"))
    return parts


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 …"""
    power = 10.0 ** math.floor(math.log10(max(value, 1e-9)))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'
