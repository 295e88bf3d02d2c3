"""What memory a training run takes, by the size of its dataset.

    python -m tests.measure.memory

Makes datasets whose arrays are sparse files, trains one epoch on each with run_training.py and
prints the most anonymous memory (what cannot be dropped and read again) that the process held.
Needs /proc; takes a few minutes.
"""
import os
import subprocess
import sys
import tempfile
import time

from tests.helpers.paths import REPOSITORY
from tests.helpers.datasets import big_dataset
from utils.common.constants import DEFAULT_GRAPH
from utils.deepspeech.acoustic_graph import load_acoustic_graph
from utils.training.config import Config, write_config

BATCH_SIZE = 8192                       # so that an epoch of the largest takes some 200 steps
POLL_S = 0.05


def main():
    graph = load_acoustic_graph(os.path.join(REPOSITORY, DEFAULT_GRAPH))
    print("%10s %14s %22s" % ("frames", "arrays, MB", "anonymous memory, MB"))
    for num_frames in (20000, 200000, 800000):
        with tempfile.TemporaryDirectory() as folder:
            small, names, _, num_bytes = big_dataset(folder, graph, num_frames // 3)
            path = os.path.join(folder, "training_config.cfg")
            write_config(path, Config(
                training_data_path=small.training_data_path, batch_size=BATCH_SIZE, epoch_num=1,
                checkpoint_dir=small.checkpoint_dir, subject_for_training=list(names[:2]),
                subject_for_validation=[names[2]]))
            print("%10d %14.0f %22.0f" % (num_frames, num_bytes / 1e6, most_memory(path)))
            sys.stdout.flush()


def most_memory(config_path):
    """MB of anonymous memory at its peak of run_training.py with a config."""
    process = subprocess.Popen(
        [sys.executable, "run_training.py", "--config", config_path], cwd=REPOSITORY,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True)
    most_kb = 0
    while process.poll() is None:
        try:
            with open("/proc/%d/status" % process.pid) as status:
                most_kb = max([most_kb] + [int(line.split()[1]) for line in status
                                           if line.startswith("RssAnon")])
        except (FileNotFoundError, ProcessLookupError):
            break                       # it has ended between the two lines
        time.sleep(POLL_S)
    error = process.communicate()[1]
    if process.returncode:
        sys.exit(error)
    return most_kb / 1000.0


if __name__ == "__main__":
    main()
