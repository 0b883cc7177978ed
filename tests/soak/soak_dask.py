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
    """In each training workers are killed one after the other, at any stage of it."""
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
    local["threads_per_worker"] = 1
    with (
        distributed.LocalCluster(n_workers=3, **local) as some,
        distributed.Client(some) as client,
    ):
        while soak.goes_on() or soak.counts.get("kills", 0) < LEAST:
            done = threading.Event()
            killer = threading.Thread(target=_kill, args=(client, dice, done, soak))
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


def _kill(client, dice, done, soak):
    """Kill one worker after the other, while there are others."""
    while not done.wait(dice.uniform(0.1, 3.0)):
        pids = client.run(os.getpid, on_error="ignore")
        if len(pids) > 1:
            os.kill(dice.choice(sorted(pids.values())), signal.SIGKILL)
            soak.count("kills")
