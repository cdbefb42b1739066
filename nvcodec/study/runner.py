"""Runs a study: each point a real file, decoded in a fresh process, measured, and kept as one line of JSON."""

from __future__ import annotations

import contextlib
import fcntl
import re
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from nvcodec._version import __version__
from nvcodec.errors import InputError, NvcodecError, OutputError
from nvcodec.hardware import cpu_count
from nvcodec.metrics.bits import bpp
from nvcodec.provenance import commit, machine
from nvcodec.study import anchors, neural, sources
from nvcodec.study.coded import Coded, Source
from nvcodec.study.measure import measure_command, why_no_vmaf
from nvcodec.study.pictures import PictureJob, picture_folder, why_no_pictures
from nvcodec.study.points import Point
from nvcodec.study.processes import kill_running, run_measured
from nvcodec.study.results import Results
from nvcodec.study.rows import Row
from nvcodec.study.settings import StudySettings
from nvcodec.study.specs import NeuralSpec


@dataclass(frozen=True)
class Event:
    """One point has ended: its row, and how far the study is."""

    row: Row
    done: int  # points with a row, those of earlier calls counted
    total: int
    seconds: float  # that this point took


OnEvent = Callable[[Event], None]


def open_results(path: Path) -> Results:
    """The results of earlier calls in ``path``, which need not be there.

    Raises:
        OutputError: the file is something else than rows of results, or is a folder.
    """
    try:
        with path.open("rb") as file:
            head = file.readline(1 << 16)
    except FileNotFoundError:
        head = b""
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from None
    if head and not (head.startswith(b"{") and b'"key"' in head):
        raise OutputError(f"{path} is not a file of results; nothing was written to it")
    return Results(path)


def finished(points: Sequence[Point], results: Results, settings: StudySettings) -> list[Row]:
    """The rows that are there already, in the order of the points, without those that failed or lack a measure."""
    wanted = measurable(settings).metrics
    rows = []
    for found in filter(None, (results.get(point.key) for point in points)):
        with contextlib.suppress(InputError):  # a row that is none is made again
            rows.append(Row.from_dict(found))
    rows = [row for row in rows if not row.error]
    return [row for row in rows if not any(_lacks(row, metric) for metric in wanted)]


def _lacks(row: Row, metric: str) -> bool:
    from nvcodec.metrics.similarity import MIN_SIDE, WINDOW  # which takes torch

    if min(row.width or 0, row.height or 0) < {"ssim": WINDOW, "ms-ssim": MIN_SIDE}.get(metric, 0):
        return False  # too small a picture has none
    return getattr(row, {"psnr": "psnr_yuv", "ms-ssim": "ms_ssim"}.get(metric, metric)) is None


def measurable(settings: StudySettings) -> StudySettings:
    """The settings without what this machine cannot do: VMAF, which rows then say null for, and pictures."""
    if settings.pictures and why_no_pictures() is not None:
        settings = replace(settings, pictures=0)
    if "vmaf" not in settings.metrics or why_no_vmaf() is None:
        return settings
    return replace(settings, metrics=tuple(name for name in settings.metrics if name != "vmaf"))


def run_study(
    points: Sequence[Point], settings: StudySettings, out: Path, on_event: OnEvent | None = None
) -> list[Row]:
    """Runs the points that ``out`` has no row of, ``settings.jobs`` at a time; gives the rows of all of them.

    A point that fails leaves a row with ``error`` and is tried again by the next call. An interrupt ends what runs and
    keeps what is whole.

    Raises:
        OutputError: ``out`` cannot be written.
    """
    results, settings = open_results(out), measurable(settings)
    done = {row.key for row in finished(points, results, settings)}
    todo = [point for point in points if point.key not in done]
    with _locked(out), tempfile.TemporaryDirectory(prefix="nvcodec-study-") as folder:
        study = _Study(settings, results, Path(folder), on_event, len(points) - len(todo), len(points))
        study.run(todo)
    return [Row.from_dict(row) for row in (results.get(point.key) for point in points) if row is not None]


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Holds the file of results for this study alone, and shows before the first point that it can be written.

    Raises:
        OutputError: it cannot, or another study writes to it.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        file = out.open("ab")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"{out}: another study writes to it") from None
    except OSError as error:
        raise OutputError(f"{out}: {error.strerror or error}") from None
    with file:
        yield


class _Study:
    """One call of `run_study`."""

    def __init__(
        self, settings: StudySettings, results: Results, folder: Path, on_event: OnEvent | None, done: int, total: int
    ) -> None:
        self.settings, self.results, self.folder, self.on_event = settings, results, folder, on_event
        self.done, self.total = done, total
        self.threads = settings.threads or max(1, cpu_count() // settings.jobs)
        self.sources: dict[Path, Source] = {}
        self.left: Counter[Path] = Counter()  # points of each clip that have not ended
        self.lock = threading.Lock()

    def run(self, points: Sequence[Point]) -> None:
        """Rows are written by this thread alone; the workers wait for processes."""
        self.left = Counter(point.clip for point in points)
        with ThreadPoolExecutor(self.settings.jobs) as pool:
            running = [pool.submit(self.point, point) for point in points]
            try:
                for future in as_completed(running):
                    self.take(future.result())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                while any(future.running() for future in running):  # one may be about to start its next command
                    kill_running()
                    time.sleep(0.05)
                raise

    def take(self, row: Row) -> None:
        try:
            self.results.add(row.key, row.as_dict())
        except OSError as error:
            raise OutputError(f"{self.results.path}: {error.strerror}") from None
        self.done += not row.error
        if self.on_event is not None:
            self.on_event(Event(row, self.done, self.total, _seconds(row)))

    def point(self, point: Point) -> Row:
        """The row of one point; a failure is a row as well, and says why."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        facts = {**_identity(point), "threads": self.threads, "jobs": self.settings.jobs, "started": started}
        facts |= {"commit": commit(), "version": __version__, "machine": machine()}
        try:
            with tempfile.TemporaryDirectory(dir=self.folder) as folder:
                return self.measured(point, Path(folder), facts)
        except (NvcodecError, OSError) as error:
            return Row.from_dict({**facts, "error": f"{type(error).__name__}: {error}"})
        finally:
            self.forget(point)

    def measured(self, point: Point, folder: Path, facts: dict[str, object]) -> Row:
        source = self.source(point)
        coded = self.encode(point, source, folder)
        kept = self.kept(point)
        command = measure_command(source, coded.decoded, self.settings.metrics, self.threads, kept)
        measuring = run_measured(command, capture=True)
        measures = measuring.last_object()
        if coded.frame_bits:
            measures.setdefault("per_frame", {})["bits"] = coded.frame_bits
        if self.settings.keep is not None:
            _keep(coded.file, Path(self.settings.keep), point)
        row = {**facts, **_facts(source, coded), **measures, "measure_seconds": measuring.seconds}
        left_out = [line for line in measuring.stderr.splitlines() if "left out" in line]
        row["notes"] = "; ".join(filter(None, [coded.notes, *left_out]))
        return Row.from_dict(row)

    def kept(self, point: Point) -> PictureJob | None:
        count, folder = self.settings.pictures, picture_folder(self.results.path.resolve())
        return PictureJob(folder, count, point.clip.stem, f"{point.label} {point.rate}") if count else None

    def encode(self, point: Point, source: Source, folder: Path) -> Coded:
        if isinstance(point.spec, NeuralSpec):
            return neural.encode(point.spec, point.setting, source, folder, self.threads, self.settings)
        return anchors.encode(point.spec, point.setting, source, folder, self.threads, self.settings.keyint)

    def source(self, point: Point) -> Source:
        """The clip made ready, once for all of its points."""
        with self.lock:
            if point.clip not in self.sources:
                cut = self.settings.frames, self.settings.crop
                self.sources[point.clip] = sources.prepare(point.clip, self.folder / point.digest, *cut)
            return self.sources[point.clip]

    def forget(self, point: Point) -> None:
        """Removes what was made of a clip after its last point: a raw sequence takes gigabytes."""
        with self.lock:
            self.left[point.clip] -= 1
            if not self.left[point.clip]:
                shutil.rmtree(self.folder / point.digest, ignore_errors=True)


def _identity(point: Point) -> dict[str, object]:
    family = "classical" if not isinstance(point.spec, NeuralSpec) else point.spec.family
    return {
        "key": point.key,
        "clip": point.clip.name,
        "codec": point.spec.codec,
        "configuration": point.spec.configuration,
        "rate": point.rate,
        "family": family,
        "bpp": 0.0,
    }


def _facts(source: Source, coded: Coded) -> dict[str, object]:
    fps = float(source.frame_rate)
    rate = bpp(coded.video_bytes, source.format.width, source.format.height, source.frames)
    return {
        "width": source.format.width,
        "height": source.format.height,
        "frames": source.frames,
        "fps": fps,
        "bit_depth": source.format.bit_depth,
        "bytes": coded.bytes,
        "video_bytes": coded.video_bytes,
        "bpp": rate,
        "kbps": 8 * coded.video_bytes / source.frames * fps / 1000,
        "encode_seconds": coded.encode.seconds,
        "decode_seconds": coded.decode.seconds,
        "decode_fps": source.frames / coded.decode.seconds,
        "encode_peak_bytes": coded.encode.peak_bytes,
        "decode_peak_bytes": coded.decode.peak_bytes,
        "command": coded.command,
        "decode_command": coded.decode_command,
        "encoder": coded.encoder,
        "groups": [{"first_frame": g.first_frame, "frames": g.frames, "bits": g.bits} for g in coded.groups],
    }


def _seconds(row: Row) -> float:
    return sum(part or 0.0 for part in (row.encode_seconds, row.decode_seconds, row.measure_seconds))


def _keep(file: Path, folder: Path, point: Point) -> None:
    name = re.sub(r"[^\w.+-]+", "_", f"{point.clip.stem} {point.label} {point.rate} {point.options}").strip("_")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, folder / f"{name}{file.suffix}")
