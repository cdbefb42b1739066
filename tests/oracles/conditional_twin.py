"""Groups of the conditional codec decoded a second time, from bitstream/CONDITIONAL.md: numpy, pictures in float64.

What the text shares with TRAINED.md is :mod:`tests.oracles.trained_twin`'s; bytes of fields and prediction from a field
are the package's twins in Python. What the text forbids is a ValueError here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nvcodec.motion import coding_py, warp_py
from tests.oracles.prior_twin import ResidualTwin
from tests.oracles.trained_twin import (
    Synthesis,
    UnitLike,
    UnitReader,
    Weights,
    enlarged,
    number,
    planes,
    require,
)

REACH, LOW, HIGH = 32, -4096, 4095
Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass
class Frame:
    """What a unit says."""

    time: int
    quality: int
    references: tuple[int, ...]  # units
    fields: list[np.ndarray] = field(default_factory=list)  # (2 rows, 2 columns, 2), x before y
    z: np.ndarray = field(default_factory=lambda: np.zeros(0))
    latents: np.ndarray = field(default_factory=lambda: np.zeros(0))


# units: sections 1 and 3


class Group:
    """A group's integers; pictures when they are asked for."""

    def __init__(self, config: bytes, intra: Weights, own: Weights, width: int, height: int, bit_depth: int) -> None:
        require(len(config) == 18, "a config of another length")
        require(config[:8] == intra.id and config[8:16] == own.id, "a config of other weights")
        require("side" in own.sizes["prior"] and "side" not in intra.sizes["prior"], "weights of the other kind")
        require(config[16] < 64 and config[17] < 64, "a config out of range")
        self.intra, self.own, self.skip = intra, own, config[17]
        self.width, self.height, self.bit_depth = width, height, bit_depth
        self.frames: list[Frame] = []

    @property
    def size(self) -> tuple[int, int]:
        return -(-self.height // 16), -(-self.width // 16)

    def read(self, unit: UnitLike) -> None:
        at, count = len(self.frames), len(unit.references)
        require(count <= 2 and len(set(unit.references)) == count, "too many references")
        require(all(0 <= at - r - 1 < REACH and r >= 0 for r in unit.references), "a reference out of reach")
        require(len(unit.payload) > 0, "an empty payload")
        head, rest = unit.payload[0], unit.payload[1:]
        both = head >> 6 & 1
        require(head < 128 and (count == 2 or not both), "a reserved head")
        frame = Frame(unit.first, head & 63, unit.references)
        if count == 2 and not both:
            a = self.frames[unit.references[0]]
            require(a.references[:1] == unit.references[1:], "a way that is not there")
        forecasts: list[np.ndarray | None] = []
        coded, rest = split_fields(rest, 0 if not count else 1 + both)
        for data in coded:
            forecasts.append(self._forecast(frame, bool(both)))
            frame.fields.append(self._field(data, forecasts[-1]))
        self._latents(frame, rest or bytes(3), forecasts)
        self.frames.append(frame)

    def _latents(self, frame: Frame, payload: bytes, forecasts: list[np.ndarray | None]) -> None:
        reader = UnitReader(self.own if frame.references else self.intra, frame.quality, self.skip, self.size)
        behind = [self.frames[r] for r in frame.references]
        if behind:
            reader.prior = ResidualTwin(self.own.part("prior."), frame.quality, side(frame, behind, forecasts))
        last, older = ([f.latents for f in behind] + [None, None])[:2]
        reader.read(payload, last, older)
        frame.z, frame.latents = reader.z[0], reader.latents[0]

    def _field(self, data: bytes, previous: np.ndarray | None) -> np.ndarray:
        require(max(self.width, self.height) <= 16384, "a side of a field is too long")
        rows, columns = self.size
        require(len(data) <= 256 * (rows * columns + 1), "too many bytes of a field")
        out = np.zeros((2 * rows, 2 * columns, 2), np.int16)
        before = None if previous is None else previous.astype(np.int16)
        coding_py.decode_motion(data, before, self.width, self.height, out)
        return out.astype(np.int64)

    # section 4

    def _forecast(self, frame: Frame, both: bool) -> np.ndarray | None:
        """Of the field that is read next."""
        t, units = frame.time, frame.references
        behind = [self.frames[unit] for unit in units]
        if frame.fields:
            return self._scaled(frame.fields[0], behind[1].time - t, behind[0].time - t)
        a = behind[0]
        if not both:
            return self._scaled(a.fields[0], a.time - t, self._shown(a, 0) - a.time) if a.references else None
        b = behind[1]
        if b.references and b.references[0] == units[0]:
            return self._scaled(b.fields[0], a.time - t, a.time - b.time)
        if len(a.fields) == 2 and a.references[1] == units[1]:
            return self._scaled(a.fields[1], a.time - t, b.time - a.time)
        return None

    def _shown(self, frame: Frame, reference: int) -> int:
        return self.frames[frame.references[reference]].time

    def _scaled(self, vectors: np.ndarray, span: int, of: int) -> np.ndarray:
        span, of = (-span, -of) if of < 0 else (span, of)
        return self._settled(np.vectorize(lambda v: (2 * int(v) * span + of) // (2 * of))(vectors))

    def _trace(self, f: np.ndarray, g: np.ndarray) -> np.ndarray:
        out = np.zeros_like(f)
        for i in range(f.shape[0]):
            for j in range(f.shape[1]):
                x, y = (int(v) for v in f[i, j])
                r = min(max((32 * i + 16 + y) >> 5, 0), -(-self.height // 8) - 1)
                s = min(max((32 * j + 16 + x) >> 5, 0), -(-self.width // 8) - 1)
                out[i, j] = x + g[r, s, 0], y + g[r, s, 1]
        return self._settled(out)

    def _settled(self, vectors: np.ndarray) -> np.ndarray:
        out = np.clip(vectors, LOW, HIGH)
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                if 8 * i >= self.height or 8 * j >= self.width:
                    out[i, j] = out[i - i % 2, j - j % 2]
        return out

    def predictions(self, unit: int, references: Sequence[Planes]) -> list[Planes]:
        """One or two, from the pictures of the unit's references."""
        frame = self.frames[unit]
        fields = list(frame.fields)
        if len(fields) < len(references):
            fields.append(self._trace(fields[0], self.frames[frame.references[0]].fields[0]))
        return [self._warped(picture, vectors) for picture, vectors in zip(references, fields, strict=True)]

    def _warped(self, picture: Planes, vectors: np.ndarray) -> Planes:
        y, u, v = (np.asarray(plane, np.int64) for plane in picture)
        out = np.zeros_like(y), np.zeros_like(u), np.zeros_like(v)
        for index, (source, target) in enumerate(zip((y, u, v), out, strict=True)):
            warp_py.warp_plane(source, vectors.astype(np.int16), index > 0, self.bit_depth, target)
        return out

    # sections 6 and 7

    def picture(self, unit: int, references: Sequence[Planes]) -> Planes:
        """Float64, rounded and clipped."""
        frame = self.frames[unit]
        u = frame.latents / 16
        if not references:
            samples = Synthesis(self.intra.part("synthesis."), frame.quality).picture(u)
        else:
            known = [features(p, self.size, self.bit_depth) for p in self.predictions(unit, references)]
            context = Context(self.own.part("context."), frame.quality)
            prediction, seen = context.see(known, len(frame.fields) == 2)
            synthesis = PredictedSynthesis(self.own.part("synthesis."), frame.quality)
            samples = prediction + synthesis.difference(u, seen)
        return planes(samples, self.width, self.height, self.bit_depth)

    def pictures(self) -> list[Planes]:
        """Of all units, each from the twin's own references; in the order of the units."""
        made: list[Planes] = []
        for number_, frame in enumerate(self.frames):
            made.append(self.picture(number_, [made[r] for r in frame.references]))
        return made

    @property
    def symbol_hash(self) -> bytes:
        digest = hashlib.blake2b(digest_size=8)
        for frame in self.frames:
            for array in (np.array([frame.quality]), *frame.fields, frame.z, frame.latents):
                digest.update(array.size.to_bytes(8, "little") + array.astype("<i4").tobytes())
        return digest.digest()


def decode_group(
    config: bytes, units: Sequence[UnitLike], intra: Weights, own: Weights, width: int, height: int, bit_depth: int = 8
) -> Group:
    """Everything that a group's units say, but pictures."""
    group = Group(config, intra, own, width, height, bit_depth)
    require(all(unit.count == 1 for unit in units), "a unit of several frames")
    require(sorted(unit.first for unit in units) == list(range(len(units))), "a frame is not shown once")
    require(all(abs(unit.first - n) <= REACH for n, unit in enumerate(units)), "a frame far from its unit")
    for unit in units:
        group.read(unit)
    return group


def split_fields(data: bytes, count: int) -> tuple[list[bytes], bytes]:
    """Bytes of each field, and what is left."""
    fields = []
    for _ in range(count):
        length, at = number(data, 0)
        require(at + length <= len(data), "a field is longer than the payload")
        fields.append(data[at : at + length])
        data = data[at + length :]
    return fields, data


# side channels: section 5.1


def distance(v: np.ndarray, u: np.ndarray | tuple[int, int]) -> int:
    return abs(int(v[0]) - int(u[0])) + abs(int(v[1]) - int(u[1]))


def side(frame: Frame, behind: Sequence[Frame], forecasts: Sequence[np.ndarray | None]) -> np.ndarray:
    """(h, w, 16)."""
    vectors = frame.fields[0]
    rows, columns = vectors.shape[0] // 2, vectors.shape[1] // 2
    out = np.zeros((rows, columns, 16), np.int64)
    for i in range(rows):
        for j in range(columns):
            v, c = vectors[2 * i, 2 * j], out[i, j]
            for channel, (r, s) in enumerate(((i, j - 1), (i - 1, j), (i, j + 1), (i + 1, j))):
                if 0 <= r < rows and 0 <= s < columns:
                    c[channel] = distance(v, vectors[2 * r, 2 * s])
            c[4] = max(distance(v, vectors[2 * i + k // 2, 2 * j + k % 2]) for k in (1, 2, 3))
            c[5] = distance(v, (0, 0))
            c[6] = 0 if forecasts[0] is None else distance(v, forecasts[0][2 * i, 2 * j])
            c[7], c[8] = 64 * (v[0] % 4 != 0), 64 * (v[1] % 4 != 0)
            c[9] = 0 if behind[0].references else 64
            for k, reference in enumerate(behind):
                c[10 + k] = 4 * (frame.quality - reference.quality)
                c[12 + k] = 8 * abs(frame.time - reference.time)
            if len(frame.fields) == 2:
                assert forecasts[1] is not None
                c[14], c[15] = 64, distance(frame.fields[1][2 * i, 2 * j], forecasts[1][2 * i, 2 * j])
    return np.clip(out, -255, 255)


# pictures: section 6; arrays are (channels, rows, columns)


def features(picture: Planes, size: tuple[int, int], bit_depth: int) -> np.ndarray:
    """(96, 2h, 2w)."""
    h, w = size
    out = []
    for plane, factor in zip(picture, (8, 4, 4), strict=True):
        rows, columns = 2 * h * factor, 2 * w * factor
        edge = (0, rows - plane.shape[0]), (0, columns - plane.shape[1])
        padded = np.pad(plane.astype(np.float64), edge, mode="edge") * (255 / (2**bit_depth - 1)) - 128
        out += [padded[p // factor :: factor, p % factor :: factor] for p in range(factor * factor)]
    return np.stack(out)


class Context(Synthesis):
    def see(self, seen: Sequence[np.ndarray], both: bool) -> tuple[np.ndarray, np.ndarray]:
        """The blended prediction and the context, of the features of one or two predictions."""
        base = seen[0]
        apart = seen[1] - seen[0] if len(seen) == 2 else None
        if apart is not None and both:
            base = base + apart / 2
        x = self.linear("stem", self.scale("look") * np.tensordot(self.arrays["linear"], base, 1))
        if apart is None:
            return base, self.blocks("blocks", x)
        other = self.scale("look_second") * np.tensordot(self.arrays["linear"], apart, 1)
        x = self.blocks("blocks", x + self.linear("stem_second", other))
        return base + np.clip(self.linear("blend", x), -1, 1) * apart, x


class PredictedSynthesis(Synthesis):
    def difference(self, u: np.ndarray, context: np.ndarray) -> np.ndarray:
        """What latents (384, h, w) in quantisation steps add to the prediction, (96, 2h, 2w)."""
        look = self.scale("look")
        channels = np.zeros((len(u) // 4, 2 * u.shape[1], 2 * u.shape[2]))
        for place in range(4):
            channels[:, place // 2 :: 2, place % 2 :: 2] = u[place::4]
        x = self.blocks("coarse", self.linear("coarse_stem", np.repeat(look, 4, axis=0) * u))
        x = enlarged(self.linear("up", x))
        x = x + self.linear("stem", look * channels) + self.linear("join", context)
        x = self.blocks("fine", x)
        channels = channels + self.scale("unit") * self.linear("head", x)
        return np.tensordot(self.arrays["linear"], self.scale("step") * channels, 1)
