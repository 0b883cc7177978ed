"""Schedules against those of PyTorch and Optax, rewritten here from their documentation, with their counting."""

# ruff: noqa: E501

import copy
import math
import pickle
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import schuss as sc
from schuss import schedules as s

STEPS = np.arange(300)


def chained(lr, factor_at):
    """A torch scheduler in its chainable form: each step multiplies the rate before by a factor."""
    rates = [lr]
    for t in STEPS[1:]:
        rates.append(rates[-1] * factor_at(int(t)))
    return rates


def torch_polynomial(lr, total, power):
    """PolynomialLR: multiplied by ((1 - t/T) / (1 - (t-1)/T)) ** power up to T."""
    return chained(lr, lambda t: 1.0 if t > total else ((1 - t / total) / (1 - (t - 1) / total)) ** power)


def torch_restarts(lr, period, stretch, low):
    """CosineAnnealingWarmRestarts, counting T_cur and T_i."""
    current, length, rates = 0, period, []
    for _ in STEPS:
        rates.append(low + (lr - low) * (1 + math.cos(math.pi * current / length)) / 2)
        current += 1
        if current >= length:
            current, length = current - length, length * stretch
    return rates


def torch_one_cycle(top, total, pct=0.3, div=25.0, final_div=1e4):
    """OneCycleLR with two phases; beyond its last step there is nothing."""
    first, last = pct * total - 1, total - 1

    def anneal(start, end, share):
        return end + (start - end) / 2 * (math.cos(math.pi * share) + 1)

    return [
        anneal(top / div, top, t / first) if t <= first else anneal(top, top / div / final_div, (t - first) / (last - first))
        for t in STEPS[:total]
    ]  # fmt: skip


def torch_cyclic(low, top, up, down, mode, gamma):
    """CyclicLR."""
    total, rates = up + down, []
    ratio = up / total
    for t in STEPS:
        cycle = math.floor(1 + t / total)
        x = 1 + t / total - cycle
        height = x / ratio if x <= ratio else (x - 1) / (ratio - 1)
        scale = {"triangular": 1, "triangular2": 1 / 2 ** (cycle - 1), "exp_range": gamma**t}[mode]
        rates.append(low + (top - low) * height * scale)
    return rates


def torch_sequential(*parts):
    """SequentialLR of LinearLR (a warm-up) and ExponentialLR."""
    warm, start, lr, gamma = parts
    return [lr * (start + (1 - start) * t / warm) if t < warm else lr * gamma ** (t - warm) for t in STEPS]


def optax_onecycle(peak, total, pct=0.3, div=25.0, final_div=1e4):
    """cosine_onecycle_schedule: an interpolation between values at whole steps."""
    at = [0, int(pct * total), total]
    values = [peak / div, peak, peak / (div * final_div)]
    rates = []
    for t in STEPS:
        k = 0 if t < at[1] else 1
        share = min(1.0, (t - at[k]) / (at[k + 1] - at[k]))
        rates.append(values[k + 1] + (values[k] - values[k + 1]) * (math.cos(math.pi * share) + 1) / 2)
    return rates


def optax_sgdr(cycles):
    """sgdr_schedule: warm-ups and cosines, joined."""
    rates = []
    for peak, warm, length in cycles:
        for t in range(length):
            share = (t - warm) / (length - warm)
            rates.append(peak * t / warm if t < warm else peak * (1 + math.cos(math.pi * share)) / 2)
    return rates


def optax_polynomial(start, end, power, steps):
    """polynomial_schedule."""
    return [(start - end) * (1 - min(t, steps) / steps) ** power + end for t in STEPS]


PEERS = {
    "torch StepLR": (s.step(0.1, 30), chained(0.1, lambda t: 0.1 if t % 30 == 0 else 1.0)),
    "torch MultiStepLR": (
        s.multistep(0.1, [30, 80, 80, 200], 0.5),
        chained(0.1, lambda t: 0.5 ** [30, 80, 80, 200].count(t)),
    ),
    "torch ExponentialLR": (s.exponential(0.1, 0.97), chained(0.1, lambda t: 0.97)),
    "torch LinearLR": (s.linear(0.02, 40, 0.1), [0.1 * (0.2 + 0.8 * min(40, t) / 40) for t in STEPS]),
    "torch PolynomialLR": (s.polynomial(0.1, 100, power=1.7), torch_polynomial(0.1, 100, 1.7)),
    "torch CosineAnnealingWarmRestarts": (s.cosine_restarts(0.1, 30), torch_restarts(0.1, 30, 1, 0.0)),
    "torch CosineAnnealingWarmRestarts T_mult": (
        s.cosine_restarts(0.1, 7, stretch=2, final=0.01),
        torch_restarts(0.1, 7, 2, 0.01),
    ),
    "torch OneCycleLR": (
        s.one_cycle(0.1, 199, rise=(0.3 * 200 - 1) / 199),
        torch_one_cycle(0.1, 200),
    ),
    "torch CyclicLR": (s.cyclic(0.1, 0.01, 20), torch_cyclic(0.01, 0.1, 20, 20, "triangular", 1)),
    "torch CyclicLR triangular2": (
        s.cyclic(0.1, 0.01, 20, 35, factor=0.5),
        torch_cyclic(0.01, 0.1, 20, 35, "triangular2", 1),
    ),
    "torch CyclicLR exp_range": (
        s.cyclic(0.1, 0.01, 20, 15, rate=0.99),
        torch_cyclic(0.01, 0.1, 20, 15, "exp_range", 0.99),
    ),
    "torch SequentialLR": (
        s.warmup(s.exponential(0.1, 0.98), 25, start=0.02),
        torch_sequential(25, 0.2, 0.1, 0.98),
    ),
    "optax cosine_onecycle_schedule": (s.one_cycle(0.1, 200), optax_onecycle(0.1, 200)),
    "optax sgdr_schedule": (
        s.join([s.cosine(p, n, warmup_steps=w) for p, w, n in [(0.1, 10, 60), (0.05, 5, 90), (0.02, 20, 150)]], [60, 150]),
        optax_sgdr([(0.1, 10, 60), (0.05, 5, 90), (0.02, 20, 150)]),
    ),
    "optax polynomial_schedule": (s.polynomial(0.1, 120, 0.02, 2.0), optax_polynomial(0.1, 0.02, 2.0, 120)),
    "optax join_schedules": (
        s.join([0.3, lambda t: 1 / (1 + t), s.linear(0.1, 50)], [100, 180]),
        [0.3 if t < 100 else 1 / (t - 99) if t < 180 else 0.1 * max(0, 1 - (t - 180) / 50) for t in STEPS],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PEERS)
def test_a_schedule_is_the_peers(name):
    schedule, expected = PEERS[name]
    steps = STEPS[: len(expected)]
    np.testing.assert_allclose(schedule(steps), expected, rtol=1e-11, atol=1e-16)
    assert np.ptp(expected) > 0.04


@pytest.mark.parametrize("name", PEERS)
def test_a_schedule_is_a_value(name):
    schedule, _ = PEERS[name]
    twins = [copy.deepcopy(schedule)]
    if "<function" not in repr(schedule):
        twins += [pickle.loads(pickle.dumps(schedule)), eval(repr(schedule), vars(s))]
    for twin in twins:
        assert twin == schedule
        assert hash(twin) == hash(schedule)
        assert np.array_equal(twin(STEPS), schedule(STEPS))


@pytest.mark.parametrize("name", PEERS)
def test_a_run_is_resumed_bit_by_bit_with_a_schedule(name):
    schedule, _ = PEERS[name]
    rng = np.random.default_rng(0)
    grads = rng.normal(size=(40, 3))
    whole, half = np.zeros(3), np.zeros(3)
    first, second = (sc.SGD(p, lr=schedule, momentum=0.9) for p in (whole, half))
    for grad in grads:
        first.step(grad)
    for grad in grads[:17]:
        second.step(grad)
    third = sc.SGD(half, lr=schedule, momentum=0.9)
    third.load_state_dict(second.state_dict())
    for grad in grads[17:]:
        third.step(grad)
    assert np.array_equal(whole, half)


def torch_plateau(results, lr, factor, patience, threshold, mode, threshold_mode, cooldown, min_lr):
    """ReduceLROnPlateau with eps=0: the rate after each result."""
    best, bad, resting, rates = math.inf if mode == "min" else -math.inf, 0, 0, []
    for result in results:
        if mode == "min":
            bound = best * (1 - threshold) if threshold_mode == "rel" else best - threshold
            better = result < bound
        else:
            bound = best * (1 + threshold) if threshold_mode == "rel" else best + threshold
            better = result > bound
        best, bad = (result, 0) if better else (best, bad + 1)
        if resting > 0:
            resting, bad = resting - 1, 0
        if bad > patience:
            lr, resting, bad = max(lr * factor, min_lr), cooldown, 0
        rates.append(lr)
    return rates


@pytest.mark.parametrize("cooldown", [0, 3])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("maximize", [False, True])
def test_a_plateau_is_torchs(cooldown, relative, maximize):
    rng = np.random.default_rng(1)
    results = 2 + np.exp(-np.arange(60) / 8) + 0.05 * rng.normal(size=60)
    results = (1 / results if maximize else results).tolist()
    results[20] = math.nan
    schedule = s.plateau(1.0, 0.3, 2, 0.01, relative, maximize, cooldown, min_lr=0.05)
    optimizer = sc.SGD(np.zeros(1), lr=schedule)
    rates = []
    for number, result in enumerate(results):
        optimizer.tell(result)
        rates.append(optimizer.lr)
        if number == 30:
            other = sc.SGD(np.zeros(1), lr=schedule)
            other.load_state_dict(optimizer.state_dict())
            optimizer = pickle.loads(pickle.dumps(other))
    mode, kind = "max" if maximize else "min", "rel" if relative else "abs"
    expected = torch_plateau(results, 1.0, 0.3, 2, 0.01, mode, kind, cooldown, 0.05)
    np.testing.assert_allclose(rates, expected, rtol=1e-14)
    assert rates[0] == 1.0
    assert rates[-1] == 0.05
    # What was told belongs to the optimizer.
    assert schedule(1000) == sc.SGD(np.zeros(1), lr=schedule).lr == 1.0


def test_a_plateau_is_kept_in_a_file(tmp_path):
    recipe = sc.SGD(lr=s.warmup(s.plateau(1.0, 0.5, 0), 2))
    a, b = recipe.bind([np.zeros(1)]), recipe.bind([np.zeros(1)])
    for _ in range(5):  # the results of two steps are the warm-up's
        a.step([np.ones(1)])
        a.tell(1.0)
    a.save(tmp_path / "state.npz")
    b.load(tmp_path / "state.npz")
    assert a.lr == b.lr == 0.25
    wrong = {**a.state_dict(), "schedules": [[1.0]]}
    with pytest.raises(ValueError, match="must be 4 numbers"):
        b.load_state_dict(wrong)
    # Another schedule has no use for it.
    b.lr = 0.3
    b.load_state_dict(a.state_dict())
    assert b.lr == 0.3


def test_a_plateau_takes_no_notice_of_what_comes_before_it():
    optimizer = sc.SGD([np.zeros(1)], lr=s.join([1e-4, s.plateau(0.1, 0.5, patience=2)], [20]))
    rates = []
    for _ in range(26):
        optimizer.step([np.zeros(1)])
        optimizer.tell(1.0)
        rates.append(optimizer.lr)
    # Of its own results the first is the best, three more without improvement are one too many.
    assert rates == [1e-4] * 19 + [0.1] * 4 + [0.05] * 3

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, 3)), rng.normal(size=64)
    recipe = sc.SGD(lr=s.warmup(s.plateau(0.5, patience=0, threshold=0.01), 40))
    net = sc.MLP([3, 4, 1], loss="mse", seed=0)
    history = net.fit(X, y, batch_size=None, epochs=41, optimizer=recipe)
    np.testing.assert_allclose(history["lr"], 0.5 * np.arange(41) / 40, rtol=1e-15)


@pytest.mark.parametrize("validation", [False, True])
@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("callbacks", [(), (lambda info: None,)])
def test_training_tells_a_plateau_its_losses(validation, blocks, callbacks):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)).astype(np.float32), rng.normal(size=60).astype(np.float32)
    net = sc.MLP([3, 4, 1])
    source = (lambda: iter([(X[:30], y[:30]), (X[30:], y[30:])])), None
    history = net.fit(
        *(source if blocks else (X, y)),
        optimizer=sc.SGD(lr=s.plateau(0.1, 0.5, 0, 0.05)),
        validation_data=(X[:20] + 1, y[:20]) if validation else None,
        epochs=15,
        callbacks=callbacks,
    )
    watched = history["val_loss" if validation else "loss"]
    expected = torch_plateau(watched, 0.1, 0.5, 0, 0.05, "min", "rel", 0, 0.0)
    # The rate of an epoch is what the results before it have made of it.
    assert history["lr"] == [0.1, *expected[:-1]]
    assert net.optimizer.lr == expected[-1] < 0.1


def test_minimize_tells_a_plateau_its_values():
    result = sc.minimize(
        lambda x: float(abs(x[0])),
        [1.0],
        jac=np.sign,
        optimizer=sc.SGD(lr=s.plateau(0.3, 0.5, 0)),
        min_step=1e-6,
    )
    assert result.success
    assert abs(result.x[0]) < 1e-5


def starts(period, stretch, count):
    """The first steps of cycles, as exact fractions."""
    start, length = Fraction(0), Fraction(period)
    for _ in range(count):
        yield start
        start, length = start + length, length * Fraction(stretch)


@pytest.mark.parametrize(
    "stretch", ["1", "1.0001", "1.05", "1.1", "1.2", "1.3", "1.5", "1.7", "1.9", "2", "2.3", "3"]
)
@pytest.mark.parametrize("period", [1, 2, 3, 7, 10, 50, 60, 100, 1000, 10**6])
def test_a_restart_is_at_the_step_at_which_a_cycle_begins(period, stretch):
    schedule = s.cosine_restarts(0.1, period, float(stretch), peak_factor=0.5)
    every = list(starts(period, stretch, 12))
    for number, (start, after) in enumerate(pairwise(every)):
        peak = 0.1 * 0.5**number
        if start.denominator == 1:
            assert schedule(int(start)) == pytest.approx(peak, rel=1e-12)
        for step in {math.ceil(start), math.ceil(after) - 1}:
            share = (step - start) / (after - start)
            expected = peak * 0.5 * (1 + math.cos(math.pi * share))
            assert schedule(step) == pytest.approx(expected, rel=1e-9, abs=1e-13)


@pytest.mark.parametrize("period", ["0.1", "0.3", "0.7", "1.1", "2.2", "3.3", "4.9"])
def test_a_cycle_of_lines_begins_at_its_step_too(period):
    rise = float(Fraction(period) / 3)
    schedule = s.cyclic(0.1, 0.0, rise, float(period) - rise, factor=0.5)
    for step in range(200):
        number, rest = divmod(Fraction(step), Fraction(period))
        share = float(rest / Fraction(period))
        height = 3 * share if 3 * share <= 1 else 1.5 * (1 - share)
        assert schedule(step) >= 0
        assert schedule(step) == pytest.approx(0.1 * 0.5 ** int(number) * height, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: s.multistep(0.1, [10, -1]), "milestones must be a finite number >= 0, got -1"),
        (lambda: s.polynomial(0.1, 10, power=-1), "power must be a finite number >= 0, got -1"),
        (lambda: s.cosine_restarts(0.1, 10, 0.5), "stretch must be a finite number >= 1, got 0.5"),
        (lambda: s.one_cycle(0.1, 10, rise=1.0), "rise must be a finite number in (0, 1), got 1"),
        (
            lambda: s.cyclic(0.001, 0.1, 5),
            "low must be at most lr, the largest learning rate, which is 0.001, got 0.1",
        ),
        (lambda: s.cyclic(0.1, 0.01, 0), "rise_steps must be a finite number > 0, got 0"),
        (lambda: s.plateau(0.1, 1.0), "factor must be a finite number in [0, 1), got 1"),
        (lambda: s.join([0.1], [5]), "boundaries must be one fewer than schedules, 0, got 1 of them"),
        (lambda: s.join([], []), "schedules must be at least one, got none"),
        (lambda: s.join([0.1, 0.2, 0.3], [5, 4]), "boundaries must be in rising order, got [5.0, 4.0]"),
    ],
)
def test_wrong_numbers_are_named(make, words):
    with pytest.raises(ValueError, match="must be") as raised:
        make()
    assert str(raised.value) == words
