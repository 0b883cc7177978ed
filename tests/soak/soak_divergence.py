"""Diverging trainings, as many as there is time for."""

import numpy as np

import divergence
import schuss as sc


def test_parameters_stay_finite(soak):
    rng = np.random.default_rng(soak.seed)
    for combination in divergence.combinations():
        if not soak.goes_on():
            break
        threads, rows = int(rng.integers(1, 9)), int(rng.choice([1, 40, 5000]))
        how = {"rows": rows, "batch_size": int(rng.choice([1, 7, 16, 5000])) if rows < 100 else 4500}
        how |= {"epochs": int(rng.integers(1, 4)), "weights": float(rng.choice([1.0, 1e10, 1e30]))}
        net, outcome = divergence.fit(combination, threads, **how)
        divergence.check(combination, net, outcome)
        again, other = divergence.fit(combination, int(rng.integers(1, 9)), **how)
        assert net.theta.tobytes() == again.theta.tobytes(), (combination, how)
        assert str(outcome) == str(other) or not isinstance(outcome, sc.NonFiniteError)
        soak.count("fits", 2)
        soak.count("errors" if isinstance(outcome, sc.NonFiniteError) else "histories", 2)
