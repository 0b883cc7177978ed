"""Warnings of numbers that no network learns from as they are."""

import warnings

import numpy as np
import pytest

import schuss as sc

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 3))
Y = X[:, 0]


def told(fit):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit()
    return [str(warning.message) for warning in caught if warning.category is UserWarning], caught


def test_targets_far_from_zero_are_told_once_with_the_remedy():
    messages, caught = told(lambda: sc.MLP([3, 4, 1]).fit(X, Y + 2e5, epochs=3))
    (message,) = messages
    assert message.startswith("y has a mean of 2e+05 and a standard deviation of")
    assert "TransformedTargetRegressor" in message
    assert caught[0].filename == __file__


def test_a_large_column_is_named():
    large = X * [1, 1, 5000]
    messages, _ = told(lambda: sc.MLP([3, 4, 1]).fit(large, Y, epochs=1))
    (message,) = messages
    assert message.startswith("column 2 of X has a mean of")
    assert "StandardScaler" in message


def test_in_estimators_too():
    pytest.importorskip("sklearn")
    from schuss import estimators

    messages, caught = told(lambda: estimators.MLPRegressor(max_iter=1).fit(X, Y * 1e6))
    assert any(message.startswith("y has a mean") for message in messages)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("loss", ["poisson", "mse"])
def test_counts_may_be_large_and_scaled_numbers_are_fine(loss):
    y = rng.poisson(5000, 200) if loss == "poisson" else Y * 100
    assert told(lambda: sc.MLP([3, 4, 1], loss=loss).fit(X, y, epochs=1))[0] == []


def test_sparse_inputs_are_looked_at():
    sparse = pytest.importorskip("scipy.sparse")
    messages, _ = told(
        lambda: sc.MLP([3, 1]).fit(sparse.csr_array(X * 1e5), Y, epochs=1, optimizer=sc.SGD(lr=1e-12))
    )
    assert len(messages) == 1
    assert messages[0].startswith("X has")


def test_a_network_tells_it_at_its_first_training_only():
    net = sc.MLP([3, 4, 1])
    assert len(told(lambda: net.fit(X, Y + 2e5, epochs=1))[0]) == 1
    assert told(lambda: net.fit(X, Y + 2e5, epochs=1))[0] == []
