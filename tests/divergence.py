"""Trainings that diverge, and what must be true of each when it has ended."""

import itertools
import warnings

import numpy as np

import schuss as sc

LOSSES = sc.LOSSES
OPTIMIZERS = {
    "SGD": lambda **o: sc.SGD(**o),
    "momentum": lambda **o: sc.SGD(momentum=0.9, **o),
    "Adam": lambda **o: sc.Adam(**o),
    "AdamW": lambda **o: sc.AdamW(weight_decay=0.1, **o),
    "coupled": lambda **o: sc.SGD(weight_decay=0.5, **o),
    "clipped": lambda **o: sc.Adam(clip_norm=1.0, **o),
    "accumulated": lambda **o: sc.Adam(accumulate=2, **o),
    "LAMB": lambda **o: sc.LAMB(**o),
    "Prodigy": lambda **o: sc.Prodigy(**o),
    "RMSprop": lambda **o: sc.RMSprop(**o),
    "Adagrad": lambda **o: sc.Adagrad(**o),
    "Lion": lambda **o: sc.Lion(ema=0.9, **o),
    "averaged": lambda **o: sc.SGD(lookahead=2, **o),
    "LBFGS": lambda **o: sc.LBFGS(),
}
RATES = (1e-3, 1.0, 1e6, 1e20, 1e30, 1e38)
SCALES = (1.0, 1e6, 1e12, 1e20, 1e30)


def combinations():
    """All of them, in an order of no kind."""
    every = list(
        itertools.product(
            LOSSES,
            OPTIMIZERS,
            RATES,
            SCALES,
            (0.0, 1.0),
            ("float32", "float64"),
            ("raise", "skip"),
            (None, "layer"),
        )
    )
    return [every[i] for i in np.random.default_rng(0).permutation(len(every))]


def fit(combination, n_threads=1, rows=40, batch_size=16, epochs=3, weights=1.0):
    """The network before and after, and how the training ended: an exception or a history."""
    loss, optimizer, lr, scale, l2, dtype, nonfinite, norm = combination
    rng = np.random.default_rng(1)
    X = (scale * rng.standard_normal((rows, 5))).astype(dtype)
    counts = loss in ("cross_entropy", "binary_cross_entropy", "poisson")
    y = rng.integers(0, 2, rows) if counts else (scale * rng.standard_normal(rows)).astype(dtype)
    outputs = 2 if loss == "cross_entropy" else 1
    net = sc.MLP([5, 8, 7, outputs], loss=loss, l2=l2, dtype=dtype, norm=norm, seed=2)
    net.theta *= weights
    rule = OPTIMIZERS[optimizer]
    rule = rule() if optimizer == "LBFGS" else rule(lr=lr, nonfinite=nonfinite)
    batch_size = None if optimizer == "LBFGS" else batch_size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net.fit(X, y, optimizer=rule, batch_size=batch_size, epochs=epochs, n_threads=n_threads)
    except sc.NonFiniteError as error:
        return net, error
    return net, net.history


def check(combination, net, outcome):
    """Parameters and state are finite, and an error says where it was found."""
    assert np.isfinite(net.theta).all(), combination
    if isinstance(net.optimizer, sc.Optimizer):
        state = net.optimizer.state_dict()["state"]
        assert all(np.isfinite(a).all() for arrays in state.values() for a in arrays), combination
    if isinstance(outcome, sc.NonFiniteError) and combination[1] != "LBFGS":
        assert combination[6] == "raise"
        assert "nothing was changed by that step" in str(outcome)
        assert "(epoch " in str(outcome)
