"""The same capture on a Ray cluster, where machines may come and go.

In: what capture() takes, and a number of workers.  Out: capture_with_ray().  Imports: the capture; ray, inside.

A part is a task, and a worker an actor that has loaded the teacher. Ray starts a worker that died again, on whatever
machine is left, and gives it its part again; parts are published whole, into the staging folder that all machines
share. So the bytes are those of capture(), and an unfinished capture of either kind can be finished by the other.
"""

import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq

from teacher_cache.errors import UserError
from teacher_cache.manifest import Manifest
from teacher_cache.schema import require_examples
from teacher_cache.teacher.capture.answering import load_teacher
from teacher_cache.teacher.capture.job import Capture, compute_part, open_staging, plan_job, publish_cache
from teacher_cache.teacher.progress import track
from teacher_cache.teacher.torch_device import find_device
from teacher_cache.writer import Job, lock_job, remove_leftovers

# A part that kills its worker each time (its texts do not fit the memory) must not be tried for ever.
RETRIES = 5
OBJECT_STORE_BYTES = 80 << 20  # indices pass between the processes, numbers never; Ray's least is 75 MiB
ROOT = Path(__file__).parents[3]


class PartWorker:
    """One loaded teacher that computes the parts it is given."""

    def __init__(self, request: Capture, job: Job, work: Path, staging: str) -> None:
        self.request, self.staging = request, open_staging(job, work)
        if self.staging.folder.name != staging or find_device().type != job.identity["device"]:
            raise UserError(
                f"every worker must have the code, libraries and kind of device of the process that asks, and "
                f"{os.uname().nodename} has others"
            )
        self.teacher = load_teacher(request.base, request.adapter, request.config.dtype)

    def compute(self, index: int) -> int:
        """Compute and publish part `index`, unless that was the last thing a worker did before it died."""
        if not self.staging.has_part(index):
            self.staging.write_part(index, compute_part(self.request, self.teacher, self.staging.job, index))
        return index


def capture_with_ray(request: Capture, work: Path, folder: Path, workers: int) -> Manifest:
    """Write the teacher's cache of all examples to `folder`, as capture() does, with `workers` actors of a Ray cluster.

    The cluster is the one that RAY_ADDRESS names, else a local one for as long as this takes. Each worker takes one GPU
    where the cluster has any. All paths must be the same folders on every machine.

    Raises:
        UserError: as of capture(), Ray is not installed, a launcher started this process, or a worker kept dying.
    """
    if find_spec("ray") is None:
        raise UserError("QDLLM_RAY needs ray: pip install 'qdllm[ray]'")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError(
            "QDLLM_RAY and QDLLM_LAUNCH must not both be set for cache_teacher: Ray starts its own processes"
        )
    paths = {name: getattr(request, name).resolve() for name in ("examples", "base", "adapter")}
    request, work = replace(request, **paths), work.resolve()
    require_examples(pq.read_schema(request.examples), request.examples)
    job = plan_job(request)
    with lock_job(work):
        staging = open_staging(job, work)
        remove_leftovers(staging, folder)
        missing = staging.find_missing()
        if missing:
            _compute_on_cluster(request, job, work, staging.folder.name, missing, min(workers, len(missing)))
        return publish_cache(request, staging, folder)


def _compute_on_cluster(request: Capture, job: Job, work: Path, staging: str, missing: list[int], workers: int) -> None:
    import ray
    from ray.exceptions import RayActorError, RayTaskError
    from ray.util import ActorPool

    _start_ray(workers)
    try:
        gpus = 1 if ray.cluster_resources().get("GPU") else 0
        worker = ray.remote(max_restarts=-1, max_task_retries=RETRIES, num_cpus=1, num_gpus=gpus)(PartWorker)
        pool = ActorPool([worker.remote(request, job, work, staging) for _ in range(workers)])
        done = pool.map_unordered(lambda actor, index: actor.compute.remote(index), missing)
        for _ in track(missing, f"cache_teacher: {request.task}, {request.teacher}", "part"):
            next(done)
    except RayTaskError as error:
        raise error.cause from None
    except RayActorError as error:
        reason = str(error).strip().splitlines()[-1]
        raise UserError(f"a Ray worker could not compute its part: {reason}; run the stage again") from None
    finally:
        ray.shutdown()


def _start_ray(workers: int) -> None:
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    environment = {"env_vars": {"PYTHONPATH": str(ROOT)}}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False, runtime_env=environment)
        return
    ray.init(
        address="local",
        num_cpus=max(workers, os.cpu_count() or 1),
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env=environment,
    )
