"""Each convention against the library it is named after: trajectories of the real torch, optax and Keras.

The data and the script that made them are in ``golden/``. Every case starts from that library's defaults, so
it also proves that ``convention=`` sets all of them.
"""

import inspect
from pathlib import Path

import numpy as np
import pytest

import schuss
from golden.cases import CASES, Case

DATA = np.load(Path(__file__).parent / "golden" / "trajectories.npz")


def trajectory(case: Case, dtype: type) -> np.ndarray:
    """Parameters of schuss after the kept steps, one row each, both tensors end to end."""
    flat, grads = DATA["start"].astype(dtype), DATA["grads"].astype(dtype)
    params = {"w": flat[:6].reshape(2, 3).copy(), "b": flat[6:].copy()}
    optimizer = getattr(schuss, case.rule)(params, convention=case.library, **case.options)
    rows = []
    for step, grad in enumerate(grads, start=1):
        optimizer.step({"w": grad[:6].reshape(2, 3), "b": grad[6:]})
        if case.lr_factor != 1:
            optimizer.lr *= case.lr_factor
        if step in DATA["kept"]:
            averaged = "ema" in case.options or case.label == "average"
            shown = optimizer.averaged_params() if averaged else params
            rows.append(np.concatenate([shown["w"].ravel(), shown["b"]]))
    return np.stack(rows)


def check(case: Case, dtype: type, tolerance: float, slack: float) -> None:
    """Compares: `tolerance` relative to max(1, |p|), plus `slack` times the peer's own rounding error."""
    theirs = DATA[f"{case.name}-{np.dtype(dtype).name}"]
    exact = DATA[f"{case.name}-float64"]
    ours = trajectory(case, dtype)
    assert ours.dtype == dtype
    allowed = tolerance * np.maximum(1, np.abs(exact)) + slack * np.abs(theirs - exact).max()
    worst = np.unravel_index(np.argmax(np.abs(ours - theirs) - allowed), ours.shape)
    assert np.all(np.abs(ours - theirs) <= allowed), (
        f"step {DATA['kept'][worst[0]]}, parameter {worst[1]}: {ours[worst]}, {case.library} {theirs[worst]}"
    )


def implemented(case: Case) -> pytest.param:
    """The case, skipped as long as schuss has no such rule or option."""
    rule = getattr(schuss, case.rule, None)
    has = rule is not None and set(case.options) <= set(inspect.signature(rule).parameters)
    missing = pytest.mark.skipif(not has, reason=f"no schuss.{case.rule} like this yet")
    return pytest.param(case, id=case.name, marks=missing)


@pytest.mark.parametrize("case", [implemented(case) for case in CASES])
def test_float64(case: Case) -> None:
    # optax computes its own warm-up in single precision whatever the parameters are.
    tolerance = 1e-7 if case.library == "optax" and "warmup_steps" in case.options else 1e-12
    check(case, np.float64, tolerance, 0)


@pytest.mark.parametrize("case", [implemented(case) for case in CASES])
def test_float32(case: Case) -> None:
    # The peer's float32 run strays from its own float64 run; ours may stray as far to the other side.
    check(case, np.float32, 1e-6, 2)


def test_data_moves() -> None:
    """No case stands still: each moves by much more than the tolerance of its test."""
    for case in CASES:
        path = DATA[f"{case.name}-float64"]
        assert np.abs(path[-1] - DATA["start"]).max() > 5e-5, case.name
