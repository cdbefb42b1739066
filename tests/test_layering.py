"""The house rules that a machine can check: imports run one way, leaves stay leaves, files stay short."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "nvcodec"
MAX_LINES = 300

# room -> rooms that it may import. Single files of the package's root that are no room (errors.py, format.py ...) are
# neutral ground: anyone may import them, and they may import each other only.
_BASE = {"models", "entropy", "metrics"}
_CODECS = _BASE | {"fitting", "motion", "container", "codecs"}
_API = _CODECS | {"engines", "video", "training"}
ROOMS: dict[str, set[str]] = {
    "video": set(),
    "container": {"_native"},
    "models": set(),
    "metrics": set(),
    "entropy": {"_native", "_cuda"},
    "motion": {"entropy", "_native"},
    "fitting": _BASE,
    "training": _BASE | {"motion", "codecs"},
    "codecs": _CODECS,
    "engines": _CODECS,
    "api": _API,
    "study": _API | {"api"},
    "cli": _API | {"api", "study"},
}
NATIVE = {"_native", "_cuda"}
FORBIDDEN_OUTSIDE = {  # third-party packages that a room must live without
    "container": {"torch", "av"},
    "video": {"torch"},
    "models": {"av"},
    "metrics": {"av"},
    "entropy": {"av"},
    "motion": {"torch", "av"},
    "fitting": {"av"},
    "training": {"av"},
}
NEVER = {"eval", "tests", "tools", "bitstream", "pickle", "torchac", "torchvision", "skvideo"}
ONLY_STUDY = {"imageio_ffmpeg", "ffmpeg", "matplotlib", "jinja2", "PIL"}  # of an extra: nothing else may need them


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted module) of every import in a file, wherever it stands; relative ones resolved."""
    package = ("nvcodec", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, node.module] if node.module else base)
            if module == "nvcodec":  # `from nvcodec import entropy`: the names may be rooms
                yield from ((node.lineno, f"nvcodec.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


def is_room(name: str) -> bool:
    return name in ROOMS or (PACKAGE / name).is_dir()


def breach(path: Path, module: str) -> str | None:
    """Why this import may not stand here, or None."""
    here, parts = room_of(path), module.split(".")
    if parts[0] in NEVER or parts[0] in FORBIDDEN_OUTSIDE.get(here, set()):
        return f"{here} may not import {parts[0]}"
    if parts[0] in ONLY_STUDY and here != "study":
        return f"only study may import {parts[0]}, not {here}"
    if parts[0] != "nvcodec" or len(parts) < 2:
        return None
    there = parts[1]
    if there in ("cli", "study") and here == "__init__":
        return f"the package may not import {there}"
    if here in ("__init__", "__main__") or there == here:
        return None
    if there in NATIVE or is_room(there):
        allowed = ROOMS.get(here, set())
        return None if there in allowed else f"{here} may not import {there}"
    return None


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    wrong = [f"{path.name}:{line}: {why}" for line, module in imported(path) if (why := breach(path, module))]
    assert not wrong, "\n".join(wrong)


def test_every_folder_is_a_known_room():
    folders = {p.parent.relative_to(PACKAGE).parts[0] for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE}
    assert folders <= set(ROOMS), f"say in ROOMS what {sorted(folders - set(ROOMS))} may import"


def test_the_table_has_no_cycle():
    def below(room: str, above: tuple[str, ...] = ()) -> None:
        assert room not in above, " -> ".join((*above, room))
        for other in ROOMS.get(room, set()) - {room}:
            below(other, (*above, room))

    for room in ROOMS:
        below(room)


@pytest.mark.parametrize(
    ("file", "module", "allowed"),
    [
        ("container/reader.py", "torch", False),
        ("container/reader.py", "nvcodec.format", True),
        ("models/hnerv.py", "nvcodec.entropy", False),
        ("codecs/hnerv.py", "nvcodec.video", False),
        ("codecs/hnerv.py", "nvcodec.fitting.loop", True),
        ("errors.py", "nvcodec.container", False),
        ("api.py", "nvcodec.cli", False),
        ("cli/encode.py", "nvcodec.api", True),
        ("video/reader.py", "eval.samples", False),
        ("__init__.py", "nvcodec.cli", False),
    ],
)
def test_the_rules_themselves(file, module, allowed):
    assert (breach(PACKAGE / file, module) is None) == allowed


@pytest.mark.parametrize("folder", ["nvcodec", "eval"])
def test_files_stay_short(folder):
    lengths = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in (ROOT / folder).rglob("*.py")}
    assert not {name: n for name, n in lengths.items() if n > MAX_LINES}
