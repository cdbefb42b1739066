"""Benchmark scripts, run from the repository root as ``python -m eval.NAME``. Nothing in the package imports them."""
