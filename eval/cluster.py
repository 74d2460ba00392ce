"""Jobs on several processes or machines, through Dask: a local cluster, or one that is there already.

A worker that dies takes nothing with it: its job is done again elsewhere, from the cache as far as it came. Workers
of another machine need the package, the clips and the output folder under the same paths.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from t4vcodec.eval.compiling import compile_coding, compile_decoding
from t4vcodec.eval.errors import EvalError

if TYPE_CHECKING:
    from distributed import Client
    from t4vcodec.eval.sweep import Job, JobResult

Done = Callable[[str, bool, float], None]

_CONNECT_SECONDS = 20
_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run_jobs(jobs: Sequence[Job], done: Done, workers: int, address: str | None = None) -> list[JobResult]:
    """Results in the order of the jobs; what goes wrong in one of them is raised here.

    Rates of one clip follow each other on one worker, since they share encodes, unless there are more workers
    than clips. Raises `EvalError` where no cluster answers, or a job's workers die again and again.
    """
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    with _client(workers, address) as client, client.as_current(), _progress(client, done) as topic:
        chained = len({job.source for job in jobs}) >= len(client.nthreads())
        futures: list[Any] = []
        names: dict[str, str] = {}
        try:
            if address is None:
                client.gather(
                    [client.submit(half, pure=False) for half in (compile_coding, compile_decoding)]
                )
            for number, job in enumerate(jobs):
                before = futures[-1] if chained and number and jobs[number - 1].source == job.source else None
                futures.append(client.submit(_run, job, topic, before, pure=False))
                names[futures[-1].key] = job.source
            for future in as_completed(futures):
                future.result()  # raises here what went wrong there, before the others are waited for
            return client.gather(futures)
        except KilledWorker as error:
            where = names.get(str(error.task), "a clip")
            raise EvalError(
                f"{where}: workers died again and again (out of memory?): try fewer workers or frames; the same "
                "command goes on where it stopped"
            ) from error
        except (ModuleNotFoundError, OSError) as error:
            raise EvalError(
                f"a worker failed: {error}: workers need this package and the same paths"
            ) from error
        finally:
            client.cancel(futures)


def _run(job: Job, topic: str, before: object) -> JobResult:
    """In a worker. before: the result that this job was to wait for."""
    import torch
    from distributed import get_worker

    torch.set_num_threads(1)
    worker = get_worker()
    return job.run(lambda *step: worker.log_event(topic, step))


@contextmanager
def _progress(client: Client, done: Done) -> Iterator[str]:
    """Tells of the jobs' steps while it lasts; gives the topic to which they report."""
    topic = f"t4vcodec-{uuid.uuid4()}"
    lock = threading.Lock()

    def heard(event: tuple[float, tuple[str, bool, float]]) -> None:
        with lock:
            done(*event[1])

    client.subscribe_topic(topic, heard)
    try:
        yield topic
    finally:
        client.unsubscribe_topic(topic)


@contextmanager
def _client(workers: int, address: str | None) -> Iterator[Client]:
    """A client of the cluster at `address`, or of one of so many processes that ends with it."""
    from distributed import Client, LocalCluster

    if address is not None:
        try:
            client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
            known = client.nthreads()
        except (OSError, ValueError, TypeError) as error:
            raise EvalError(
                f"no Dask scheduler answers at {address} ({error}): start one with dask scheduler"
            ) from error
        with client:
            if not known:
                raise EvalError(
                    f"the cluster at {address} has no workers: start some with dask worker {address}"
                )
            yield client
        return
    # Several processes with several threads each only stand in each other's way. No memory limit: Dask would end a
    # worker for what its clips need.
    with (
        _environment(dict.fromkeys(_THREAD_LIMITS, "1")),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """These variables for processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
