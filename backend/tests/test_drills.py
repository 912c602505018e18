"""Would the drills notice? What buyers were told is compared with the database by one function, here with figures that are wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app.config import ROOT

sys.path.insert(0, str(ROOT / "bench" / "drills"))
import frame

TOLD = [("a", "FC-1"), ("b", "FC-2")]


@pytest.mark.parametrize(
    ("told", "there", "counted"),
    [
        (TOLD, TOLD, (2, 0, 0)),
        ([*TOLD, TOLD[0]], TOLD, (2, 0, 0)),
        (TOLD, TOLD[:1], (2, 1, 0)),
        (TOLD, [*TOLD, ("b", "FC-3")], (2, 0, 1)),
        (TOLD, [*TOLD, ("c", "FC-3")], (2, 0, 1)),
        ([*TOLD, ("b", "FC-3")], TOLD, (3, 1, 0)),
    ],
    ids=["all is well", "told twice", "lost", "doubled", "made for nobody", "told two numbers for one"],
)
def test_a_drill_counts_what_is_lost_and_what_is_there_twice(told: list[tuple[str, str]], there: list[tuple[str, str]], counted: tuple[int, int, int]) -> None:
    assert frame.count(told, there) == counted


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (frame.Verdict("kill", 9, 0, 0), 0),
        (frame.Verdict("kill", 9, 1, 0), 1),
        (frame.Verdict("kill", 9, 0, 1), 1),
        (frame.Verdict("kill", 9, 0, 0, invariant="stock_not_negative"), 1),
        (frame.Verdict("kill", 9, 0, 0, faults=["/api/v1/orders answered 500"]), 1),
        (frame.Verdict("kill", 0, 0, 0), 1),
    ],
)
def test_a_drill_fails_when_anything_is_wrong_and_when_nothing_was_ordered(verdict: frame.Verdict, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict.show() == code
    assert ("BROKEN" if code else "held") in capsys.readouterr().out


def test_the_longest_stall_is_the_longest_time_without_an_order(tmp_path: Path) -> None:
    histories = frame.Histories(tmp_path / "histories.jsonl", times=[1.0, 2.0, 5.5, 6.0])
    assert histories.longest_stall() == 3.5
