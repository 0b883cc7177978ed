"""Trainings whose result is the average of the parameters that the optimizer keeps."""

import copy

import numpy as np
import pytest

import schuss as sc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)).astype(np.float32)
Y = np.sin(X[:, 0]) + 0.5 * RNG.normal(size=300).astype(np.float32)
VALIDATION = X[200:], Y[200:]

KEPT = {
    "ema": lambda: sc.Adam(lr=0.02, ema=0.9),
    "ema from zero": lambda: sc.SGD(lr=0.05, ema=0.8, ema_start="zero"),
    "swa": lambda: sc.AdamW(lr=0.02, swa_start=7),
    "accumulated": lambda: sc.AdamW(lr=0.02, ema=0.9, accumulate=2, lookahead=3),
    "a plateau": lambda: sc.Adam(lr=sc.schedules.plateau(0.1, patience=0), ema=0.9),
}


def network(**options):
    return sc.MLP([4, 16, 1], seed=1, **options)


def fitted(make, net=None, **options):
    net = net or network()
    options = {"epochs": 6, "batch_size": 32, "validation_data": VALIDATION} | options
    net.fit(X[:200], Y[:200], optimizer=make(), **options)
    return net


def average(net):
    return np.concatenate([part.ravel() for part in net.optimizer.averaged_params()])


def loss_of(theta, net):
    other = copy.deepcopy(net)
    other.theta[:] = theta
    return other.loss(*VALIDATION)


def followed(make, **options):
    """A training of which the average, and its validation loss, are computed apart after each epoch."""
    averages = []
    net = fitted(make, callbacks=lambda info: averages.append(average(info.net)), **options)
    return net, averages, [loss_of(theta, net) for theta in averages]


@pytest.mark.parametrize("name", [name for name in KEPT if name != "a plateau"])
def test_the_training_is_the_same_and_its_result_is_the_average(name):
    plain, averages, losses = followed(KEPT[name])
    net = fitted(KEPT[name], averaged=True)
    assert np.array_equal(net.theta, averages[-1])
    assert not np.array_equal(net.theta, plain.theta)
    assert net.history["loss"] == plain.history["loss"]
    np.testing.assert_allclose(net.history["val_loss"], losses, rtol=1e-6)
    assert net.history["val_loss"] != plain.history["val_loss"]
    assert np.array_equal(average(net), averages[-1])


def test_the_average_is_that_of_the_formula():
    net, thetas = network(dtype="float64"), []
    mean = net.theta.copy()
    options = {"batch_size": None, "epochs": 20}
    fitted(KEPT["ema"], net, callbacks=lambda info: thetas.append(net.theta.copy()), **options, averaged=True)
    for theta in thetas:
        mean = 0.9 * mean + 0.1 * theta
    np.testing.assert_allclose(net.theta, mean, rtol=1e-12)
    assert np.abs(net.theta - thetas[-1]).max() > 1e-3


@pytest.mark.parametrize("name", ["ema", "swa"])
def test_the_best_epoch_is_the_average_s(name):
    options = {"epochs": 60, "batch_size": 8}
    _, averages, losses = followed(KEPT[name], **options)
    best = int(np.argmin(losses))
    assert best < 59
    net = fitted(KEPT[name], averaged=True, restore_best=True, **options)
    assert net.history.best_epoch == best + 1
    assert np.array_equal(net.theta, averages[best])
    stopped = fitted(KEPT[name], averaged=True, early_stopping=True, patience=5, **options)
    lows = np.minimum.accumulate(losses)
    ends = next(k for k in range(5, 60) if not (lows[k - 4 : k + 1] < lows[k - 5]).any())
    assert stopped.history.stopped == "converged"
    assert len(stopped.history["loss"]) == ends + 1
    assert np.array_equal(stopped.theta, averages[stopped.history.best_epoch - 1])


def test_a_schedule_follows_the_average_s_loss():
    # An average over so many steps gets better for long after the parameters do not.
    def make():
        return sc.Adam(lr=sc.schedules.plateau(0.1, patience=0), ema=0.995)

    plain, net = fitted(make, epochs=12), fitted(make, epochs=12, averaged=True)
    assert (np.diff(net.history["val_loss"]) < 0).all()
    assert set(net.history["lr"]) == {0.1} < set(plain.history["lr"])


def test_metrics_are_the_average_s():
    options = {"metrics": ["mse"], "validation_data": None}
    _, averages, _ = followed(KEPT["ema"], **options)
    for more in ({}, {"validation_data": VALIDATION}):
        net = fitted(KEPT["ema"], averaged=True, **(options | more))
        for theta, mse in zip(averages, net.history["mse"], strict=True):
            other = network()
            other.theta[:] = theta
            assert mse == pytest.approx(np.mean((other.predict(X[:200]) - Y[:200]) ** 2), rel=1e-5)
    assert net.history["val_mse"] == pytest.approx(net.history["val_loss"], rel=1e-5)


def test_without_validation_it_is_one_training_in_the_core():
    net, plain = fitted(KEPT["ema"], validation_data=None, averaged=True), fitted(KEPT["ema"])
    assert np.array_equal(net.theta, average(plain))


def test_blocks_are_validated_by_the_average_too():
    class Blocks:
        n_blocks = 2

        def read(self, i):
            return X[i * 100 : (i + 1) * 100], Y[i * 100 : (i + 1) * 100]

    averages = []
    options = {"epochs": 3, "batch_size": 32, "validation_data": VALIDATION}
    network().fit(
        Blocks(), optimizer=KEPT["ema"](), **options, callbacks=lambda i: averages.append(average(i.net))
    )
    net = network()
    net.fit(Blocks(), optimizer=KEPT["ema"](), **options, averaged=True)
    assert np.array_equal(net.theta, averages[-1])
    losses = [loss_of(theta, net) for theta in averages]
    np.testing.assert_allclose(net.history["val_loss"], losses, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_threads(dtype):
    one = fitted(KEPT["ema"], network(dtype=dtype), averaged=True, restore_best=True, n_threads=1)
    for threads in (2, 3, 8):
        other = fitted(KEPT["ema"], network(dtype=dtype), averaged=True, restore_best=True, n_threads=threads)
        assert np.array_equal(one.theta, other.theta)
        assert one.history["val_loss"] == other.history["val_loss"]


@pytest.mark.parametrize("name", ["ema", "swa", "accumulated", "a plateau"])
@pytest.mark.parametrize("best", [False, True])
def test_a_checkpoint_goes_on_from_the_parameters_that_were_trained(name, best, tmp_path):
    path, options = tmp_path / "run.npz", {"averaged": True, "restore_best": best}
    whole = fitted(KEPT[name], epochs=8, **options)
    begun = fitted(KEPT[name], epochs=3, checkpoint=path, checkpoint_every=1, **options)
    assert np.array_equal(begun.theta, average(begun)) or best
    resumed = fitted(KEPT[name], epochs=8, checkpoint=path, resume=True, n_threads=2, **options)
    assert np.array_equal(resumed.theta, whole.theta)
    assert resumed.history["val_loss"] == whole.history["val_loss"]
    # Of a training that is done, what is taken is its result.
    taken = fitted(KEPT[name], epochs=8, checkpoint=path, resume=True, **options)
    assert np.array_equal(taken.theta, whole.theta)


def test_a_checkpoint_is_of_one_kind(tmp_path):
    fitted(KEPT["ema"], checkpoint=tmp_path / "run.npz", averaged=True)
    with pytest.raises(ValueError, match="averaged"):
        fitted(KEPT["ema"], checkpoint=tmp_path / "run.npz", resume=True)


def test_another_fit_goes_on_from_the_average():
    net = fitted(KEPT["ema"], averaged=True)
    other = copy.deepcopy(net)
    other.theta[:] = average(net)
    net.fit(X, Y, epochs=1)
    other.fit(X, Y, epochs=1)
    assert np.array_equal(net.theta, other.theta)


def test_errors_and_callbacks_see_what_is_trained():
    plain, seen = fitted(KEPT["ema"], epochs=2), []

    def ends(info):
        seen.append(info.net.theta.copy())
        if info.epoch == 2:
            raise RuntimeError("enough")

    net = network()
    with pytest.raises(RuntimeError, match="enough"):
        fitted(KEPT["ema"], net, averaged=True, callbacks=ends)
    assert np.array_equal(seen[-1], plain.theta)
    assert np.array_equal(net.theta, plain.theta)


def test_a_metric_that_fails_leaves_what_is_trained():
    def fails(y, predictions):
        raise RuntimeError("no metric")

    net, plain = network(), fitted(KEPT["ema"], epochs=1)
    with pytest.raises(RuntimeError, match="no metric"):
        fitted(KEPT["ema"], net, averaged=True, metrics=fails)
    assert np.array_equal(net.theta, plain.theta)


@pytest.mark.parametrize("end", [{"max_time": 1e-9}, {"target_loss": 1e9}, {"epochs": 0}])
def test_whatever_ends_a_training_the_average_is_left(end):
    net = fitted(KEPT["ema"], averaged=True, **end)
    assert np.array_equal(net.theta, average(net))
    assert len(net.history.get("loss", [])) == end.get("epochs", 1)


@pytest.mark.parametrize(
    ("optimizer", "averaged", "error", "match"),
    [
        (sc.Adam(), True, ValueError, "averaged must be False with Adam.*ema and swa_start"),
        (sc.ScheduleFreeAdamW(), True, ValueError, "averaged must be False with ScheduleFreeAdamW"),
        (sc.Adam([{"params": "0.*"}, {"params": "1.*", "ema": 0.9}]), True, ValueError, "averaged must be"),
        (sc.LBFGS(), True, ValueError, "averaged must be False with LBFGS"),
        (sc.Adam(ema=0.9), "yes", TypeError, "averaged must be True or False"),
    ],
)
def test_what_has_no_average_is_refused(optimizer, averaged, error, match):
    net = network()
    before = net.theta.copy()
    with pytest.raises(error, match=match):
        net.fit(X, Y, optimizer=optimizer, averaged=averaged)
    assert np.array_equal(net.theta, before)
    assert net.optimizer is None
    assert net.history is None
