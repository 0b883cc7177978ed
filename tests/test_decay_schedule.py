"""Weight decay that follows a schedule: the same as setting it by hand before each step."""

import copy
import pickle

import numpy as np
import pytest

import schuss as sc

RNG = np.random.default_rng(0)
S = sc.schedules
STEPS = 12
GRADS = RNG.normal(size=(STEPS, 40))
X = RNG.normal(size=(50, 4))
Y = X[:, 0]

MAKERS = {
    "AdamW": lambda decay: sc.AdamW(lr=0.1, weight_decay=decay),
    "AdamW, independent": lambda decay: sc.AdamW(lr=0.1, weight_decay=decay, decay="independent"),
    "Adam, coupled": lambda decay: sc.Adam(lr=0.1, weight_decay=decay, decay="coupled"),
    "SGD": lambda decay: sc.SGD(lr=S.cosine(0.1, STEPS), momentum=0.9, weight_decay=decay),
    "Lion": lambda decay: sc.Lion(lr=0.01, weight_decay=decay),
    "LAMB": lambda decay: sc.LAMB(lr=0.1, weight_decay=decay),
    "Prodigy": lambda decay: sc.Prodigy(weight_decay=decay),
    "ScheduleFreeAdamW": lambda decay: sc.ScheduleFreeAdamW(lr=0.1, weight_decay=decay),
}
SCHEDULE = S.flat_cos(0.3, STEPS)


def weights(dtype="float32"):
    return np.linspace(-2, 2, 40).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MAKERS)
def test_each_step_has_the_decay_of_its_number(name, dtype):
    w, by_hand, constant = weights(dtype), weights(dtype), weights(dtype)
    scheduled = MAKERS[name](SCHEDULE).bind(w)
    other = MAKERS[name](0.3).bind(by_hand)
    third = MAKERS[name](0.3).bind(constant)
    for step, g in enumerate(GRADS.astype(dtype)):
        other.param_groups[0]["weight_decay"] = SCHEDULE(step)
        for optimizer in (scheduled, other, third):
            optimizer.step(g)
        assert w.tobytes() == by_hand.tobytes()
    assert w.tobytes() != constant.tobytes()


def test_it_is_the_formula():
    w, m, v = weights("float64"), 0.0, 0.0
    optimizer, p = sc.AdamW(lr=0.1, weight_decay=SCHEDULE).bind(w), weights("float64")
    for t, g in enumerate(GRADS, start=1):
        optimizer.step(g)
        p = p * (1 - 0.1 * SCHEDULE(t - 1))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        p = p - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        np.testing.assert_allclose(w, p, rtol=1e-12, atol=1e-14)


def test_a_group_may_have_one_of_its_own():
    def trained(decay):
        a, b = weights(), weights()
        groups = [{"params": [a]}, {"params": [b], "weight_decay": decay}]
        optimizer = sc.AdamW(groups, lr=0.1, weight_decay=0.02)
        for g in GRADS.astype("float32"):
            optimizer.step([[g], [g]])
        return a.tobytes(), b.tobytes()

    one, other = trained(SCHEDULE), trained(0.3)
    assert one[0] == other[0]
    assert one[1] != other[1]


class TestOfTheLengthOfTheTraining:
    def net(self):
        return sc.MLP([4, 30, 1], seed=1)

    def fit(self, net, decay, **options):
        return net.fit(
            X,
            Y,
            **{"optimizer": sc.AdamW(lr=0.05, weight_decay=decay), "epochs": 6, "batch_size": 20, **options},
        )

    def test_fit_gives_it_all_steps_of_all_epochs_on_any_number_of_threads(self):
        def trained(decay, threads=1):
            net = self.net()
            self.fit(net, decay, n_threads=threads)
            return net.theta.tobytes()

        # 50 rows by 20: 3 steps an epoch.
        want = trained(S.flat_cos(0.5, 18))
        assert trained(S.flat_cos(0.5)) == want == trained(S.flat_cos(0.5), 2) == trained(S.flat_cos(0.5), 3)
        assert trained(0.5) != want

    def test_groups_by_name(self):
        def trained(*groups):
            net = self.net()
            net.fit(X, Y, optimizer=sc.AdamW([*groups], lr=0.05), epochs=6, batch_size=20)
            return net.theta.tobytes()

        def group(decay):
            return {"params": "*.weight", "weight_decay": decay}

        assert trained(group(S.flat_cos(0.5))) == trained(group(S.flat_cos(0.5, 18))) != trained(group(0.5))

    def test_a_training_goes_on_from_its_checkpoint(self, tmp_path):
        whole, saving = self.net(), {"checkpoint": tmp_path / "run", "checkpoint_every": 1}
        self.fit(whole, S.flat_cos(0.5))

        def interrupt(info):
            if info.epoch == 4:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.fit(self.net(), S.flat_cos(0.5), **saving, callbacks=interrupt)
        again = self.net()
        self.fit(again, S.flat_cos(0.5), **saving, resume=True)
        assert again.theta.tobytes() == whole.theta.tobytes()

    def test_a_network_is_saved_with_it(self, tmp_path):
        net = self.net()
        self.fit(net, S.flat_cos(0.5, 40))
        net.save(tmp_path / "net")
        others = (sc.MLP.load(tmp_path / "net"), pickle.loads(pickle.dumps(net)), copy.deepcopy(net))
        net.fit(X, Y, epochs=3, batch_size=20)
        for other in others:
            assert other.optimizer.param_groups[0]["weight_decay"] == S.flat_cos(0.5, 40)
            other.fit(X, Y, epochs=3, batch_size=20)
            assert other.theta.tobytes() == net.theta.tobytes()

    def test_it_may_be_told_and_is_refused_elsewhere(self):
        w = weights()
        bound = sc.AdamW(weight_decay=S.flat_cos(0.5)).bind(w, total_steps=50)
        assert bound.param_groups[0]["weight_decay"] == S.flat_cos(0.5, 50)
        for use in (
            lambda: sc.AdamW(w, weight_decay=S.flat_cos(0.5)),
            lambda: sc.AdamW(weight_decay=S.flat_cos(0.5)).bind(w),
            lambda: bound.param_groups[0].__setitem__("weight_decay", S.flat_cos(0.5)),
        ):
            with pytest.raises(ValueError, match="total_steps must be the number of steps"):
                use()
        assert bound.param_groups[0]["weight_decay"] == S.flat_cos(0.5, 50)


class TestAsAValue:
    def test_recipes_are_compared_printed_and_copied(self):
        # The peak is what AdamW's decay is by default: it is printed all the same.
        recipe = sc.AdamW(weight_decay=S.flat_cos(0.01))
        assert "weight_decay=flat_cos(lr=0.01, total_steps=None, flat=0.5, final=0)" in repr(recipe)
        assert recipe == sc.AdamW(weight_decay=S.flat_cos(0.01)) == pickle.loads(pickle.dumps(recipe))
        assert recipe != sc.AdamW(weight_decay=S.flat_cos(0.01, 5))
        assert recipe != sc.AdamW(weight_decay=0.01)
        assert recipe.get_params()["weight_decay"] == S.flat_cos(0.01)
        assert sc.AdamW(**recipe.get_params()) == recipe

    def test_state_goes_on_with_the_schedule_that_is_there(self):
        w, v = weights(), weights()
        one = sc.AdamW(w, lr=0.1, weight_decay=SCHEDULE)
        for g in GRADS[:5].astype("float32"):
            one.step(g)
        state = one.state_dict()
        assert state["param_groups"][0]["weight_decay"] is None
        two = sc.AdamW(v, lr=0.1, weight_decay=SCHEDULE)
        two.load_state_dict(state)
        v[:] = w
        for g in GRADS[5:].astype("float32"):
            one.step(g)
            two.step(g)
        assert w.tobytes() == v.tobytes()

    def test_a_copy_at_work_goes_on(self):
        one = sc.AdamW(weights(), lr=0.1, weight_decay=SCHEDULE)
        for g in GRADS[:5].astype("float32"):
            one.step(g)
        two = pickle.loads(pickle.dumps(one))
        for g in GRADS[5:].astype("float32"):
            one.step(g)
            two.step(g)
        arrays = [np.asarray(optimizer.param_groups[0]["params"][0]).tobytes() for optimizer in (one, two)]
        assert arrays[0] == arrays[1]

    def test_a_number_takes_its_place(self):
        w, v = weights(), weights()
        one, two = sc.AdamW(w, lr=0.1, weight_decay=SCHEDULE), sc.AdamW(v, lr=0.1, weight_decay=0.2)
        one.param_groups[0]["weight_decay"] = 0.2
        assert one.param_groups[0]["weight_decay"] == 0.2
        one.param_groups[0]["lr"] = 0.1
        for g in GRADS.astype("float32"):
            one.step(g)
            two.step(g)
        assert w.tobytes() == v.tobytes()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (
            {"weight_decay": S.plateau(0.1)},
            ValueError,
            "weight_decay must be a number, or .* plateau",
        ),
        ({"weight_decay": S.step(0.1, 5, 2.0)}, ValueError, "weight_decay must be .* got step with factor=2"),
        ({"weight_decay": S.warmup(lambda t: 1.0, 5)}, ValueError, "weight_decay must be .* a function"),
        ({"weight_decay": lambda t: 0.1}, TypeError, "weight_decay must be a finite number"),
        ({"eps": SCHEDULE}, TypeError, "eps must be"),
        ({"betas": (SCHEDULE, 0.9)}, TypeError, "betas must be"),
        ({"lr_factor": SCHEDULE}, TypeError, "lr_factor must be"),
    ],
)
def test_what_cannot_be_scheduled_is_refused_by_name(options, error, words):
    with pytest.raises(error, match=words):
        sc.AdamW(**options)


def test_torch_has_none():
    optimizer = sc.AdamW(weights(), weight_decay=SCHEDULE, convention="torch")
    with pytest.raises(ValueError, match="weight_decay must be a number, as torch has it, got flat_cos"):
        optimizer.to_torch_state()
