"""A Dask cluster on this computer: a scheduler and workers, each a process of its own."""
import json
import os
import subprocess
import sys
import tempfile
import time

import pytest

from tests.helpers.paths import REPOSITORY

PATIENCE_S = 60.0


class Cluster(object):
    """As a context: a scheduler, at `address`; everything that was started ends with the block."""

    def __init__(self, folder):
        pytest.importorskip("distributed", reason="distributed is not installed "
                            "(pip install -r requirements-cluster.txt)")
        self.folder, self.processes = str(folder), []

    def __enter__(self):
        path = tempfile.mktemp(".json", "scheduler-", self.folder)
        self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0",
                    "--scheduler-file", path)
        self.address = json.loads(self._text_of(path))["address"]
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()

    def add_worker(self, program=REPOSITORY, *flags):
        """The Popen of a worker that imports the program in that folder."""
        return self._start("dask_worker", self.address, "--nthreads", "1", "--no-nanny",
                           "--local-directory", self.folder, *flags,
                           environment={"PYTHONPATH": str(program)})

    def _start(self, module, *flags, environment=None):
        log = open(os.path.join(self.folder, "%d.log" % len(self.processes)), "wb")
        self.processes.append(subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + module, "--no-dashboard"] + list(flags),
            cwd=self.folder, env=dict(os.environ, **(environment or {})), stdout=log, stderr=log))
        log.close()
        return self.processes[-1]

    @staticmethod
    def _text_of(path):
        end_s = time.time() + PATIENCE_S
        while time.time() < end_s:
            if os.path.isfile(path) and os.path.getsize(path):
                with open(path) as stream:
                    return stream.read()
            time.sleep(0.05)
        raise AssertionError("no scheduler came up")
