"""Finished jobs in a folder, by their names: what any machine with the same folder has done is not done again."""

from __future__ import annotations

import json
import os
import struct
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import fields
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import uuid4

from nvcodec.codecs.base import GroupPayload, TrainedCodec
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.weights import weights_digest
from nvcodec.container import Unit
from nvcodec.engines.engine import Closing, Engine, OnStatus
from nvcodec.engines.job import GroupJob
from nvcodec.errors import NvcodecError, OutputError

MAGIC = b"NVCJOB\x00\x01"
DIGEST = 16  # bytes, of all that follows them
_LENGTH = struct.Struct("<I")  # of the head, JSON; then come config and the units' payloads
_APART = {"config", "units", "symbol_hash", "picture_hash", "state"}
_PLAIN = [field.name for field in fields(GroupPayload) if field.name not in _APART]
_WRONG = (OSError, ValueError, KeyError, TypeError, struct.error, NvcodecError)


class JobCache:
    """Payloads as files. A file that is partial, damaged or of other code is as good as none."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder. Raises OutputError if it cannot be made."""
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: {error.strerror}") from None

    def path(self, job: GroupJob) -> Path:
        """Where the job's result is kept. Raises what the codec's weights raise."""
        codec = get_codec(job.codec)
        weights: list[str] = []
        if isinstance(codec, TrainedCodec):
            weights = weights_digest(codec.weight_files(job.spec.model)).split()
        return self._folder / ("-".join([job.name(), *weights]) + ".job")

    def load(self, path: Path, job: GroupJob) -> GroupPayload | None:
        """The result of an equal job, with its state; None if there is none."""
        try:
            data = path.read_bytes()
            body = data[len(MAGIC) + DIGEST :]
            if data[: len(MAGIC) + DIGEST] != MAGIC + _digest(body):
                return None
            payload, state = _unpack(body)
            if state is not None:
                payload.state = _state(job, payload)
            return payload if (payload.state.digest().hex() if payload.state else None) == state else None
        except _WRONG:
            return None

    def store(self, path: Path, payload: GroupPayload) -> None:
        """Keep a result. A folder without room, or one that has gone, is no failure."""
        body = _pack(payload)
        part = self._folder / f".{uuid4().hex}.part"
        try:
            part.write_bytes(MAGIC + _digest(body) + body)
            os.replace(part, path)
        except _WRONG:
            with suppress(OSError):
                part.unlink()


class CachedEngine(Closing):
    """Another engine, which is asked only for what the folder lacks."""

    def __init__(self, engine: Engine, cache: JobCache) -> None:
        self.slots = engine.slots
        self._engine, self._cache = engine, cache

    def submit(self, job: GroupJob, on_status: OnStatus | None = None) -> Future[GroupPayload]:
        try:
            path = self._cache.path(job)
        except NvcodecError:  # of its weights: the job will say so
            return self._engine.submit(job, on_status)
        known = self._cache.load(path, job)
        if known is not None:
            future: Future[GroupPayload] = Future()
            future.set_running_or_notify_cancel()
            future.set_result(known)
            return future
        future = self._engine.submit(job, on_status)
        future.add_done_callback(partial(self._store, path))
        return future

    def close(self) -> None:
        self._engine.close()

    def _store(self, path: Path, future: Future[GroupPayload]) -> None:
        if not future.cancelled() and future.exception() is None:
            self._cache.store(path, future.result())


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=DIGEST).digest()


def _state(job: GroupJob, payload: GroupPayload) -> Any:
    """What the group leaves to the next, decoded again."""
    before = job.previous if payload.leans else None
    codec = get_codec(job.codec)
    decoder = codec.open_group(payload.config, payload.units, job.format, len(job.frames), previous=before)
    return getattr(decoder, "state", None)


def _pack(payload: GroupPayload) -> bytes:
    head = {
        **{name: getattr(payload, name) for name in _PLAIN},
        "config": len(payload.config),
        "units": [[unit.first, unit.count, unit.references, len(unit.payload)] for unit in payload.units],
        "hashes": [payload.symbol_hash.hex(), payload.picture_hash.hex()],
        "state": None if payload.state is None else payload.state.digest().hex(),
    }
    text = json.dumps(head).encode()
    return b"".join([_LENGTH.pack(len(text)), text, payload.config, *(unit.payload for unit in payload.units)])


def _unpack(body: bytes) -> tuple[GroupPayload, str | None]:
    """The payload without its state, and that one's digest. Raises one of ``_WRONG``."""
    at = _LENGTH.size + _LENGTH.unpack_from(body)[0]
    head = json.loads(body[_LENGTH.size : at])
    lengths = [head["config"], *(unit[3] for unit in head["units"])]
    ends = [at + sum(lengths[: i + 1]) for i in range(len(lengths))]
    if ends[-1] != len(body):
        raise ValueError("lengths do not add up")
    config, *payloads = (body[end - length : end] for end, length in zip(ends, lengths, strict=True))
    units = [
        Unit(first, count, tuple(references), data)
        for (first, count, references, _), data in zip(head["units"], payloads, strict=True)
    ]
    symbol_hash, picture_hash = map(bytes.fromhex, head["hashes"])
    plain = {name: head[name] for name in _PLAIN}
    payload = GroupPayload(config=config, units=units, symbol_hash=symbol_hash, picture_hash=picture_hash, **plain)
    return payload, head["state"]
