"""How many threads an estimator may use: never more than its surroundings leave it."""

from __future__ import annotations

import sys

from joblib.parallel import get_active_backend
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads


def limit() -> int:
    """The threads that this process, or this worker of a parallel search, has for itself.

    scikit-learn's own rule: the cores that the process may use (affinity, containers), OMP_NUM_THREADS, which
    joblib's processes find set to their share, and the limits of threadpoolctl. A joblib worker that is a
    thread has one, and so has a task of Dask's, beside which others may run.
    """
    if _in_task_of_dask():
        return 1
    backend, _ = get_active_backend()
    allowed = int(_openmp_effective_n_threads(only_physical_cores=False))
    in_thread = (backend.nesting_level or 0) > 0 and not _in_process_of_its_own()
    return 1 if in_thread else max(allowed, 1)


def _in_task_of_dask() -> bool:
    # Who has not imported it is in no task of its.
    worker = sys.modules.get("distributed.worker")
    if worker is None:
        return False
    try:
        worker.get_worker()
    except ValueError:
        return False
    return True


def _in_process_of_its_own() -> bool:
    from multiprocessing import parent_process

    return parent_process() is not None
