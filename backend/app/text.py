"""Unicode normalization, applied to text wherever it enters the shop."""

from __future__ import annotations

import re
import unicodedata

# Stream-Safe Text Format (UAX #15): at most this many combining marks follow one another. Without
# a limit, sorting them takes time quadratic in their number: two seconds for a body of 64 KiB.
MAX_COMBINING_MARKS = 30
_JOINER = "\N{COMBINING GRAPHEME JOINER}"
# Characters that do not combine themselves, but decompose into combining marks only.
_DECOMPOSING = dict.fromkeys(map(ord, "\u0f73\u0f75\u0f81"), "\u0f71")
_LONG_RUN = re.compile(rb"[^\x00]{%d}(?=[^\x00])" % MAX_COMBINING_MARKS)


def normalize_text(text: str) -> str:
    """Return the text in Normalization Form C, so that equal text is equal however it was typed.

    macOS, some keyboards and some programs write "é" as two code points, most others as one.
    """
    if text.isascii():
        return text
    while (normal := unicodedata.normalize("NFC", _limit_runs(text))) != text:
        # Normalization may lengthen a run of marks, so the result is only final once it is stable.
        text = normal
    return normal


def _limit_runs(text: str) -> str:
    if len(text) <= MAX_COMBINING_MARKS:
        return text
    classes = bytes(map(unicodedata.combining, text.translate(_DECOMPOSING)))
    ends = [0, *(run.end() for run in _LONG_RUN.finditer(classes)), len(text)]
    return _JOINER.join(text[start:end] for start, end in zip(ends, ends[1:], strict=False))
