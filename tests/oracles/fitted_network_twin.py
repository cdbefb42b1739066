"""What a config says of a fitted codec's network, from bitstream/FITTED.md, section 2: its tensors and its cost.

What the text forbids is a ValueError here.
"""

from __future__ import annotations

import math

from tests.oracles import boost_twin, enerv_twin, nervpp_twin
from tests.oracles.boost_twin import Block

NAMES = {
    1: "nerv", 2: "hnerv", 6: "nirvana", 7: "hnerv-boost", 8: "nerv-boost", 9: "nervpp", 10: "enerv", 11: "enerv-boost",
}  # fmt: skip
GRID = [("grid rows", 1, 1024), ("grid columns", 1, 1024)]
WIDTHS = [("width", 1, 8192), ("reduction", 100, 1600), ("least width", 1, 8192)]
ENCODING = [("base", 100, 400), ("levels", 1, 128)]
BLOCKS = [("stages of one block", 0, 8), ("condition width", 1, 1024)]
NERV = [
    *GRID, ("width", 1, 8192), ("least width", 1, 8192), ("expansion", 1, 16), ("hidden width", 1, 8192), *ENCODING,
]  # fmt: skip
ENERV = [
    *NERV, ("levels of space", 1, 128), ("token width", 1, 1024), ("heads", 1, 16), ("head width", 1, 256),
    ("feed width", 1, 4096),
]  # fmt: skip
HNERV = [*GRID, ("latents", 1, 1024), *WIDTHS, ("first kernel", 1, 15), ("largest kernel", 1, 15)]
FIELDS = {
    "nerv": NERV,
    "hnerv": HNERV,
    "nirvana": [
        ("cell", 1, 16), *GRID, ("latents", 1, 1024), ("hidden width", 1, 8192), *WIDTHS,
        ("octaves of space", 1, 16), ("octaves of time", 1, 16),
    ],
    "hnerv-boost": [*HNERV, *ENCODING, *BLOCKS],
    "nerv-boost": [*NERV, *BLOCKS],
    "nervpp": NERV,
    "enerv": [*ENERV, ("squeeze", 1, 64), ("condition width", 1, 1024)],
    "enerv-boost": [*ENERV, *BLOCKS],
}  # fmt: skip


def require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


class Network:
    """What a config says."""

    def __init__(self, codec_id: int, config: bytes, width: int, height: int) -> None:
        self.name, self._data = NAMES[codec_id], list(config)
        self.strides = [self._number(1, 16) for _ in range(self._number(1, 8))]
        self.fields = {name: self._number(low, high) for name, low, high in FIELDS[self.name]}
        require(not self._data, "config goes on")
        require(all(self.fields.get(f"{which} kernel", 1) % 2 == 1 for which in ("first", "largest")), "an even kernel")
        self.rows, self.columns = (height + 1) // 2, (width + 1) // 2
        self.grid = self.fields["grid rows"], self.fields["grid columns"]
        scale = math.prod(self.strides) * self.fields.get("cell", 1)
        require(self.grid == (-(-self.rows // scale), -(-self.columns // scale)), "another grid")
        self.cells = self.grid[0] * self.grid[1]
        self.like_nerv = self.name in ("nerv", "nerv-boost", "nervpp", "enerv", "enerv-boost")
        self.tokens = "token width" in self.fields
        self.gates = 2 if self.name == "nervpp" else 1
        self.boosted = self.name.endswith("-boost")

    def _number(self, low: int, high: int) -> int:
        value = 0
        for place in range(4):
            require(bool(self._data), "config ends early")
            byte = self._data.pop(0)
            value |= (byte & 127) << 7 * place
            if byte < 128:
                require(byte > 0 or place == 0, "not the shortest form")
                require(low <= value <= high, "out of range")
                return value
        raise ValueError("more than four bytes")

    def widths(self) -> list[int]:
        least, out = self.fields["least width"], [self.fields["width"]]
        for i, s in enumerate(self.strides):
            if not self.like_nerv:
                out.append(max(round(out[-1] / (self.fields["reduction"] / 100)), least))
            elif i == 0:
                out.append(out[0] * self.fields["expansion"])
            else:
                out.append(max(out[-1] // 2, least) if s > 1 else out[-1])
        return out

    def kernels(self) -> list[int]:
        stages = range(len(self.strides))
        if "first kernel" not in self.fields:
            return [3 for _ in stages]
        return [min(self.fields["first kernel"] + 2 * i, self.fields["largest kernel"]) for i in stages]

    @property
    def inputs(self) -> int:
        """``I``, of nirvana."""
        return 4 * self.fields["octaves of space"] + 2 * self.fields["octaves of time"] + self.fields["latents"]

    def stages(self) -> list[Block]:
        """With all that boosts them, if the name says so."""
        w = self.widths()
        plain = [
            Block(w[i], w[i + 1], s, k) for i, (s, k) in enumerate(zip(self.strides, self.kernels(), strict=True))
        ]  # fmt: skip
        if not self.boosted:
            return plain
        stem = None if self.like_nerv else Block(self.fields["latents"], w[0], 1, 1)
        return boost_twin.blocks(plain, self.fields["stages of one block"], stem)

    def tensors(self) -> list[tuple[int, ...]]:
        f, w = self.fields, self.widths()
        layers: list[tuple[int, ...]] = []
        if self.boosted:
            layers += boost_twin.condition_layers(self.stages(), f["levels"], f["condition width"])
        if self.tokens:
            layers += enerv_twin.stem_layers(f)
        elif self.like_nerv:
            opened = f["hidden width"] * self.gates
            layers += [(opened, 2 * f["levels"]), (self.cells * w[0], f["hidden width"])]
        elif self.name == "hnerv":
            layers += [(w[0], f["latents"], 1, 1)]
        elif self.name == "nirvana":
            h = f["hidden width"]
            layers += [(h, self.inputs), (h, h), (f["cell"] ** 2 * w[0], h)]
        if self.boosted:
            layers += boost_twin.block_layers(self.stages())
        elif self.name == "enerv":
            layers += enerv_twin.condition_layers(f, self.stages()) + enerv_twin.stage_layers(f, self.stages())
        elif self.name == "nervpp":
            layers += [layer for stage in self.stages() for layer in nervpp_twin.layers(stage)]
        else:
            layers += [(b.c_out * b.stride**2, b.c_in, b.kernel, b.kernel) for b in self.stages()]
        head = 1 if self.like_nerv else 3
        return [shape for layer in [*layers, (6, w[-1], head, head)] for shape in (layer, layer[:1])]

    def cost(self, frames: int) -> tuple[int, int, int]:
        """Parameters, multiply-adds of a picture, activation bytes."""
        f, w, cells = self.fields, self.widths(), self.cells
        parameters = sum(math.prod(shape) for shape in self.tensors()) + f.get("latents", 0) * frames * cells
        macs, most, area, stem = 0, [], cells, 0
        if self.tokens:
            macs, stem = enerv_twin.stem_cost(f, cells)
        elif self.like_nerv:
            macs = f["hidden width"] * (2 * self.gates * f["levels"] + cells * w[0])
        elif self.name == "hnerv":
            macs = cells * f["latents"] * w[0]
        elif self.name == "nirvana":
            h, patch = f["hidden width"], f["cell"] ** 2 * w[0]
            area *= f["cell"] ** 2
            macs = cells * h * (self.inputs + h + patch)
            most = [cells * (self.inputs + 2 * h), cells * 3 * h, cells * (h + 2 * patch)]
        if self.boosted:
            own, most, area = boost_twin.cost(self.stages(), f["levels"], f["condition width"], cells)
            macs += own
        elif self.name == "enerv":
            own, most, area = enerv_twin.cost(f, self.stages(), cells)
            macs += own
        elif self.name == "nervpp":
            for b in self.stages():
                own, alive = nervpp_twin.cost(b, area)
                macs, most, area = macs + own, most + alive, area * b.stride**2
        else:
            for b in self.stages():
                macs += area * b.c_in * b.c_out * b.stride**2 * b.kernel**2
                most.append(area * (b.c_in + 2 * b.c_out * b.stride**2))
                area *= b.stride**2
        macs += (1 if self.like_nerv else 9) * 6 * area * w[-1]
        return parameters, macs, 4 * max(*most, stem, area * (w[-1] + 12))
