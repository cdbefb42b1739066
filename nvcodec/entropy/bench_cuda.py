"""The coder's speed on a GPU: time in kernels, by CUDA events, with symbols and indices on the device.

    python -m nvcodec.entropy.bench_cuda

Run nothing else on that GPU. Copies, and the header that the host writes and reads, are not counted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from statistics import median

import torch

from nvcodec.entropy.bench.cases import Case, make_case
from nvcodec.entropy.cuda import CHUNK_SYMBOLS, timed_decode, timed_encode, why_not
from nvcodec.entropy.tables import GAUSSIAN
from nvcodec.errors import NvcodecError, UsageError

LARGE = 1 << 26  # symbols: 64 MiB of indices, 128 MiB of values
LATENTS = 1 << 20  # about those of a picture of 1920 x 1080
REPEATS = 9
Row = dict[str, str | int | float]


def _median_us(runs: list[list[float]]) -> tuple[float, list[float]]:
    """Median of the sums, and the kernels of such a run."""
    runs = sorted(runs, key=sum)
    middle = runs[len(runs) // 2]
    return median(sum(run) for run in runs), middle


def _row(case: Case, op: str, size: int, runs: list[list[float]], chunk_symbols: int) -> Row:
    total, kernels = _median_us(runs)
    return {
        "coder": "nvcodec",
        "case": case.name,
        "op": op,
        "scope": "kernel",
        "simd": "cuda",
        "threads": 1,
        "symbols": len(case.values),
        "chunk_symbols": chunk_symbols,
        "msym_per_s": len(case.values) / total,
        "over_ideal": 8 * size / case.ideal_bits() - 1,
        "kernel_us": total,
        "last_kernel_us": kernels[-1] if op == "decode" else kernels[2],  # rANS, and raw bits in decoding
    }


def case_rows(case: Case, chunk_symbols: int) -> Iterator[Row]:
    """Both directions of one case. Raises RuntimeError if the symbols do not come back."""
    values, indices = torch.from_numpy(case.values).cuda(), torch.from_numpy(case.indices).cuda()
    data, _ = timed_encode(values, indices, GAUSSIAN, chunk_symbols)
    decoded, _ = timed_decode(data, indices, GAUSSIAN, torch.int16)
    if not torch.equal(decoded, values):
        raise RuntimeError(f"{case.name} does not come back")
    encodes = [timed_encode(values, indices, GAUSSIAN, chunk_symbols)[1] for _ in range(REPEATS)]
    decodes = [timed_decode(data, indices, GAUSSIAN, torch.int16)[1] for _ in range(REPEATS)]
    yield _row(case, "encode", len(data), encodes, chunk_symbols)
    yield _row(case, "decode", len(data), decodes, chunk_symbols)


def rows(large: int = LARGE, latents: int = LATENTS) -> Iterator[Row]:
    """One table, and a table a symbol, of `large` symbols; then latents in 32 and in 64 chunks. Raises UsageError."""
    if why_not():
        raise UsageError(why_not())
    for name in ("one_table", "per_symbol"):
        yield from case_rows(make_case(name, large), CHUNK_SYMBOLS)
    for name in ("per_symbol", "latent_like"):
        for chunks in (32, 64):
            yield from case_rows(make_case(name, latents), latents // chunks)


def main() -> int:
    try:
        for row in rows():
            print(json.dumps(row), flush=True)
    except NvcodecError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
