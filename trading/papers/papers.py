"""PDF from a typst template and plain data: the papers that people print, file and hand on.

A template is a `.typ` file of any room; it reads its data with `json("data.json")` and the common look with
`#import "paper.typ": *`. Fonts come with the installation (Noto Sans CJK), never from the machine, so that the same
data gives the same bytes everywhere. A template reaches no file but those handed to it, and no network.
What is typed by people enters as JSON text, never as typst source: a name cannot become markup.
Whoever can edit a template can make a paper lie; what binds is the act in the ledger, whose leaf every paper names.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import typst

HERE = Path(__file__).parent
NOTICE = HERE / "notice.typ"
AWARD = HERE / "award.typ"
WHY = HERE / "why.typ"
LOOK = HERE / "paper.typ"
FONTS = str(resources.files("manimgx_fonts_cjk"))
# The stubs know one source; the library takes several by name.
_COMPILE: Any = typst.compile


def render(template: Path, data: Mapping[str, Any], *, files: Mapping[str, bytes] | None = None) -> bytes:
    """The PDF of a template (a `.typ` file) over JSON values; takes about a fifth of a second of one core.

    `files` are further files by name that the template may read, such as a picture. `data` should hold what
    `paper.typ` names in its first lines. Asserts nothing about the data: a template that misses a value fails.
    """
    parts = {
        "main": template.read_bytes(),
        "paper.typ": LOOK.read_bytes(),
        "data.json": json.dumps(data, ensure_ascii=False, sort_keys=True).encode(),
        **(files or {}),
    }
    made = _COMPILE(parts, font_paths=[FONTS], ignore_system_fonts=True, format="pdf", timestamp=0)
    assert isinstance(made, bytes), "a PDF is one file"
    return made


async def made(template: Path, data: Mapping[str, Any], *, files: Mapping[str, bytes] | None = None) -> bytes:
    """The same in a thread of its own, so that a door answers others meanwhile."""
    return await asyncio.to_thread(render, template, data, files=files)
