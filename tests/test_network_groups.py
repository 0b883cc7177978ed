"""Settings by tensor in `MLP.fit`: as those groups stepped by hand; frozen tensors stay as they are."""

import numpy as np
import pytest

import schuss as sc

FROZEN = {
    "first layer": ["0.*"],
    "middle": ["1.weight", "1.bias"],
    "all but the last layer": ["[01].*"],
    "last layer": ["2.*"],
    "biases": ["*.bias"],
    "weights": ["*.weight"],
    "gains": ["*.gain", "*.shift"],
    "all but norms": ["*.weight", "*.bias"],
    "everything": ["*"],
}
RECIPES = {
    "adamw": lambda groups: sc.AdamW(groups, lr=0.01, weight_decay=0.1),
    "clipped": lambda groups: sc.SGD(groups, lr=0.1, momentum=0.9, clip_norm=0.3),
    "lamb": lambda groups: sc.LAMB(groups, lr=0.01),
    "accumulate": lambda groups: sc.RMSprop(groups, lr=0.01, accumulate=2),
    "ignore": lambda groups: sc.Adam(groups, lr=0.01, nonfinite="ignore"),
}


def network(norm, **options):
    return sc.MLP([4, 7, 6, 2], dtype="float64", activation=["gelu", "tanh"], norm=norm, seed=1, **options)


def rows(count=90):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, 4)), rng.normal(size=(count, 2))


@pytest.mark.parametrize("norm", [None, "layer"])
@pytest.mark.parametrize("frozen", FROZEN)
@pytest.mark.parametrize("recipe", RECIPES)
def test_frozen_tensors_stay_and_the_others_learn_as_by_hand(norm, frozen, recipe):
    if frozen in ("gains", "all but norms") and norm is None:
        pytest.skip("there are none")
    X, y = rows()
    make = RECIPES[recipe]
    groups = [{"params": FROZEN[frozen], "lr": 0.0}]
    net, own = network(norm, l2=0.01), network(norm, l2=0.01)
    start = {name: array.copy() for name, array in net.named_params.items()}
    net.fit(X, y, optimizer=make(groups), batch_size=None, epochs=12)
    optimizer = make(groups).bind(own.params, own.named_params)
    for _ in range(12):
        optimizer.step(own.loss_and_grads(X, y)[1])
    np.testing.assert_allclose(net.theta, own.theta, rtol=1e-11, atol=1e-13)
    moved = {name for name, array in net.named_params.items() if array.tobytes() != start[name].tobytes()}
    group_of = net.optimizer.state_dict()["group_of"]
    assert moved == {name for name, group in zip(start, group_of, strict=True) if group == 0}


@pytest.mark.parametrize("recipe", RECIPES)
def test_groups_train_to_the_same_bits_for_every_number_of_threads(recipe):
    X, y = rows(300)
    groups = [{"params": "1.*", "lr": 0.0}, {"params": "*.bias", "weight_decay": 0.0, "lr_factor": 0.5}]
    thetas = set()
    for threads in (1, 2, 5):
        net = network("rms", dropout=0.2)
        net.fit(X, y, optimizer=RECIPES[recipe](groups), batch_size=64, epochs=4, n_threads=threads)
        thetas.add(net.theta.tobytes())
    assert len(thetas) == 1


def test_a_share_of_a_schedule_for_one_layer():
    X, y = rows()
    schedule = sc.schedules.cosine(0.05, total_steps=20, warmup_steps=5)
    net, own = network(None), network(None)
    net.fit(
        X,
        y,
        optimizer=sc.SGD([{"params": "0.*", "lr_factor": 0.1}], lr=schedule),
        batch_size=None,
        epochs=20,
    )
    for step in range(20):
        _, grads = own.loss_and_grads(X, y)
        for name, p, g in zip(own.named_params, own.params, grads, strict=True):
            p -= schedule(step) * (0.1 if name.startswith("0.") else 1.0) * g
    np.testing.assert_allclose(net.theta, own.theta, rtol=1e-11)


def test_frozen_layers_cost_nothing_that_can_fail():
    """A frozen layer's gradient is not computed: it cannot be refused for being infinite."""
    net = sc.MLP([1, 1, 1], activation="identity", dtype="float32")
    net.params[0][...], net.params[1][...] = 1e-30, 0
    X, y = np.full((4, 1), 1e30, np.float32), np.zeros(4, np.float32)
    net.params[2][...] = 1e18
    before = net.theta.copy()
    with pytest.raises(sc.NonFiniteError):
        net.fit(X, y, optimizer=sc.SGD(lr=1e-3), epochs=1)
    np.testing.assert_array_equal(net.theta, before)
    net.fit(X, y, optimizer=sc.SGD([{"params": "0.*", "lr": 0.0}], lr=1e-3), epochs=1)
    np.testing.assert_array_equal(net.theta[:2], before[:2])
    assert np.isfinite(net.theta).all()
    assert net.theta[2] != before[2]


def test_a_pattern_that_matches_nothing_is_refused_before_training():
    net = network(None)
    X, y = rows()
    before = net.theta.copy()
    with pytest.raises(ValueError, match=r"0\.weight"):
        net.fit(X, y, optimizer=sc.Adam([{"params": "*.gain", "lr": 0.1}]))
    np.testing.assert_array_equal(net.theta, before)
    assert net.optimizer is None


@pytest.mark.parametrize(
    "optimizer_of",
    [
        lambda net: sc.LAMB(net.theta),
        lambda net: sc.AdamW(net.theta, decay_where="matrices"),
        lambda net: sc.Adam(net.params[::-1]),
        lambda net: sc.Adam(network(None).params[:3]),
        lambda net: sc.Adam(lr=0.1),
    ],
    ids=["one vector", "mask", "another order", "too few", "unbound"],
)
def test_an_optimizer_of_other_arrays_is_refused(optimizer_of):
    net = network(None)
    X, y = rows()
    before = net.theta.copy()
    net.optimizer = optimizer_of(net)
    with pytest.raises(ValueError, match="optimizer must be bound to the parameters of this network"):
        net.fit(X, y, epochs=1)
    np.testing.assert_array_equal(net.theta, before)
    net.optimizer = sc.AdamW(net.params, decay_where="matrices")
    net.fit(X, y, epochs=1)
    assert not np.array_equal(net.theta, before)
