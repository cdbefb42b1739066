"""The example that users of the coder alone begin with, run as it stands; and tables for an array of spreads."""

import re
from pathlib import Path

import numpy as np

from nvcodec.entropy.tables import GAUSSIAN, gaussian_index, gaussian_indices

README = Path(__file__).resolve().parents[2] / "cuda_ext" / "README.md"


def test_the_example_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names: dict = {}
    exec(compile(code, str(README), "exec"), names)
    assert names["bits"] / 8 <= len(names["data"]) < 2 * names["latents"].size


def test_tables_of_many_spreads():
    sigmas = np.array([[0.0, 0.11, 1.0], [4.0, 64.0, 1e9]])
    found = gaussian_indices(sigmas)
    assert found.dtype == np.uint8 and found.shape == sigmas.shape
    assert found.tolist() == [[gaussian_index(s) for s in row] for row in sigmas]
    assert found[0, 0] == 0 and found[1, 2] == GAUSSIAN.size - 1
    own = [GAUSSIAN.sigma(i) for i in range(GAUSSIAN.size)]
    assert gaussian_indices(np.array(own)).tolist() == list(range(GAUSSIAN.size))
