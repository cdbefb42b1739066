"""``nvcodec.encode``: a video file in, an nvc file out, group by group in bounded memory."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from nvcodec._version import __version__
from nvcodec.api import files
from nvcodec.api.budget import Budget
from nvcodec.api.costs import check_size, level_for
from nvcodec.api.grouping import cut, default_gof, group_lengths
from nvcodec.api.passthrough import PacketFeed
from nvcodec.api.resume import check_same, cut_to_groups, find_part, skip_written
from nvcodec.api.settings import DEFAULT_PRESET, EncodeSettings, OnProgress, Progress
from nvcodec.api.tally import Tally
from nvcodec.api.threads import cpu_threads
from nvcodec.codecs.base import GroupPayload, GroupSpec
from nvcodec.codecs.registry import AUTO, CODECS, get_codec
from nvcodec.container import Group, SequenceHeader, Unit, Writer
from nvcodec.container import Reader as NvcReader
from nvcodec.engines.job import GroupJob, run_in_process
from nvcodec.errors import InputError, ResumeError
from nvcodec.fitting.fit import FitStatus
from nvcodec.hardware import fast_precision, pick_device, tune_allocator
from nvcodec.video import Picture, Reader, SourceInfo, probe

SIZE_FLOOR = 0.93  # of a size goal: less is too little
REPORT_EVERY = 0.2  # seconds between progress reports


@dataclass(frozen=True)
class EncodeResult:
    """What was made. ``psnr_yuv`` is the encoder's own measurement; None where a resumed part was not measured."""

    path: str
    bytes: int
    video_bytes: int  # without passed-through tracks
    frames: int
    groups: int
    bpp: float
    psnr_yuv: float | None
    seconds: float
    goal_met: bool
    estimated_bytes: float  # payloads by the rate model, for comparison with ``payload_bytes``
    payload_bytes: int
    warnings: list[str] = field(default_factory=list)


def encode(
    source: str | Path,
    target: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> EncodeResult:
    """Encode the video file ``source`` into the nvc file ``target``.

    ``settings`` are the fields of :class:`~nvcodec.api.settings.EncodeSettings`. ``"-"`` reads y4m from standard input
    or writes to standard output. Work goes to ``target.part``, a valid shorter nvc after every group, and gets its name
    at the end; ``resume`` goes on with such a part if the source is a file. Raises the errors of :mod:`nvcodec.errors`.
    """
    chosen = EncodeSettings(**settings)
    files.check_source(source)
    files.check_target(source, target, overwrite)
    get_codec(chosen.codec)
    tune_allocator()
    with cpu_threads(chosen.threads) as threads:
        return _Encode(source, target, chosen, threads, on_progress).run(resume, overwrite)


class _Encode:
    """One call of :func:`encode`."""

    def __init__(
        self,
        source: str | Path,
        target: str | Path,
        settings: EncodeSettings,
        threads: int,
        on_progress: OnProgress | None,
    ) -> None:
        self.started = time.monotonic()
        self.source, self.target, self.settings, self.threads = source, target, settings, threads
        self.on_progress = on_progress
        self.device = pick_device(settings.device)
        self.codec = AUTO if settings.codec == "auto" else settings.codec
        self.info: SourceInfo | None = None if files.is_stream(source) else probe(source)
        self.writer: Writer | None = None
        self.tally = Tally()
        self.frames_done = 0
        self.last_report = 0.0

    def run(self, resume: bool, overwrite: bool) -> EncodeResult:
        if resume and (files.is_stream(self.source) or files.is_stream(self.target)):
            raise ResumeError("--resume needs files: a pipe cannot be known again, nor read back")
        source = files.stdin_bytes() if files.is_pipe(self.source) else self.source
        with Reader(source, audio=self.settings.audio) as reader:
            self._plan(reader)
            if not files.is_stream(self.target):
                self._to_file(reader, resume, overwrite)
            elif files.is_pipe(self.target):
                self._groups(reader, files.stdout_bytes(), None)
            else:
                with files.open_output(Path(self.target), "wb") as file:
                    self._groups(reader, file, None)
            return self._result(reader)

    def _to_file(self, reader: Reader, resume: bool, overwrite: bool) -> None:
        part, go_on = find_part(Path(self.target), resume, overwrite)
        with files.open_part(part, go_on) as file:
            try:
                if go_on:
                    check_same(NvcReader(file), self.metadata)
                self._groups(reader, file, cut_to_groups(file) if go_on else None)
            except BaseException:
                if not go_on:
                    files.remove_empty(part)
                raise
            files.finish(part, Path(self.target))

    def _plan(self, reader: Reader) -> None:
        fmt = self.format = reader.format
        check_size(fmt)
        total = self.frames_total = self.info.frame_count if self.info else None
        self.gof = self.settings.gof or default_gof(fmt)
        self.lengths = group_lengths(total, self.gof, even=self.settings.gof is None) if total else []
        self.metadata = {
            "encoder": f"nvcodec {__version__}",
            "settings": json.dumps({**self.settings.described(), "codec": self.codec, "threads": str(self.threads)}),
            **files.source_fingerprint(self.source),
        }
        passthrough = self.info.passthrough_bytes if self.info and self.settings.audio else 0
        self.feed = PacketFeed(reader, passthrough)
        start = self._start(io.BytesIO(), reader, level=0)
        sizes = start.bytes_written - start.passthrough_bytes, start.passthrough_bytes
        groups = max(1, len(self.lengths))
        self.budget = Budget.of(self.settings, fmt, total, groups, sizes, self.feed, self.started)

    def _groups(self, reader: Reader, file: BinaryIO, old: NvcReader | None) -> None:
        pictures = iter(reader)
        if old is not None:
            skip_written(pictures, self.feed, old)
            self.writer = Writer.resume(file, old)  # last, because ``old`` reads by moving the file's position
            self.frames_done = self.writer.frame_count
            for entry in old.groups:
                self.budget.spend(entry.length, entry.frame_count)
        groups = cut(pictures, self.lengths[len(old.groups) if old else 0 :], self.gof)
        group = next(groups, None)
        if group is None and self.writer is None:
            raise InputError(f"{self.source} holds no frames")
        while group is not None:
            # reading on behind the last group gives the packets at the end before it is fitted, and so its share
            following = next(groups, None) if self._is_last(group) else None
            self._code(group, reader, file)
            group = following if following is not None else next(groups, None)
        assert self.writer is not None
        self.writer.write_packets(self.feed.take())
        self.writer.close()
        files.sync(file)

    def _is_last(self, group: list[Picture]) -> bool:
        return self.frames_total is not None and self.frames_done + len(group) >= self.frames_total

    def _code(self, pictures: list[Picture], reader: Reader, file: BinaryIO) -> None:
        packets = self.feed.take()
        steady = len({p.duration for p in pictures}) == 1
        spec = self._spec(len(pictures), steady)
        job = GroupJob(self.codec, [p.planes for p in pictures], self.format, spec, self.threads)
        payload = run_in_process(job, self._on_status(len(pictures)))
        writer = self.writer = self.writer or self._open_writer(payload, reader, file, len(pictures))
        writer.write_packets(packets)
        before = writer.bytes_written
        writer.write_group(_group(payload, pictures, writer))
        files.sync(file)
        self.budget.spend(writer.bytes_written - before, len(pictures))
        self.tally.add(payload, len(pictures))
        self.frames_done += len(pictures)
        self._report(
            Progress(
                self.frames_done,
                self.frames_total,
                writer.group_count,
                0.0,
                payload.steps,
                payload.psnr,
                writer.bytes_written,
                self._predict(0, 0),
                time.monotonic() - self.started,
            )
        )

    def _spec(self, frames: int, steady: bool) -> GroupSpec:
        chosen = self.settings
        return GroupSpec(
            quality=32.0 if chosen.quality is None else chosen.quality,
            target_bytes=self.budget.bytes_for(frames, steady, self.feed),
            psnr_floor=chosen.psnr,
            preset=chosen.preset or DEFAULT_PRESET,
            seconds=self.budget.seconds_for(frames),
            seed=chosen.seed,
            device=self.device,
            precision=fast_precision(self.device),
            model=chosen.model,
        )

    def _open_writer(self, first: GroupPayload, reader: Reader, file: BinaryIO, frames: int) -> Writer:
        """The header waits for the first group, whose cost tells the level."""
        cost = get_codec(self.codec).cost(first.config, self.format, frames)
        alike = self.settings.size is None and self.settings.bpp is None and self.settings.psnr is None
        return self._start(file, reader, level_for(cost, first.size, max(frames, self.gof), alike=alike))

    def _start(self, file: BinaryIO, reader: Reader, level: int) -> Writer:
        writer = Writer(file, SequenceHeader(self.format, CODECS[self.codec][0], level))
        writer.write_metadata(self.metadata)
        for track in reader.tracks:
            writer.write_track(track)
        return writer

    def _on_status(self, frames: int) -> Callable[[FitStatus], None] | None:
        if self.on_progress is None:
            return None

        def report(status: FitStatus) -> None:
            now = time.monotonic()
            if now - self.last_report < REPORT_EVERY:
                return
            done = self.frames_done + int(frames * status.progress)
            written = self.writer.bytes_written if self.writer else 0
            groups = self.writer.group_count if self.writer else 0
            self._report(
                Progress(
                    done,
                    self.frames_total,
                    groups,
                    status.progress,
                    status.step,
                    status.psnr,
                    written,
                    self._predict(status.bits / 8, frames),
                    now - self.started,
                )
            )

        return report

    def _predict(self, group_bytes: float, frames: int) -> int | None:
        """The whole file's size if what comes costs like what was."""
        total, known = self.frames_total, self.frames_done + frames
        if total is None or not known:
            return None
        coded = (self.writer.bytes_written - self.writer.passthrough_bytes if self.writer else 0) + group_bytes
        return int(coded * total / known + self.feed.file_bytes)

    def _report(self, progress: Progress) -> None:
        self.last_report = time.monotonic()
        if self.on_progress is not None:
            self.on_progress(progress)

    def _result(self, reader: Reader) -> EncodeResult:
        writer, tally = self.writer, self.tally
        assert writer is not None
        video_bytes = writer.bytes_written - writer.passthrough_bytes
        samples = self.format.width * self.format.height * writer.frame_count
        psnr = tally.psnr if tally.frames == writer.frame_count else None
        met = tally.goals_met
        if self.budget.goal is not None:
            size = writer.bytes_written if self.budget.whole else video_bytes
            met = SIZE_FLOOR * self.budget.goal <= size <= self.budget.goal
        return EncodeResult(
            str(self.target), writer.bytes_written, video_bytes, writer.frame_count, writer.group_count,
            8 * video_bytes / samples, psnr, time.monotonic() - self.started, met,
            tally.estimated_bytes, tally.payload_bytes, list(reader.warnings),
        )  # fmt: skip


def _group(payload: GroupPayload, pictures: list[Picture], writer: Writer) -> Group:
    units = [Unit(unit.first, unit.count, unit.references, unit.payload) for unit in payload.units]
    return Group(
        writer.group_count, writer.frame_count, len(pictures), None, payload.config, units, payload.symbol_hash,
        payload.picture_hash, [p.pts for p in pictures], [p.duration for p in pictures],
    )  # fmt: skip
