"""``python -m nvcodec.entropy.bench [--json] [--symbols N] [--simd NAME ...] [--threads N ...] [--no-peers]``"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict

from nvcodec.entropy import native
from nvcodec.entropy.bench.cases import CASES, make_case
from nvcodec.entropy.bench.clock import Clock
from nvcodec.entropy.bench.ours import CHUNK, core_rows, end_to_end_rows
from nvcodec.entropy.bench.peers import peer_rows
from nvcodec.entropy.bench.row import HEADING, Row
from nvcodec.hardware import tune_allocator
from nvcodec.provenance import machine


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nvcodec.entropy.bench",
        description="Times the entropy coder, and CompressAI's, constriction and torchac where they are installed. "
        "Times are medians of repetitions around which the core ran at its full clock; 'clean' counts them.",
    )
    parser.add_argument("--json", action="store_true", help="a JSON object a line instead of a table")
    parser.add_argument("--symbols", type=int, default=4_000_000, metavar="N", help="symbols of each case")
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=list(CASES), help="which symbols")
    parser.add_argument("--simd", nargs="+", choices=native.simd_names(), default=native.simd_names())
    parser.add_argument("--threads", nargs="+", type=int, default=[1, os.cpu_count() or 1], metavar="N")
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    return parser


def rows(arguments: argparse.Namespace) -> Iterator[Row]:
    clock = Clock()
    for name in arguments.case:
        case = make_case(name, arguments.symbols)
        ideal = case.ideal_bits()
        for simd in arguments.simd:
            yield from core_rows(case, simd, ideal, clock)
            yield from end_to_end_rows(case, simd, sorted(set(arguments.threads)), ideal, clock)
        if not arguments.no_peers:
            yield from peer_rows(case, clock)


def main(argv: list[str] | None = None) -> int:
    parser = _parser()
    arguments = parser.parse_args(argv)
    if not native.AVAILABLE:
        parser.error("the native coder was not built")
    if arguments.symbols < CHUNK or min(arguments.threads) < 1:
        parser.error(f"at least {CHUNK} symbols and 1 thread are needed")
    tune_allocator()
    if not arguments.json:
        print(f"{machine()}; {arguments.symbols} symbols a case\n{HEADING}")
    for row in rows(arguments):
        print(json.dumps(asdict(row)) if arguments.json else row.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
