"""The report of a study: one HTML page, tables as Markdown, flat rows as CSV, or the overview as a picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from nvcodec.errors import OutputError, UsageError
from nvcodec.study.report.album import MOST_BYTES, Shelf
from nvcodec.study.report.content import Content, content
from nvcodec.study.report.text import printable
from nvcodec.study.rows import Row, read_folders


def _html(content: Content) -> bytes:
    from nvcodec.study.report.page import page

    return page(content).encode()


def _picture(kind: str) -> Callable[[Content], bytes]:
    def draw(content: Content) -> bytes:
        from nvcodec.study.report.figures import overview
        from nvcodec.study.report.style import styles

        main, look = content.main, styles(content.rows, content.anchor)
        clips = {clip: curves for clip in content.clips if (curves := main.of(clip))}
        times = content.times if len(content.times) > 1 else ()
        return overview(clips, times, look, content.metric, content.anchor, kind)

    return draw


def _markdown(content: Content) -> bytes:
    from nvcodec.study.report.markdown import markdown

    return markdown(content).encode()


def _csv(content: Content) -> bytes:
    from nvcodec.study.report.tables import flat_csv

    return flat_csv(content).encode()


FORMS: dict[str, Callable[[Content], bytes]] = {
    ".html": _html, ".htm": _html, ".md": _markdown, ".csv": _csv, ".svg": _picture("svg"), ".png": _picture("png"),
}  # fmt: skip


def check_form(target: Path) -> None:
    """Raises UsageError for an extension that no report has."""
    if target.suffix.lower() not in FORMS:
        raise UsageError(f"a report is a file with {', '.join(FORMS)}, not {target.name!r}")


def write_report(
    rows: Iterable[Row],
    target: Path,
    anchor: str | None = None,
    metric: str = "psnr_yuv",
    title: str | None = None,
    results: Iterable[Path] = (),
    picture_bytes: int = MOST_BYTES,
    conditions: Sequence[str] = (),
) -> Content:
    """Writes what ``target``'s extension says (`FORMS`) and gives what it is made of; the file is whole or not there.

    Failed rows may be among ``rows``: they are listed, and count nowhere. Without ``anchor`` it is x265 medium, else
    another x265, else the first classical label, else the first label. The same rows give the same bytes.

    ``results`` are the files that the rows are from: a page holds the pictures that lie beside them, at most
    ``picture_bytes`` (as base64); without them it has no slider, and no script.
    ``conditions`` are lines on how the study was run, and of what its published figures are; they stand in the page.

    Raises:
        UsageError: an unknown extension, anchor or metric, no points, or a package of the extra ``study`` is missing.
        InputError: one of ``results`` cannot be read.
        OutputError: the file cannot be written.
    """
    check_form(target)
    folders = {printable(key): folder for key, folder in read_folders(results).items()}
    made = content(rows, anchor, metric, title, Shelf(folders, picture_bytes), conditions)
    save(target, FORMS[target.suffix.lower()](made))
    return made


def save(target: Path, data: bytes) -> None:
    """Writes a file that is whole or not there.

    Raises:
        OutputError: it cannot be written.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        part.write_bytes(data)
        os.replace(part, target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from None
