"""Schedules against their closed forms, as numbers and arrays; the exponentially weighted average."""

# ruff: noqa: E501

import copy
import math
import pickle
import warnings

import numpy as np
import pytest

import schuss as sc
from schuss import schedules as s

STEPS = np.arange(0, 130)

# A schedule and its closed form.
FORMS = {
    "constant": (s.constant(0.1), lambda t: 0.1),
    "step": (s.step(0.1, 30, 0.5), lambda t: 0.1 * 0.5 ** (t // 30)),
    "step by default": (s.step(0.1, 30), lambda t: 0.1 * 0.1 ** (t // 30)),
    "exponential": (s.exponential(0.1, 0.9), lambda t: 0.1 * 0.9**t),
    "exponential over steps": (s.exponential(0.1, 0.5, 20), lambda t: 0.1 * 0.5 ** (t / 20)),
    "inverse time": (s.inverse_time(0.1, 0.05), lambda t: 0.1 / (1 + 0.05 * t)),
    "inverse time over steps": (s.inverse_time(0.1, 2, 10), lambda t: 0.1 / (1 + 2 * t / 10)),
    "linear": (s.linear(0.1, 100), lambda t: 0.1 * max(0, 1 - t / 100)),
    "linear to": (s.linear(0.1, 100, 0.02), lambda t: 0.1 - 0.08 * min(1, t / 100)),
    "cosine": (s.cosine(0.1, 100), lambda t: 0.05 * (1 + math.cos(math.pi * min(1, t / 100)))),
    "cosine to": (s.cosine(0.1, 100, 0.01), lambda t: 0.01 + 0.045 * (1 + math.cos(math.pi * min(1, t / 100)))),
    "coslog4": (
        s.coslog4(0.1, 100),
        lambda t: 0.05 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * min(1, t / 100)))),
    ),
    "coslog of two": (
        s.coslog(0.1, 120, cycles=2),
        lambda t: 0.05 * (1 - math.cos(2 * math.pi * math.log2(1 + 3 * min(1, t / 120)))),
    ),
    "flat_cos": (
        s.flat_cos(0.1, 100),
        lambda t: 0.05 * (1 + math.cos(math.pi * (max(1, 2 * min(1, t / 100)) - 1))),
    ),
    "flat_cos to": (
        s.flat_cos(0.1, 120, flat=0.25, final=0.02, warmup_steps=20),
        lambda t: 0.1 * t / 20 if t < 20 else 0.1 if t < 45
        else 0.02 + 0.04 * (1 + math.cos(math.pi * min(1, (t - 45) / 75))),
    ),
    "warm-up": (
        s.cosine(0.1, 100, warmup_steps=20),
        lambda t: 0.1 * t / 20 if t < 20 else 0.05 * (1 + math.cos(math.pi * min(1, (t - 20) / 80))),
    ),
    "warm-up from": (
        s.linear(0.1, 120, warmup_steps=20, warmup_start=0.04),
        lambda t: 0.04 + 0.06 * t / 20 if t < 20 else 0.1 * max(0, 1 - (t - 20) / 100),
    ),
    "warm-up of anything": (
        s.warmup(lambda t: 1 / (1 + t), 10),
        lambda t: t / 10 if t < 10 else 1 / (1 + t - 10),
    ),
    "warm-up of a number": (s.warmup(0.2, 10, 0.1), lambda t: 0.1 + 0.1 * min(1, t / 10)),
}  # fmt: skip


def falling(t):
    return 1 / (1 + t)


@pytest.mark.parametrize("steps", [0, 1, 10])
def test_a_function_after_a_warm_up_is_copied_with_it(steps):
    schedule = s.warmup(falling, steps)
    for other in (pickle.loads(pickle.dumps(schedule)), copy.deepcopy(schedule), copy.copy(schedule)):
        assert np.array_equal(other(STEPS), schedule(STEPS))
        assert other == schedule
    assert schedule(steps) == 1.0
    assert repr(schedule).startswith("warmup(")


@pytest.mark.parametrize("name", FORMS)
def test_a_schedule_is_its_closed_form(name):
    schedule, form = FORMS[name]
    expected = np.array([form(int(t)) for t in STEPS])
    np.testing.assert_allclose(schedule(STEPS), expected, rtol=1e-14, atol=1e-17)
    assert [schedule(int(t)) for t in STEPS] == list(schedule(STEPS))
    assert schedule(STEPS.reshape(13, 10)).shape == (13, 10)
    assert isinstance(schedule(3), float)


@pytest.mark.parametrize("name", [name for name in FORMS if name != "warm-up of anything"])
def test_a_schedule_is_a_value(name):
    schedule, _ = FORMS[name]
    for other in (pickle.loads(pickle.dumps(schedule)), copy.deepcopy(schedule)):
        assert other == schedule
        assert np.array_equal(other(STEPS), schedule(STEPS))
    assert schedule != s.constant(0.123)
    assert eval(repr(schedule), vars(s)) == schedule


def test_they_start_large_and_shrink():
    """The lecture's row 11."""
    for name in ("step", "exponential", "inverse time", "linear", "cosine"):
        values = FORMS[name][0](STEPS)
        assert values[0] == 0.1
        assert (np.diff(values) <= 0).all()
        assert values[-1] < 0.03


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: s.constant(-0.1), "lr must be a finite number >= 0, got -0.1"),
        (lambda: s.cosine(0.1, 0), "total_steps must be more than warmup_steps (0), got 0"),
        (lambda: s.linear(0.1, 10, warmup_steps=10), "total_steps must be more than warmup_steps (10), got 10"),
        (lambda: s.step(0.1, 0), "step_size must be a finite number >= 1, got 0"),
        (lambda: s.exponential(0.1, 1.5), "rate must be a finite number in (0, 1], got 1.5"),
        (lambda: s.inverse_time(0.1, 1, 0), "decay_steps must be a finite number > 0, got 0"),
        (lambda: s.coslog(0.1, 10, 0), "cycles must be an integer of at least 1, got 0"),
        (lambda: s.coslog(0.1, 10, 51), "cycles must be an integer of at most 50, got 51"),
        (lambda: s.flat_cos(0.1, 10, flat=1), "flat must be a finite number in [0, 1), got 1"),
        (lambda: s.flat_cos(0.1, 10, warmup_steps=10), "total_steps must be more than warmup_steps (10), got 10"),
        (lambda: s.warmup(0.1, -5), "steps must be a finite number >= 0, got -5"),
        (lambda: s.warmup(0.1, np.inf), "steps must be a finite number >= 0, got inf"),
        (lambda: s.warmup(0.1, 5, -1), "start must be a finite number >= 0, got -1"),
        (lambda: s.warmup(0.1, 5, np.nan), "start must be a finite number >= 0, got nan"),
        (lambda: s.constant(0.1)(-1), "step must be at least 0, got -1"),
        (lambda: s.constant(0.1)(np.array([1, np.nan])), "step must be at least 0, got NaN"),
    ],
)  # fmt: skip
def test_wrong_numbers_are_named(make, words):
    with pytest.raises(ValueError, match="must be") as raised:
        make()
    assert str(raised.value) == words


@pytest.mark.parametrize("cycles", [2.5, 2.0, "2", None, True])
def test_cycles_are_whole(cycles):
    """Of half a cycle more the last rate would be the largest one."""
    with pytest.raises(TypeError, match="cycles must be an integer, got "):
        s.coslog(0.1, 100, cycles)


def test_the_average_with_and_without_correction():
    series = np.array([3.0, -1.0, 4.0, 1.0, -5.0, 9.0])
    v, plain, corrected = 0.0, [], []
    for t, theta in enumerate(series, start=1):
        v = 0.8 * v + 0.2 * theta
        plain.append(v)
        corrected.append(v / (1 - 0.8**t))
    np.testing.assert_allclose(sc.ewa(series, 0.8), plain, rtol=1e-14)
    np.testing.assert_allclose(sc.ewa(series, 0.8, bias_correction=True), corrected, rtol=1e-14)
    assert np.array_equal(series, [3.0, -1.0, 4.0, 1.0, -5.0, 9.0])
    assert sc.ewa([]).shape == (0,)
    assert sc.ewa([1, 2], beta=0.0).tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="beta must be a finite number in \\[0, 1\\), got 1"):
        sc.ewa([1.0], beta=1.0)
    with pytest.raises(ValueError, match="one dimension"):
        sc.ewa([[1.0]])


MAKERS = [
    lambda total: sc.schedules.linear(0.1, total),
    lambda total: sc.schedules.cosine(0.1, total, 0.01, warmup_steps=5),
    lambda total: sc.schedules.polynomial(0.1, total, power=2.0),
    lambda total: sc.schedules.one_cycle(0.1, total),
    lambda total: sc.schedules.coslog4(0.1, total),
    lambda total: sc.schedules.flat_cos(0.1, total, warmup_steps=3),
    lambda total: sc.schedules.join(
        [sc.schedules.constant(0.1), sc.schedules.linear(0.1, total and total - 7)], [7]
    ),
]


class TestOfTheLengthOfTheTraining:
    X = np.random.default_rng(0).normal(size=(100, 3))

    @pytest.mark.parametrize("make", MAKERS)
    def test_fit_gives_it_all_steps_of_all_epochs(self, make):
        # 100 rows by 8: 13 steps an epoch.
        nets = [sc.MLP([3, 4, 1]) for _ in range(2)]
        for net, total in zip(nets, (None, 4 * 13), strict=True):
            net.fit(self.X, self.X[:, 0], optimizer=sc.Adam(lr=make(total)), epochs=4, batch_size=8)
        assert np.array_equal(nets[0].theta, nets[1].theta)

    @pytest.mark.parametrize("make", MAKERS)
    def test_minimize_gives_it_the_most_steps(self, make):
        results = [
            sc.minimize(
                lambda x: (x @ x, 2 * x), [1.0, 2.0], jac=True, optimizer=sc.SGD(lr=make(total)), max_steps=20
            )
            for total in (None, 20)
        ]
        assert np.array_equal(results[0].x, results[1].x)

    @pytest.mark.parametrize("make", MAKERS)
    def test_it_may_be_told(self, make):
        assert make(None).with_length(50) == make(50)
        assert make(50).with_length(99) == make(50)
        w = np.ones(2)
        bound = sc.SGD(lr=make(None)).bind(w, total_steps=50)
        assert repr(bound) == repr(sc.SGD(lr=make(50)).bind(w))

    def test_estimators_give_it_all_steps_of_max_iter(self):
        pytest.importorskip("sklearn")
        from schuss import estimators

        results = []
        for total in (None, 3 * 4):
            schedule = sc.schedules.cosine(0.1, total)
            for options in ({"schedule": schedule}, {"optimizer": sc.AdamW(lr=schedule)}):
                model = estimators.MLPRegressor(
                    hidden_layer_sizes=(4,),
                    max_iter=3,
                    batch_size=25,
                    random_state=0,
                    tol=0.0,
                    n_iter_no_change=np.inf,
                    **options,
                )
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    results.append(model.fit(self.X, self.X[:, 0]).predict(self.X))
        assert np.array_equal(results[0], results[2])
        assert np.array_equal(results[1], results[3])

    @pytest.mark.parametrize("make", MAKERS)
    def test_everything_else_refuses_it(self, make):
        schedule, w = make(None), np.ones(2)
        bound = sc.SGD(w, lr=0.1)
        for use in (
            lambda: schedule(3),
            lambda: schedule(np.arange(3)),
            lambda: sc.SGD(w, lr=schedule),
            lambda: sc.SGD(lr=schedule).bind(w),
            lambda: setattr(bound, "lr", schedule),
        ):
            with pytest.raises(
                ValueError, match=r"total_steps must be the number of steps, but in MLP\.fit.*got None"
            ):
                use()
        assert bound.lr == 0.1
        with pytest.raises(
            ValueError, match=r"^optimizer must have total_steps in its schedules where X is a source"
        ):
            sc.MLP([3, 1]).fit(lambda: iter([(self.X, self.X[:, 0])]), optimizer=sc.SGD(lr=schedule))

    @pytest.mark.parametrize("make", MAKERS)
    def test_it_is_a_value(self, make):
        schedule = make(None)
        assert pickle.loads(pickle.dumps(schedule)) == schedule == make(None) != make(30)
        assert "total_steps=None" in repr(schedule)
        assert "total_steps=None" in repr(sc.Adam(lr=schedule))
        assert sc.Adam(lr=schedule) == pickle.loads(pickle.dumps(sc.Adam(lr=schedule)))

    def test_what_does_not_fit_is_refused(self):
        with pytest.raises(
            ValueError, match="warmup_steps must be fewer than the 5 steps of the training, got 5"
        ):
            sc.schedules.cosine(0.1, warmup_steps=5).with_length(5)
        with pytest.raises(
            ValueError, match="boundaries must be before the end of the training's 5 steps, got 7"
        ):
            sc.schedules.join([sc.schedules.constant(1), sc.schedules.linear(1)], [7]).with_length(5)
        with pytest.raises(ValueError, match="schedules must be such a one at the end only"):
            sc.schedules.join([sc.schedules.linear(1), sc.schedules.constant(1)], [7]).with_length(50)
        with pytest.raises(ValueError, match="total_steps must be a finite number"):
            sc.schedules.linear(0.1, float("inf"))
        for total in (0, "many"):
            with pytest.raises((TypeError, ValueError), match="total_steps must be"):
                sc.schedules.linear(0.1).with_length(total)


@pytest.mark.parametrize("rule", ["SGD", "Adam", "LAMB", "Prodigy"])
def test_a_training_asks_a_function_once_for_each_step(rule):
    asked = []

    def rate(step):
        asked.append(step)
        return 0.01 / (1 + len(asked))

    net = sc.MLP([2, 3, 1])
    history = net.fit(
        np.ones((20, 2)),
        np.ones(20),
        optimizer=getattr(sc, rule)(lr=rate),
        batch_size=5,
        epochs=2,
        record="step",
    )
    assert asked == list(range(8))
    np.testing.assert_array_equal(history.steps["lr"], [0.01 / (2 + step) for step in range(8)])
