"""Ctrl-C while Python code looks at an epoch: what has been learnt is in the checkpoint."""

import numpy as np
import pytest

import schuss as sc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
y = X[:, 0] - X[:, 1]


class Pressed:
    """Something that is called once an epoch, and Ctrl-C in one of these calls."""

    def __init__(self, at=None):
        self.at, self.calls = at, 0

    def __call__(self, *_):
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt


class Score(Pressed):
    """A score that is one of the estimator."""

    def __call__(self, estimator, X, y):
        super().__call__()
        return float(estimator.coefs_[0][0, 0])


ESTIMATORS = {
    "adam": {},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.01},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e9, "n_iter_no_change": 1},
    "plateau": {"schedule": sc.schedules.plateau(0.01, patience=0, threshold=0.5)},
    "best": {"restore_best": True},
    "lbfgs": {"solver": "lbfgs", "tol": 0.0},
}


@pytest.mark.filterwarnings("ignore:.*interrupted by user", "ignore:.*converge")
@pytest.mark.parametrize("where", ["callback", "scorer"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_goes_on_with_the_epoch(tmp_path, name, where):
    pytest.importorskip("sklearn")
    options = {
        "hidden_layer_sizes": 3,
        "max_iter": 6,
        "batch_size": 20,
        "random_state": 0,
        **ESTIMATORS[name],
    }

    def fitted(press=None, **saving):
        callback = Pressed(press if where == "callback" else None)
        model = sc.MLPRegressor(**options, callbacks=callback)
        model.set_params(scoring=Score(press if where == "scorer" else None))
        return model.fit(X, y, X_val=X[:20], y_val=y[:20], **saving)

    whole = fitted()
    saving = {"checkpoint": tmp_path / "fit.ckpt", "checkpoint_every": 10**6, "resume": True}
    assert fitted(3, **saving).history_.stopped == "interrupted"
    assert (tmp_path / "fit.ckpt").exists()
    resumed = fitted(**saving)
    columns = [name for name in whole.history_ if name != "seconds"]
    for column in columns:
        np.testing.assert_array_equal(resumed.history_[column], whole.history_[column])
    for one, other in zip(whole.coefs_, resumed.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)
