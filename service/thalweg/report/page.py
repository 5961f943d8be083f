"""Sections to a file: one self-contained HTML page, or Markdown with its figures beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import jinja2

from thalweg.report import style
from thalweg.report.contents import Section, section
from thalweg.report.record import Record
from thalweg.visible import visible


def write(records: Sequence[Record], path: Path) -> list[Path]:
    """Write the report of one job, or of several side by side.

    Args:
        records: the jobs, in the order of the page.
        path: NAME.html for one self-contained file; NAME.md for Markdown with PNG figures in NAME_files/.

    Returns:
        The files written, the report first.

    Raises:
        ValueError: no jobs, or a name that ends otherwise.
    """
    if not records:
        raise ValueError("a report needs at least one job")
    formats = {".html": _html, ".htm": _html, ".md": _markdown}
    if path.suffix.lower() not in formats:
        raise ValueError(f"a report is written to NAME.html or NAME.md, got {path.name!r}")
    sections = [section(record, number) for number, record in enumerate(records, start=1)]
    path.parent.mkdir(parents=True, exist_ok=True)
    return formats[path.suffix.lower()](sections, path)


def _html(sections: list[Section], path: Path) -> list[Path]:
    figures = {
        item.anchor: [style.svg(picture, f"{item.anchor}-{picture.name}") for picture in item.pictures] for item in sections
    }
    page = _templates(autoescape=True).get_template("report.html")
    path.write_text(page.render(sections=sections, figures=figures, title=_title(sections)), encoding="utf-8")
    return [path]


def _markdown(sections: list[Section], path: Path) -> list[Path]:
    folder = path.with_name(f"{path.stem}_files")
    files: dict[str, list[Path]] = {}
    for item in sections:
        for picture in item.pictures:
            folder.mkdir(exist_ok=True)
            target = folder / f"{item.anchor}-{picture.name}.png"
            target.write_bytes(style.png(picture))
            files.setdefault(item.anchor, []).append(target)
    links = {
        anchor: [f"{folder.name}/{target.name}".replace(" ", "%20") for target in targets] for anchor, targets in files.items()
    }
    page = _templates(autoescape=False).get_template("report.md")
    path.write_text(page.render(sections=sections, links=links, title=_title(sections)), encoding="utf-8")
    return [path, *(target for targets in files.values() for target in targets)]


def _templates(autoescape: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("thalweg.report"),
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["text"] = _text
    return environment


def _text(text: object) -> str:
    """Text that Markdown shows as it is, in a heading, a paragraph or a cell of a table."""
    plain = visible(str(text)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#!])", r"\\\1", plain)


def _title(sections: list[Section]) -> str:
    return sections[0].title if len(sections) == 1 else f"{len(sections)} jobs"
