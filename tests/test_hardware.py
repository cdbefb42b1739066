"""Precision follows what the machine can do; a wish for what is not there is a clear error."""

import subprocess
import sys

import pytest
import torch

from nvcodec import hardware
from nvcodec.errors import UsageError


@pytest.mark.parametrize(
    ("flags", "precision"),
    [(set(), "fp32"), ({"avx2", "avx512f"}, "fp32"), ({"amx_bf16"}, "bf16"), ({"avx512_bf16", "avx2"}, "bf16")],
)
def test_precision_follows_the_flags(monkeypatch, flags, precision):
    monkeypatch.setattr(hardware, "cpu_flags", lambda: frozenset(flags))
    assert hardware.fast_precision("cpu") == precision


def test_devices():
    assert hardware.pick_device("cpu") == "cpu"
    assert hardware.pick_device() == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UsageError, match="'tpu' is not available"):
        hardware.pick_device("tpu")


def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="devices: cpu"):
        hardware.pick_device("cuda:1")


def test_the_machine_has_a_name():
    assert hardware.cpu_model()
    assert isinstance(hardware.cpu_flags(), frozenset)


def test_the_allocator_can_be_left_alone(monkeypatch):
    monkeypatch.setenv(hardware.NO_MALLOC_TUNING, "1")
    assert hardware.tune_allocator() is False


def test_tuning_the_allocator_does_no_harm():
    """In a process of its own: it is for good."""
    code = "from nvcodec.hardware import tune_allocator as tune; print(tune() in (True, False)); bytearray(1 << 26)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert run.stdout.strip() == "True"


def test_reports_survive_without_proc(monkeypatch):
    def missing(*_: object, **__: object) -> str:
        raise OSError

    hardware.cpu_flags.cache_clear()
    monkeypatch.setattr(hardware.Path, "read_text", missing)
    assert hardware.cpu_flags() == frozenset() and hardware.cpu_model() == "unknown CPU"
    hardware.cpu_flags.cache_clear()


def test_determinism_is_asked_for_on_gpus_only_and_given_back(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with hardware.deterministic("cpu"):
        assert not torch.are_deterministic_algorithms_enabled()
    with pytest.raises(ValueError), hardware.deterministic("cuda:0"):
        assert torch.is_deterministic_algorithms_warn_only_enabled() and torch.backends.cudnn.deterministic
        raise ValueError
    assert not torch.are_deterministic_algorithms_enabled() and not torch.backends.cudnn.deterministic
    assert torch.utils.deterministic.fill_uninitialized_memory
