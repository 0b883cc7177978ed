"""The same seeds give the same bits as before: rebuilding the house must not move a number."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
FEATURES = np._core._multiarray_umath.__cpu_features__ if hasattr(np, "_core") else {}


@pytest.mark.skipif(not (FEATURES.get("AVX2") and FEATURES.get("FMA3")), reason="recorded with AVX2 and FMA")
def test_parameters_after_training_are_those_that_were_recorded():
    environment = {**os.environ, "SCHUSS_SIMD": "avx2"}
    made = subprocess.run(
        [sys.executable, HERE / "bits.py"], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    assert json.loads(made.stdout) == json.loads((HERE / "golden" / "bits.json").read_text())


@pytest.mark.parametrize(
    ("name", "accepted"), [("", True), ("portable", True), ("avx", False), ("AVX2", False)]
)
def test_instruction_sets_of_an_unknown_name_are_refused_at_once(name, accepted):
    environment = {**os.environ, "SCHUSS_SIMD": name}
    made = subprocess.run(
        [sys.executable, "-c", "import schuss"], env=environment, capture_output=True, text=True, check=False
    )
    assert (made.returncode == 0) is accepted
    if not accepted:
        last = made.stderr.strip().splitlines()[-1]
        assert last.startswith("ValueError: SCHUSS_SIMD must be one of portable")
        assert last.endswith(f', got "{name}"')
