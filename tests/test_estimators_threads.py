"""An estimator that chooses its own threads takes no more than joblib and threadpoolctl leave it."""

import pytest

pytest.importorskip("sklearn")

from joblib import Parallel, cpu_count, delayed, parallel_config
from threadpoolctl import threadpool_limits

from schuss.estimators import _threads


def limits(backend, jobs):
    return Parallel(n_jobs=jobs, backend=backend)(delayed(_threads.limit)() for _ in range(2 * jobs))


@pytest.fixture(autouse=True)
def nothing_set_outside(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.parametrize("jobs", [2, 3])
def test_processes_of_joblib_share_the_cores(jobs):
    assert limits("loky", jobs) == [max(cpu_count() // jobs, 1)] * 2 * jobs


def test_a_process_takes_what_the_user_grants_it():
    with parallel_config("loky", inner_max_num_threads=2):
        granted = Parallel(n_jobs=2)(delayed(_threads.limit)() for _ in range(4))
    assert granted == [2] * 4


def test_threads_of_joblib_have_one_core_each():
    assert limits("threading", 2) == [1] * 4


def test_threadpoolctl_limits_and_releases():
    before = _threads.limit()
    with threadpool_limits(1):
        assert _threads.limit() == 1
    assert _threads.limit() == before
