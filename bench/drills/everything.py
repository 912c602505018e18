"""./shop drill: every drill after the other, and the verdicts of all in the end. It takes about a quarter of an hour."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

DRILLS = (
    "kill", "cut", "hang", "disk", "restart", "bulk-actions", "flash-sale", "cluster", "slow-clients", "mails", "orders", "import", "histories",
)  # fmt: skip


def main() -> int:
    verdicts = []
    for name in DRILLS:
        print(f"\n== {name}", flush=True)
        began = time.monotonic()
        code = subprocess.run([sys.executable, str(Path(__file__).with_name(f"{name}.py"))], check=False).returncode
        verdicts.append((name, code, time.monotonic() - began))
    print("\n== all")
    for name, code, seconds in verdicts:
        print(f"{name:13}{'BROKEN' if code else 'held':8}{seconds:5.0f} s")
    return int(any(code for _, code, _ in verdicts))


if __name__ == "__main__":
    sys.exit(main())
