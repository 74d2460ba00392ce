"""Jobs on several processes: all done, in order, whoever dies; against a cluster of two workers."""

import os
import time

import pytest
from t4vcodec.eval.cluster import run_jobs
from t4vcodec.eval.errors import EvalError
from toy_jobs import ToyJob

JOBS = 6


def jobs(folder, **how):
    return [ToyJob(i, f"clip-{i // 2}", str(folder), how.get(f"job{i}", "")) for i in range(JOBS)]


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    settings = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": 50}
    with LocalCluster(n_workers=2, **settings) as cluster:
        yield cluster.scheduler_address


def wait_for(steps, count):
    """Reports may arrive a little after the results."""
    end = time.monotonic() + 5
    while len(steps) < count and time.monotonic() < end:
        time.sleep(0.05)


def test_an_existing_cluster_does_all_jobs_in_order(cluster, tmp_path):
    steps = []
    found = run_jobs(jobs(tmp_path), lambda *step: steps.append(step), 1, cluster)
    assert [number for number, _ in found] == list(range(JOBS))
    processes = {process for _, process in found}
    assert len(processes) == 2
    assert os.getpid() not in processes
    # Rates of one clip share a worker.
    assert all(a[1] == b[1] for a, b in zip(found[::2], found[1::2]))
    wait_for(steps, JOBS)
    assert sorted(steps) == [(f"job {i}", True, 1.0) for i in range(JOBS)]


def test_a_job_whose_worker_dies_is_done_again(cluster, tmp_path):
    found = run_jobs(jobs(tmp_path, job2="dies once"), lambda *_: None, 1, cluster)
    assert [number for number, _ in found] == list(range(JOBS))
    assert (tmp_path / "runs-2").read_text() == "xx"


def test_errors_arrive_as_they_were(cluster, tmp_path):
    with pytest.raises(EvalError, match="job 3 cannot be done"):
        run_jobs(jobs(tmp_path, job3="error"), lambda *_: None, 1, cluster)


def test_workers_that_die_again_and_again(tmp_path):
    with pytest.raises(EvalError, match="clip-0: workers died again and again"):
        run_jobs(jobs(tmp_path, job1="dies always")[:2], lambda *_: None, 2)


def test_no_cluster_there(monkeypatch):
    monkeypatch.setattr("t4vcodec.eval.cluster._CONNECT_SECONDS", 2)
    with pytest.raises(EvalError, match="no Dask scheduler answers") as error:
        run_jobs([], lambda *_: None, 1, "tcp://127.0.0.1:9")
    assert "\n" not in str(error.value)
