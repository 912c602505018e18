"""./shop bench: every bench after the other, the goals of all in one table, and the same as a picture.

It takes about half an hour on two cores, and the machine should have nothing else to do. What a bench found stands in var/bench, too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from lab import ROOT
from lab.drawing import Lines, draw
from lab.measure import FOUND, Finding, show
from lab.shops import RUN

BENCHES = ("start", "catalogue", "orders", "admin", "pages", "shopping")


def found(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOUND / f"{name}.json").read_text(encoding="utf-8"))
    return content


def findings(content: dict[str, Any]) -> list[Finding]:
    names = Finding.__dataclass_fields__
    return [Finding(**{name: value for name, value in one.items() if name in names}) for one in content["findings"]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop bench", description="Every bench, the goals of all in one table, and the same as a picture.")
    parser.add_argument("--svg", type=Path, default=FOUND / "bench.svg", help="where the picture goes")
    parser.add_argument("--draw", action="store_true", help="only put together what was found before")
    options = parser.parse_args()
    FOUND.mkdir(parents=True, exist_ok=True)
    broken = []
    for name in () if options.draw else BENCHES:
        print(f"\n== {name}", flush=True)
        (FOUND / f"{name}.json").unlink(missing_ok=True)
        subprocess.run([*RUN, "bench", name], cwd=ROOT, check=False)
    contents = []
    for name in BENCHES:
        if (FOUND / f"{name}.json").exists():
            contents.append(found(name))
        else:
            broken.append(name)
    everything = [one for content in contents for one in findings(content)]
    print("\n== all", end="")
    show(everything)
    machine = contents[0]["machine"] if contents else {}
    title = f"FlaskCart on {machine.get('cores')} cores, {max((content['at'][:10] for content in contents), default='')}"
    options.svg.write_text(draw(title, everything, [Lines(**one) for content in contents for one in content.get("lines", [])]), encoding="utf-8")
    missed = [one.what for one in everything if not one.held]
    print(f"\nMissed: {', '.join(missed)}." if missed else "\nEvery goal is held.", f"The picture: {options.svg}")
    if broken:
        print(f"Without a result: {', '.join(broken)}.")
    return 1 if missed or broken else 0


if __name__ == "__main__":
    sys.exit(main())
