"""`MLP.fit(record="step")`: the record of each step is that of a loop in NumPy, however the training goes."""

import _thread
import copy
import json
import pickle
import threading

import numpy as np
import pytest

import schuss as sc
from schuss import _checkpoint
from schuss.history import History

NAMES = ["step", "epoch", "loss", "lr", "weight", "seconds"]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(103, 5))
Y = np.stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])], axis=1)
WEIGHTS = RNG.uniform(0, 3, size=103)
WEIGHTS[40:50] = 0
LR = sc.schedules.inverse_time(0.01, rate=0.5, decay_steps=7)


def network(**options):
    return sc.MLP([5, 7, 2], activation="tanh", dtype="float64", seed=1, **options)


def objective(theta, X, y, weight, loss="mse", l2=0.0):
    """The objective on a batch and its gradient, in NumPy, with all parameters in one list."""
    W1, b1, W2, b2 = theta
    hidden = np.tanh(X @ W1 + b1)
    error = hidden @ W2 + b2 - y
    scale = 1.0 if loss == "sse" else 1 / (weight.sum() * y.shape[1])
    value = scale * (weight @ error**2).sum() + l2 / 2 * ((W1**2).sum() + (W2**2).sum())
    out = 2 * scale * weight[:, None] * error
    back = (out @ W2.T) * (1 - hidden**2)
    return value, [X.T @ back + l2 * W1, back.sum(0), hidden.T @ out + l2 * W2, out.sum(0)]


def descended(net, batches, *, loss="mse", l2=0.0):
    """What gradient descent on these batches records: number and loss, rate and weight of each step."""
    theta = [array.copy() for array in net.params]
    rows = []
    for step, (X, y, weight) in enumerate(batches):
        value, grads = objective(theta, X, y, weight, loss, l2)
        lr = 0.01 / (1 + 0.5 * step / 7)
        theta = [array - lr * grad for array, grad in zip(theta, grads, strict=True)]
        rows.append((step + 1, value, lr, weight.sum()))
    return dict(zip(("step", "loss", "lr", "weight"), np.array(rows).T, strict=True))


def batches_of(size, epochs, weights=None, blocks=1):
    """The batches of epochs that take the rows, or the blocks that they come in, in order."""
    weights = np.ones(len(X)) if weights is None else weights
    for _ in range(epochs):
        for block in np.array_split(np.arange(len(X)), blocks):
            for start in range(0, len(block), size):
                rows = block[start : start + size]
                yield X[rows], Y[rows], weights[rows]


def expect(steps, expected):
    for name, column in expected.items():
        np.testing.assert_allclose(steps[name], column, rtol=1e-12, err_msg=name)


def same(a, b):
    assert list(a) == list(b) == NAMES
    for name in NAMES[:-1]:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


CASES = {
    "all rows": {"size": None},
    "one row": {"size": 1},
    "a shorter last batch": {"size": 25},
    "weights": {"size": 25, "weights": WEIGHTS},
    "a batch that weighs little": {"size": 25, "weights": WEIGHTS * 1e-300},
    "a sum": {"size": 10, "loss": "sse"},
    "a sum with weights": {"size": 10, "loss": "sse", "weights": WEIGHTS},
    "a penalty": {"size": 25, "l2": 0.3},
    "a sum with a penalty and weights": {"size": 10, "loss": "sse", "l2": 0.3, "weights": WEIGHTS},
}


class TestAgainstNumPy:
    @pytest.mark.parametrize("threads", [1, 3])
    @pytest.mark.parametrize("case", CASES)
    def test_rows_in_memory(self, case, threads):
        case = {"size": None, "weights": None, **CASES[case]}
        size, weights = case.pop("size"), case.pop("weights")
        net = network(**case)
        expected = descended(net, batches_of(size or 103, 3, weights), **case)
        history = net.fit(
            X,
            Y,
            sample_weight=weights,
            optimizer=sc.SGD(lr=LR),
            batch_size=size,
            epochs=3,
            shuffle=False,
            record="step",
            n_threads=threads,
        )
        steps = history.steps
        assert list(steps) == NAMES
        expect(steps, expected)
        per_epoch = -(-103 // (size or 103))
        np.testing.assert_array_equal(steps["epoch"], np.repeat([1, 2, 3], per_epoch))
        assert np.all(np.diff(steps["seconds"]) >= 0)
        assert steps["seconds"][per_epoch - 1] <= history["seconds"][0] <= steps["seconds"][per_epoch]

    def test_a_batch_that_weighs_nothing_has_the_penalty_alone(self):
        net = network(l2=0.3)
        weights = np.r_[np.zeros(50), np.ones(53)]
        squares = sum((net.params[i] ** 2).sum() for i in (0, 2))
        steps = net.fit(
            X, Y, sample_weight=weights, batch_size=50, epochs=1, shuffle=False, record="step"
        ).steps
        assert steps["weight"].tolist() == [0, 50, 3]
        assert steps["loss"][0] == pytest.approx(0.15 * squares, rel=1e-12)

    @pytest.mark.parametrize("by", ["number", "iterator"])
    def test_blocks(self, by):
        parts = [(X[i], Y[i], WEIGHTS[i]) for i in np.array_split(np.arange(103), 4)]

        class Source:
            n_blocks = 4

            def read(self, i):
                return parts[i]

        net = network(l2=0.1)
        expected = descended(net, batches_of(10, 2, WEIGHTS, blocks=4), l2=0.1)
        source = Source() if by == "number" else lambda: iter(parts)
        options = {"optimizer": sc.SGD(lr=LR), "batch_size": 10, "epochs": 2, "shuffle": False}
        history = net.fit(source, record="step", **options)
        expect(history.steps, expected)
        assert history.steps["epoch"].tolist() == [1] * 12 + [2] * 12
        assert np.all(np.diff(history.steps["seconds"]) >= 0)

    def test_lbfgs_has_a_record_for_each_accepted_step(self):
        net, points = network(l2=0.1), []

        def look(info):
            points.append([array.copy() for array in info.net.params])
            assert len(info.history.steps["step"]) == info.epoch

        options = {"optimizer": sc.LBFGS(), "epochs": 12, "callbacks": look, "sample_weight": WEIGHTS}
        history = net.fit(X, Y, record="step", **options)
        steps = history.steps
        assert list(steps) == NAMES
        losses = [objective(point, X, Y, WEIGHTS, l2=0.1)[0] for point in points]
        expect(steps, {"step": range(1, 13), "epoch": range(1, 13), "loss": losses})
        assert steps["loss"].tolist() == history["loss"]
        np.testing.assert_allclose(steps["weight"], WEIGHTS.sum())
        assert np.isnan(steps["lr"]).all()
        assert np.all(steps["seconds"] <= history["seconds"])

    @pytest.mark.parametrize(
        "optimizer",
        [sc.Adam(accumulate=3), sc.LAMB(), sc.Adam(clip_norm=0.1), sc.AdamW(ema=0.9, lookahead=5)],
        ids=["accumulated", "two passes", "clipped", "averaged"],
    )
    def test_whatever_the_optimizer_is_the_steps_of_an_epoch_make_up_its_loss(self, optimizer):
        net = network(l2=0.2, dropout=0.3)
        options = {"optimizer": optimizer, "batch_size": 10, "epochs": 4, "sample_weight": WEIGHTS}
        history = net.fit(X, Y, record="step", **options)
        steps = history.steps
        assert len(steps["step"]) == 4 * 11
        for epoch in range(1, 5):
            of_epoch = steps["epoch"] == epoch
            mean = np.average(steps["loss"][of_epoch], weights=steps["weight"][of_epoch])
            assert mean == pytest.approx(history["loss"][epoch - 1], rel=1e-12)
            assert steps["lr"][of_epoch][-1] == history["lr"][epoch - 1]


class TestInterplay:
    def test_nothing_else_changes(self):
        plain, recorded = network(dropout=0.2), network(dropout=0.2)
        options = {"optimizer": "adam", "batch_size": 10, "epochs": 3, "validation_data": (X, Y)}
        a, b = plain.fit(X, Y, **options), recorded.fit(X, Y, record="step", **options)
        assert (plain.theta == recorded.theta).all()
        assert (a["loss"], a["val_loss"], a["lr"]) == (b["loss"], b["val_loss"], b["lr"])
        assert a.steps is None

    def test_any_number_of_threads_and_any_stops_between_epochs_leave_the_same_record(self):
        def recorded(**options):
            net = sc.MLP([5, 300, 300, 2], seed=2, dropout=0.1)
            return net.fit(X, Y, optimizer="adam", batch_size=30, epochs=4, record="step", **options).steps

        first = recorded(n_threads=1)
        same(first, recorded(n_threads=4))
        same(first, recorded(callbacks=lambda info: None))
        same(first, recorded(metrics="r2"))

    def test_a_callback_sees_the_steps_so_far(self):
        seen = []
        network().fit(
            X,
            Y,
            batch_size=50,
            epochs=3,
            record="step",
            callbacks=lambda info: seen.append(len(info.history.steps["step"])),
        )
        assert seen == [3, 6, 9]

    def test_each_training_counts_its_own_steps(self):
        net = network()
        for _ in range(2):
            steps = net.fit(X, Y, batch_size=50, epochs=2, record="step").steps
            assert steps["step"].tolist() == [1, 2, 3, 4, 5, 6]
            assert steps["epoch"].tolist() == [1, 1, 1, 2, 2, 2]

    def test_no_epochs_make_an_empty_record(self):
        history = network().fit(X, Y, epochs=0, record="step")
        assert [len(column) for column in history.steps.values()] == [0] * 6
        assert network().fit(X, Y, epochs=0).steps is None

    @pytest.mark.parametrize("record", ["steps", "batch", "", None, True, 1, ["step"]])
    def test_anything_else_is_refused_by_name(self, record):
        net = network()
        before = net.theta.copy()
        with pytest.raises((TypeError, ValueError), match="record must be one of epoch, step, got"):
            net.fit(X, Y, record=record)
        assert net.history is None
        assert (net.theta == before).all()


class TestUnfinished:
    def test_an_error_leaves_the_steps_before_it(self):
        bad = X.copy()
        rates = iter([0.01] * 5 + [float("nan")])
        net = network()
        with pytest.raises(ValueError, match="lr"):
            net.fit(
                bad, Y, optimizer=sc.SGD(lr=lambda t: next(rates)), batch_size=25, epochs=3, record="step"
            )
        assert net.history.epochs == 1
        assert net.history.steps["step"].tolist() == [1, 2, 3, 4, 5]
        assert net.history.steps["epoch"].tolist() == [1] * 5
        assert net.history.stopped == "error"

    def test_a_loss_that_is_not_finite_is_no_step(self):
        net = network()
        huge = Y.copy()
        huge[60] = 1e308
        with pytest.raises(sc.NonFiniteError):
            net.fit(X, huge, optimizer=sc.SGD(lr=LR), batch_size=25, epochs=1, shuffle=False, record="step")
        expect(net.history.steps, descended(network(), list(batches_of(25, 1))[:2]))

    def test_steps_that_are_left_out_have_no_record(self):
        net, huge = network(), Y.copy()
        huge[60] = 1e308
        optimizer = sc.SGD(lr=0.01, nonfinite="skip")
        history = net.fit(X, huge, optimizer=optimizer, batch_size=25, epochs=2, shuffle=False, record="step")
        assert net.optimizer.skipped_steps == 2
        assert history.steps["weight"].tolist() == [25, 25, 25, 3] * 2
        assert np.isfinite(history.steps["loss"]).all()

    @pytest.mark.parametrize("source", ["rows", "blocks"])
    def test_max_time_leaves_the_steps_that_were_made(self, source):
        rows, targets = np.tile(X, (3000, 1)), np.tile(Y, (3000, 1))
        data = (rows, targets) if source == "rows" else (lambda: iter([(rows, targets)]), None)
        net = network()
        history = net.fit(*data, optimizer="sgd", batch_size=1, epochs=1, max_time=0.05, record="step")
        assert history.stopped == "max_time"
        assert history.epochs == 0
        assert len(history.steps["step"]) == net.optimizer.step_count > 0
        assert (history.steps["epoch"] == 1).all()

    def test_a_signal_leaves_the_steps_that_were_made(self):
        net = network()
        threading.Timer(0.3, _thread.interrupt_main).start()
        with pytest.raises(KeyboardInterrupt):
            net.fit(X, Y, optimizer="sgd", batch_size=1, epochs=10**6, record="step")
        steps = net.history.steps
        assert len(steps["step"]) == net.optimizer.step_count > 0
        assert net.history.epochs == len(steps["step"]) // 103
        assert (steps["epoch"] == (steps["step"] - 1) // 103 + 1).all()

    def test_ctrl_c_within_a_schedule_leaves_the_steps_that_were_made(self):
        rates = []

        def lr(t):
            if len(rates) == 7:
                raise KeyboardInterrupt
            rates.append(0.01)
            return 0.01

        net = network()
        with pytest.raises(KeyboardInterrupt):
            net.fit(X, Y, optimizer=sc.SGD(lr=lr), batch_size=25, epochs=3, record="step")
        assert net.history.steps["step"].tolist() == [1, 2, 3, 4, 5, 6, 7]
        assert net.history.steps["epoch"].tolist() == [1] * 5 + [2] * 2
        assert net.history.stopped == "interrupted"


class Killed(BaseException):
    """As if the process had ended here."""


class TestCheckpoint:
    @pytest.mark.parametrize("source", ["rows", "blocks", "lbfgs"])
    @pytest.mark.parametrize("every", [1, 1e-6])
    def test_a_training_that_was_killed_again_and_again_has_the_record_of_one_that_was_not(
        self, tmp_path, monkeypatch, source, every
    ):
        def run(threads, **saving):
            net = network(l2=0.1, dropout=0.0 if source == "lbfgs" else 0.2)
            optimizer = sc.LBFGS() if source == "lbfgs" else sc.Adam(lr=LR)
            data = (lambda: iter([(X, Y), (X[:40], Y[:40])]), None) if source == "blocks" else (X, Y)
            options = {"batch_size": None if source == "lbfgs" else 10, "epochs": 5, "record": "step"}
            return net.fit(*data, optimizer=optimizer, n_threads=threads, **options, **saving)

        expected = run(1).steps
        save, saves = _checkpoint.Checkpoint.save, []

        def save_and_die(self, state):
            save(self, state)
            saves.append(state)
            if len(saves) % 2 == 0:
                raise Killed

        monkeypatch.setattr(_checkpoint.Checkpoint, "save", save_and_die)
        saving = {"checkpoint": tmp_path / "run", "checkpoint_every": every, "resume": True}
        for attempt in range(500):
            try:
                history = run(attempt % 3 + 1, **saving)
                break
            except Killed:
                continue
        assert attempt > 1
        same(history.steps, expected)
        assert np.all(np.diff(history.steps["seconds"]) >= 0)

    @pytest.mark.parametrize("optimizer", [sc.SGD, sc.LAMB])
    def test_ctrl_c_within_a_schedule_gives_up_the_step_that_would_have_begun(self, tmp_path, optimizer):
        asked = []

        def lr(t):
            asked.append(t)
            if len(asked) == at:
                raise KeyboardInterrupt
            return 0.01

        def run(**saving):
            net = network()
            history = net.fit(
                X, Y, optimizer=optimizer(lr=lr), batch_size=25, epochs=3, record="step", **saving
            )
            return net.theta, history

        at = 0
        theta, history = run()
        asked.clear()
        at = 8
        saving = {"checkpoint": tmp_path / "run", "resume": True}
        with pytest.raises(KeyboardInterrupt):
            run(**saving)
        resumed, resumed_history = run(**saving)
        same(resumed_history.steps, history.steps)
        assert resumed_history["loss"] == history["loss"]
        assert (resumed == theta).all()

    @pytest.mark.parametrize(("first", "then"), [("epoch", "step"), ("step", "epoch")])
    def test_one_that_recorded_something_else_is_refused(self, tmp_path, first, then):
        saving = {"optimizer": "adam", "checkpoint": tmp_path / "run"}
        network().fit(X, Y, epochs=1, record=first, **saving)
        with pytest.raises(ValueError, match="checkpoint must be a file of the same run: record is"):
            network().fit(X, Y, epochs=2, record=then, resume=True, **saving)


class TestHistory:
    @pytest.fixture
    def history(self):
        return network().fit(X, Y, batch_size=50, epochs=2, record="step")

    @pytest.mark.parametrize(
        "copied", [copy.copy, copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h)), History.copy]
    )
    def test_copies_have_the_steps(self, history, copied):
        other = copied(history).steps
        same(other, history.steps)
        assert (other["seconds"] == history.steps["seconds"]).all()
        assert [column.dtype for column in other.values()] == [np.int64] * 2 + [np.float64] * 4

    def test_a_saved_network_has_them(self, tmp_path):
        net = network()
        net.fit(X, Y, optimizer="adam", epochs=2, record="step")
        net.save(tmp_path / "net.npz")
        same(sc.MLP.load(tmp_path / "net.npz").history.steps, net.history.steps)

    def test_json_has_them(self, history):
        read = json.loads(history.to_json())["steps"]
        assert read == {name: column.tolist() for name, column in history.steps.items()}
        without = network().fit(X, Y, optimizer=sc.LBFGS(), epochs=2, record="step")
        assert json.loads(without.to_json())["steps"]["lr"] == [None, None]

    def test_they_are_a_table_of_pandas(self, history):
        frame = pytest.importorskip("pandas").DataFrame(history.steps)
        assert list(frame.columns) == NAMES
        assert frame.groupby("epoch")["weight"].sum().tolist() == [103, 103]

    def test_they_cannot_be_written_to(self, history):
        for column in history.steps.values():
            with pytest.raises(ValueError, match="read-only"):
                column[0] = 0
        with pytest.raises(AttributeError, match="no attribute 'steps' to set"):
            history.steps = None

    def test_repr_counts_them(self, history):
        assert repr(history).startswith("History(epochs=2, steps=6, loss=")

    @pytest.mark.parametrize(
        "change",
        [
            lambda steps: steps.pop("lr"),
            lambda steps: steps.update(more=steps["lr"]),
            lambda steps: steps.update(lr=steps["lr"][1:]),
            lambda steps: steps.update({name: column[None] for name, column in steps.items()}),
        ],
    )
    def test_other_columns_are_refused(self, history, change):
        make, arguments = history.__reduce__()
        change(arguments[3])
        with pytest.raises(ValueError, match="steps must be columns of one length, step, epoch, loss"):
            make(*arguments)
