"""``nvcodec.encode``: a video file in, an nvc file out, group by group in bounded memory."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import torch

from nvcodec._version import __version__
from nvcodec.api import files
from nvcodec.api.budget import Budget
from nvcodec.api.costs import check_size, level_for, level_of_trained
from nvcodec.api.families import check_family, group_frames, key_distance, weights_digest
from nvcodec.api.grouping import Cutter, Piece, group_lengths
from nvcodec.api.groups import open_after
from nvcodec.api.libraries import check_append, holds_library, state_before
from nvcodec.api.passthrough import PacketFeed
from nvcodec.api.planning import Place, Planner
from nvcodec.api.reporting import Reporter
from nvcodec.api.results import EncodeResult, make_result
from nvcodec.api.resume import adopt, check_same, cut_to_groups, find_part, without_written
from nvcodec.api.settings import EncodeSettings, OnProgress
from nvcodec.api.tags import Tag, group_of
from nvcodec.api.tally import Tally
from nvcodec.api.threads import cpu_threads
from nvcodec.api.workers import engine_for
from nvcodec.codecs.base import GroupPayload, GroupState, may_lean
from nvcodec.codecs.registry import AUTO, get_codec
from nvcodec.container import Reader as NvcReader
from nvcodec.container import SequenceHeader, Writer, append_video, open_library
from nvcodec.container.writer import group_size
from nvcodec.engines.engine import Engine
from nvcodec.engines.job import GroupJob
from nvcodec.engines.schedule import Task, run_chains
from nvcodec.errors import InputError, ResumeError, UsageError
from nvcodec.hardware import fast_precision, pick_device, tune_allocator
from nvcodec.video import Reader, SourceInfo, probe
from nvcodec.video.encoders import CONTAINERS

RETRIES = 3  # of a group that came out too large
RETRY_MARGIN = 8  # bytes below what would just fit


def encode(
    source: str | Path,
    target: str | Path,
    *,
    resume: bool = False,
    append: bool = False,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> EncodeResult:
    """Encode the video file ``source`` into the nvc file ``target``.

    ``settings`` are the fields of :class:`~nvcodec.api.settings.EncodeSettings`. ``"-"`` reads y4m from standard input
    or writes to standard output. Work goes to ``target.part``, a valid shorter nvc after every group, and gets its name
    at the end; ``resume`` goes on with such a part if the source is a file; settings that are not given are the part's.
    ``append`` adds a video to the library ``target`` (codec pfnr), whose others stay as they are; goals are of what is
    added. Raises the errors of :mod:`nvcodec.errors`.
    """
    chosen = EncodeSettings(**(adopt(Path(target), settings) if resume else settings))
    files.check_source(source)
    if append:
        if resume or files.is_stream(target):
            raise UsageError("--append needs a file, and does not go with --resume: what was added in part is dropped")
        chosen = replace(chosen, codec=check_append(Path(target), chosen.codec))
    files.check_target(source, target, overwrite or append)
    if not files.is_stream(target) and Path(target).suffix.lower() in CONTAINERS:
        raise UsageError(f"{target} has the name of a video; encode writes nvc files, decode writes videos")
    check_family(get_codec(chosen.codec), chosen)
    tune_allocator()
    with cpu_threads(chosen.threads) as threads:
        return _Encode(source, target, chosen, threads, on_progress).run(resume, overwrite, append)


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
        self.precision = fast_precision(self.device)
        self.codec = AUTO if settings.codec == "auto" else settings.codec
        self.info: SourceInfo | None = None if files.is_stream(source) else probe(source)
        self.writer: Writer | None = None
        self.read = 0  # frames
        self.notes: list[str] = []  # warnings of our own
        self.tally = Tally()
        self.state: GroupState | None = None  # of the group before, if the next one may lean on it
        self.video: int | None = 0 if holds_library(get_codec(self.codec)) else None  # its number in a library

    def run(self, resume: bool, overwrite: bool, append: bool) -> EncodeResult:
        if resume and (files.is_stream(self.source) or files.is_stream(self.target)):
            raise ResumeError("--resume needs files: a pipe cannot be known again, nor read back")
        source = files.stdin_bytes() if files.is_pipe(self.source) else self.source
        with Reader(source, audio=self.settings.audio) as reader:
            self._plan(reader)
            if append:
                self._to_library(reader, overwrite)
            elif not files.is_stream(self.target):
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

    def _to_library(self, reader: Reader, overwrite: bool) -> None:
        """Onto a copy, which takes the library's place at the end: that is untouched until then."""
        part, _ = find_part(Path(self.target), False, overwrite, append=True)
        with files.open_part(part, keep=False) as file:
            try:
                files.copy_into(Path(self.target), file)
                with files.named(self.target):
                    library = open_library(file)
                    self.video, self.state = len(library), state_before(library, len(library), self.device)
                self._groups(reader, file, None)
            except BaseException:
                part.unlink()
                raise
            files.finish(part, Path(self.target))

    def _plan(self, reader: Reader) -> None:
        fmt = self.format = reader.format
        check_size(fmt)
        total = self.info.frame_count if self.info else None
        codec = get_codec(self.codec)
        self.gof = group_frames(codec, self.settings, fmt)
        keyint, scenes = key_distance(codec, self.settings, self.gof), self.codec != "intra" and self.video is None
        even = self.settings.gof is None and bool(total)
        even = even and group_lengths(total or 0, self.gof) != group_lengths(total or 0, self.gof, even=False)
        self.cutter = Cutter(self.gof, keyint, total, even, scenes)
        self.metadata = {
            "encoder": f"nvcodec {__version__}",
            "settings": json.dumps(self._resolved(total)),
            **files.source_fingerprint(self.source),
        }
        passthrough = self.info.passthrough_bytes if self.info and self.settings.audio else 0
        self.feed = PacketFeed(reader, passthrough)
        self.reporter = Reporter(self.on_progress, self.started, total, self.feed)
        start = self._start(io.BytesIO(), reader, level=0)
        sizes = start.bytes_written - start.passthrough_bytes, start.passthrough_bytes
        groups = max(1, len(self.cutter.lengths()))
        self.budget = Budget.of(self.settings, fmt, total, groups, sizes, self.feed, self.started)
        place = Place(self.device, self.precision)
        self.planner = Planner(self.settings, codec, fmt, place, self.cutter.keyint > self.gof, self.budget, self.feed)

    def _resolved(self, total: int | None) -> dict[str, str]:
        """All that decides the bytes beside the source: what was chosen, and what this machine makes of it."""
        weights = weights_digest(get_codec(self.codec), self.settings)
        return {
            **self.settings.described(),
            "codec": self.codec,
            **({"weights": weights} if weights else {}),
            "gof": f"{self.gof} at most, even" if self.cutter.even else str(self.gof),
            **({"keyint": str(self.cutter.keyint)} if self.cutter.keyint > self.gof else {}),
            "threads": str(self.threads),
            "device": self.device.partition(":")[0],
            "precision": self.precision,
            "torch": ".".join(torch.__version__.split(".")[:2]),
        }

    def _groups(self, reader: Reader, file: BinaryIO, old: NvcReader | None) -> None:
        pieces = self.cutter.pieces(iter(reader))
        if old is not None:
            pieces = without_written(pieces, self.feed, old)
            self.planner.remember(old)
            if may_lean(get_codec(self.codec)):
                self.state = open_after(old, len(old.groups) - 1).state
            self.writer = Writer.resume(file, old)  # last, because ``old`` reads by moving the file's position
            self.read = self.reporter.frames_done = self.writer.frame_count
            for entry in old.groups:
                self.budget.spend(entry.length, entry.frame_count)
        with engine_for(self.settings, get_codec(self.codec), self.threads, self.device, self.notes) as engine:
            tasks = self._tasks(pieces, engine.slots == 1)
            for task, payload in run_chains(tasks, engine, self.reporter.on_status(lambda: self.writer)):
                self._take(task, self._within_goal(task, payload, engine), reader, file)
        if self.writer is None:
            raise InputError(f"{self.source} holds no frames")
        self.writer.write_packets(self.feed.take())
        self.writer.close()
        files.sync(file)

    def _tasks(self, pieces: Iterator[Piece], alone: bool) -> Iterator[Task]:
        """The groups as jobs; with one slot (``alone``), each is planned when the one before it has been taken."""
        for number, piece in enumerate(pieces):
            if piece.last:  # the packets at the end were read with it, too
                total = self.reporter.frames_total = self.read + len(piece.pictures)
                self.budget.end_at(total)
            else:
                self.budget.replan(1 + len(self.cutter.lengths()))
            self.read += len(piece.pictures)
            key = not may_lean(get_codec(self.codec))
            key |= piece.key if self.video is None else self.video == number == 0 and self.state is None
            planes, spec = [p.planes for p in piece.pictures], self.planner.spec(piece.pictures)
            before = self.state if not key and (alone or number == 0) else None  # else the engine knows it
            job = GroupJob(self.codec, planes, self.format, spec, self.threads, before)
            yield Task(job, key, Tag.of(piece.pictures, self.feed.take()))

    def _take(self, task: Task, payload: GroupPayload, reader: Reader, file: BinaryIO) -> None:
        """Write a coded group."""
        tag: Tag = task.tag
        frames = len(tag.pts)
        self.state = payload.state
        self.planner.learn(payload.config, payload.size, frames)
        writer = self.writer = self.writer or self._open_writer(payload, reader, file, frames)
        writer.write_packets(tag.packets)
        before = writer.bytes_written
        writer.write_group(group_of(payload, tag, writer))
        files.sync(file)
        self.budget.spend(writer.bytes_written - before, frames)
        self.tally.add(payload, frames, writer.group_count - 1)
        self.reporter.group_done(task, payload, writer)

    def _within_goal(self, task: Task, payload: GroupPayload, engine: Engine) -> GroupPayload:
        """The group, coded again where it came out larger than the rest of the goal allows."""
        spec, most = task.job.spec, self.budget.most_for(self.feed)
        for _ in range(RETRIES):
            over = 0 if most is None else group_size(group_of(payload, task.tag, self.writer)) - most
            if over <= 0 or spec.target_bytes is None or spec.target_bytes == 1:
                break
            if payload.filled and not payload.goal_met:
                break  # nothing smaller can be made
            room = max(1, min(spec.target_bytes, payload.size) - over - RETRY_MARGIN)
            spec = replace(spec, target_bytes=room, rest=None)
            again = engine.submit(replace(task.job, spec=spec), self.reporter.fitting(task, self.writer)).result()
            payload = again if again.size < payload.size else payload
        return payload

    def _open_writer(self, first: GroupPayload, reader: Reader, file: BinaryIO, frames: int) -> Writer:
        """The header waits for the first group, whose cost tells the level."""
        codec = get_codec(self.codec)
        cost = codec.cost(first.config, self.format, frames)
        if codec.family == "trained":
            return self._start(file, reader, level_of_trained(cost, max(frames, self.gof)))
        alike = self.settings.size is None and self.settings.bpp is None and self.settings.psnr is None
        level = level_for(cost, first.size, max(frames, self.gof), alike=alike)
        return self._start(file, reader, level, append=bool(self.video))

    def _start(self, file: BinaryIO, reader: Reader, level: int, append: bool = False) -> Writer:
        header = SequenceHeader(self.format, get_codec(self.codec).codec_id, level, video=self.video)
        writer = append_video(file, header) if append else Writer(file, header)
        writer.write_metadata(self.metadata)
        for track in reader.tracks:
            writer.write_track(track)
        return writer

    def _result(self, reader: Reader) -> EncodeResult:
        assert self.writer is not None
        seconds = time.monotonic() - self.started
        return make_result(
            self.target, self.settings, self.writer, self.tally, self.budget, [*reader.warnings, *self.notes], seconds
        )
