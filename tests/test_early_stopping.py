"""Validation splits, early stopping and the best epoch of `MLP.fit`."""

import numpy as np
import pytest

import schuss as sc

rng = np.random.default_rng(1)
X = rng.normal(size=(120, 3))
Y = X[:, 0] + rng.normal(size=120)
VALIDATION = (rng.normal(size=(40, 3)), rng.normal(size=40))


def net():
    return sc.MLP([3, 64, 1], seed=3)


def fit(model, **options):
    keys = {
        "optimizer": sc.Adam(lr=0.02),
        "epochs": 60,
        "batch_size": 16,
        "validation_data": VALIDATION,
    } | options
    return model.fit(X, Y, **keys)


class TestStopping:
    def test_it_stops_after_so_many_epochs_without_a_lower_validation_loss(self):
        history = fit(net(), early_stopping=True, patience=4)
        best = int(np.argmin(history["val_loss"])) + 1
        assert history.best_epoch == best
        assert history.epochs == best + 4
        assert history.stopped == "converged"

    def test_the_best_parameters_are_put_back_bit_for_bit(self):
        kept = {}
        model = net()
        history = fit(
            model,
            early_stopping=True,
            patience=4,
            callbacks=lambda info: kept.update({info.epoch: info.net.theta.copy()}),
        )
        assert np.array_equal(model.theta, kept[history.best_epoch])
        assert model.loss(*VALIDATION) == pytest.approx(min(history["val_loss"]), rel=1e-6)

    def test_the_last_ones_stay_where_that_is_asked(self):
        model, plain = net(), net()
        history = fit(model, early_stopping=True, patience=4, restore_best=False)
        fit(plain, epochs=history.epochs)
        assert np.array_equal(model.theta, plain.theta)

    def test_the_best_may_be_restored_without_stopping(self):
        model, plain = net(), net()
        history = fit(model, epochs=20, restore_best=True)
        assert history.epochs == 20
        assert history.stopped == "epochs"
        fit(plain, epochs=history.best_epoch)
        assert np.array_equal(model.theta, plain.theta)

    def test_with_lbfgs_and_blocks(self):
        for options in ({"optimizer": sc.LBFGS(), "batch_size": None},):
            history = fit(net(), early_stopping=True, patience=2, **options)
            assert history.best_epoch == int(np.argmin(history["val_loss"])) + 1
            assert history.stopped == "converged"
        model = net()
        blocks = lambda: iter([(X[:60], Y[:60]), (X[60:], Y[60:])])  # noqa: E731
        history = model.fit(
            blocks,
            optimizer=sc.Adam(lr=0.02),
            epochs=60,
            validation_data=VALIDATION,
            early_stopping=True,
            patience=2,
        )
        assert history.epochs == history.best_epoch + 2
        assert model.loss(*VALIDATION) == pytest.approx(min(history["val_loss"]), rel=1e-6)

    def test_a_callback_comes_first(self):
        history = fit(net(), early_stopping=True, patience=1, callbacks=lambda info: info.epoch == 1)
        assert history.stopped == "callback"

    def test_without_validation_it_is_refused(self):
        for name in ("early_stopping", "restore_best"):
            with pytest.raises(ValueError, match=f"{name} looks at .* validation_data or validation_split"):
                net().fit(X, Y, **{name: True})

    @pytest.mark.parametrize("options", [{"patience": 0}, {"patience": 1.5}, {"early_stopping": "yes"}])
    def test_what_is_no_option_is_refused(self, options):
        with pytest.raises((TypeError, ValueError), match=next(iter(options))):
            fit(net(), **({"early_stopping": True} | options))

    def test_a_saved_network_keeps_its_best_epoch(self, tmp_path):
        model = net()
        history = fit(model, early_stopping=True, patience=2)
        model.save(tmp_path / "net.npz")
        assert sc.MLP.load(tmp_path / "net.npz").history.best_epoch == history.best_epoch


class TestResuming:
    @pytest.mark.parametrize("split", [False, True])
    def test_a_training_that_was_broken_off_stops_at_the_same_epoch_with_the_same_bits(self, tmp_path, split):
        held = {"validation_data": None, "validation_split": 0.3} if split else {}
        options = {"early_stopping": True, "patience": 5, "metrics": "mae", **held}
        whole, parts = net(), net()
        expected = fit(whole, **options)
        saving = {"checkpoint": tmp_path / "run", "checkpoint_every": 1}

        def interrupt(info):
            if info.epoch == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit(parts, **options, **saving, callbacks=interrupt)
        again = net()
        history = fit(again, **options, **saving, resume=True)
        for name in ("loss", "val_loss", "mae", "val_mae"):
            assert history[name] == expected[name]
        assert history.best_epoch == expected.best_epoch
        assert np.array_equal(again.theta, whole.theta)

    def test_a_training_that_was_done_goes_on_from_its_last_epoch_not_its_best(self, tmp_path):
        saving = {"checkpoint": tmp_path / "run"}
        whole = net()
        expected = fit(whole, epochs=30, restore_best=True)
        fit(net(), epochs=12, restore_best=True, **saving)
        again = net()
        history = fit(again, epochs=30, restore_best=True, resume=True, **saving)
        assert history["val_loss"] == expected["val_loss"]
        assert np.array_equal(again.theta, whole.theta)
        done = net()
        fit(done, epochs=30, restore_best=True, resume=True, **saving)
        assert np.array_equal(done.theta, whole.theta)

    def test_other_options_are_another_training(self, tmp_path):
        saving = {"checkpoint": tmp_path / "run"}
        fit(net(), epochs=2, early_stopping=True, **saving)
        for options in (
            {},
            {"early_stopping": True, "patience": 3},
            {"early_stopping": True, "metrics": "mae"},
        ):
            with pytest.raises(ValueError, match=r"a file of the same run: (early_stopping|metrics) is"):
                fit(net(), epochs=4, resume=True, **options, **saving)


class TestSplit:
    def test_so_many_rows_are_held_out_at_random(self):
        seen = {}
        model = net()
        keys = {"validation_data": None, "validation_split": 0.25, "epochs": 1}
        fit(model, **keys, metrics=lambda_named(seen))
        assert seen["rows"] == [90, 30]

    def test_the_rows_that_are_learnt_from_keep_their_order(self):
        model = net()
        each = np.array([model.loss(X[row : row + 1], Y[row : row + 1]) for row in range(120)])
        options = {"validation_data": None, "validation_split": 0.23, "batch_size": 1, "shuffle": False}
        history = fit(model, **options, optimizer=sc.SGD(lr=0.0), epochs=1, record="step")
        learnt = history.steps["loss"]
        assert len(learnt) == 120 - 28  # of 27.6, to the nearest
        rows = np.abs(each - learnt[:, None]).argmin(axis=1)
        np.testing.assert_allclose(each[rows], learnt, rtol=1e-4)
        assert (np.diff(rows) > 0).all()

    def test_it_is_the_same_for_the_same_seed(self):
        losses = [
            fit(net(), validation_data=None, validation_split=0.25, epochs=2, seed=seed)["val_loss"]
            for seed in (1, 1, 2)
        ]
        assert losses[0] == losses[1] != losses[2]

    def test_the_rows_learnt_from_and_validated_with_are_all_rows(self):
        parts = []

        def seen(y, predictions):
            parts.append(y)
            return 0.0

        fit(net(), validation_data=None, validation_split=0.2, epochs=1, metrics=seen)
        assert sorted(np.concatenate(parts)) == sorted(Y.astype(np.float32))

    def test_sparse_rows_and_weights_go_along(self):
        sparse = pytest.importorskip("scipy.sparse")
        weights = rng.uniform(0.5, 2, 120)
        zeros = np.where(np.abs(X) < 0.5, 0, X)
        results = []
        for rows in (zeros, sparse.csr_array(zeros)):
            model = net()
            history = model.fit(rows, Y, sample_weight=weights, validation_split=0.3, epochs=2)
            results.append((history["loss"], history["val_loss"]))
        assert results[0] == results[1]

    @pytest.mark.parametrize("share", [0, 1, 1.5, -0.1, "0.1", float("nan")])
    def test_what_is_no_share_is_refused(self, share):
        with pytest.raises((TypeError, ValueError), match="validation_split must"):
            fit(net(), validation_data=None, validation_split=share)

    def test_one_row_cannot_be_split(self):
        with pytest.raises(ValueError, match="leave rows to learn from"):
            net().fit(X[:1], Y[:1], validation_split=0.5)

    def test_it_excludes_validation_data_and_blocks(self):
        with pytest.raises(ValueError, match="exclude each other"):
            fit(net(), validation_split=0.1)
        with pytest.raises(ValueError, match="needs rows in memory"):
            net().fit(lambda: iter([(X, Y)]), validation_split=0.1)


def lambda_named(seen):
    def rows(y, predictions):
        seen.setdefault("rows", []).append(len(y))
        return 0.0

    return rows
