"""Modules that nearly every page uses are sent as one: on a phone's line a request costs more than what is in it.

everywhere.js only says `export * from "…"`, and would do as it is. Here each of those modules becomes a function that is called once, and whoever imports
one of them imports everywhere.js instead. Imports and exports that are not plainly named are refused at start.
"""

from __future__ import annotations

import posixpath
import re
from functools import cache

EVERYWHERE = "js/lib/everywhere.js"
MEMBER = re.compile(r'^export \* from "(.+?)";$', flags=re.MULTILINE)
IMPORT = re.compile(r'^import (?:\{ \w+(?:, \w+)* \} from )?"(\..+?)";\n', flags=re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:const|class|function|async function) (\w+))", flags=re.MULTILINE)
ASKED = re.compile(r'((?:\bfrom |\bimport |\bimport\())"(\.{1,2}/[^"]+)"')


def join(modules: dict[str, str]) -> dict[str, str]:
    """The modules by address, with those that everywhere.js names within it."""
    members = [resolve(EVERYWHERE, one) for one in MEMBER.findall(modules[EVERYWHERE])]
    others = {address: _asking(address, text, members) for address, text in modules.items() if address not in members}
    return others | {EVERYWHERE: _everywhere({address: modules[address] for address in members})}


@cache
def resolve(address: str, relative: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(address), relative))


def _asking(address: str, text: str, members: list[str], stands_at: str = "") -> str:
    """The text with imports of members turned to everywhere.js, and all of them as seen from where it will stand."""

    def turned(found: re.Match[str]) -> str:
        target = resolve(address, found[2])
        relative = posixpath.relpath(EVERYWHERE if target in members else target, posixpath.dirname(stands_at or address))
        return f'{found[1]}"{relative if relative.startswith(".") else f"./{relative}"}"'

    return ASKED.sub(turned, text)


def _everywhere(members: dict[str, str]) -> str:
    parts: list[str] = []
    known: list[str] = []
    for i, (address, text) in enumerate(members.items()):
        earlier, exported = list(members)[:i], EXPORT.findall(text)
        # What earlier members export has its name in the module already.
        body = EXPORT.sub("", IMPORT.sub(lambda found, at=address, there=earlier: "" if resolve(at, found[1]) in there else found[0], text))  # type: ignore[misc]
        if re.search(r"^(?:import\b(?!\()|export\b)", body, flags=re.MULTILINE):
            raise ValueError(f"{address} imports or exports what cannot be joined in {EVERYWHERE}; are the modules named there in order?")
        if set(known) & set(exported):
            raise ValueError(f"{address} exports a name that another module of {EVERYWHERE} has: {sorted(set(known) & set(exported))}")
        names = ", ".join(exported)
        parts.append(f"const {{ {names} }} = (() => {{\n{_asking(address, body, list(members), EVERYWHERE).rstrip()}\nreturn {{ {names} }};\n}})();\n")
        known += exported
    return f"{''.join(parts)}export {{ {', '.join(known)} }};\n"
