"""Workers of a Dask cluster that are killed at random moments, again and again, cost no bit of a training."""

import os
import random
import signal
import threading
import warnings

import numpy as np
import pytest

import schuss as sc

distributed = pytest.importorskip("distributed")

# Kills that are made, whatever the time.
LEAST = 20


@pytest.mark.skipif(os.name == "nt", reason="kills the POSIX way")
def test_workers_are_killed(soak):
    """In each training most of the workers are killed, at any stage of it."""
    import dask.array as da

    from schuss.dask import DaskMLPClassifier

    dice = random.Random(0)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6000, 10))
    y = X[:, 0] * X[:, 1] > 0
    given = {
        "hidden_layer_sizes": (40, 30),
        "batch_size": 1000,
        "max_iter": 10,
        "dropout": 0.1,
        "random_state": 0,
    }
    given |= {"early_stopping": True, "n_iter_no_change": 99}
    warnings.simplefilter("ignore")
    expected = sc.MLPClassifier(n_shards=8, sharded=True, **given).fit(X, y)
    local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "silence_logs": 50}
    while soak.goes_on() or soak.counts.get("kills", 0) < LEAST:
        some = distributed.LocalCluster(n_workers=4, threads_per_worker=1, **local)
        with some, distributed.Client(some) as client:
            done = threading.Event()
            pids = sorted(client.run(os.getpid).values())
            killer = threading.Thread(target=_kill, args=(dice.sample(pids, 3), dice, done, soak))
            killer.start()
            try:
                rows = da.from_array(X, chunks=(dice.choice([700, 6000]), 10))
                model = DaskMLPClassifier(client=client, **given).fit(rows, da.from_array(y, chunks=900))
            finally:
                done.set()
                killer.join()
        soak.count("trainings")
        assert all(map(np.array_equal, model.coefs_, expected.coefs_)), "the bits differ"
        assert model.validation_scores_ == expected.validation_scores_


def _kill(pids, dice, done, soak):
    """Kill all but one of the workers, one after the other; others may or may not come in their place."""
    for pid in pids:
        if done.wait(dice.uniform(0.1, 1.5)):
            break
        os.kill(pid, signal.SIGKILL)
        soak.count("kills")
