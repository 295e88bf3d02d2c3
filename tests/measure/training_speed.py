"""How many training steps a second, beside the published way of looping, in one table.

    python -m tests.measure.training_speed
    python -m tests.measure.training_speed --rounds 5 --steps 500

Both ways learn from the same cached features, random numbers on disk, 64 indices x 2 frames a step,
reference network. The trainer's way is utils/training/trainer.py's own loop: gathering, step,
summaries, progress; `with validation and checkpoints` is a whole run. The published way, written
after its description, gathers window by window into lists, feeds session.run, and convolves with
conv2d. The ways take turns, each in a process of its own, since what else runs on the machine hits
both alike; shown are the best and the median round.
"""
import argparse
import io
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from tests.helpers.paths import REPOSITORY
from utils.common.constants import NUM_BLENDSHAPES, NUM_LETTERS, WINDOW_FRAMES
from utils.common.quiet_tensorflow import tf
from utils.training.config import Config
from utils.training.feature_cache import read_cached, write_cached
from utils.training.subjects import Subject

NUM_SUBJECTS, SUBJECT_FRAMES = 10, 1500
WARMING_STEPS = 30
PUBLISHED, STEPS, WHOLE = "published loop", "trainer", "with validation and checkpoints"
WAYS = (PUBLISHED, STEPS, WHOLE)


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of each way (%(default)s)")
    parser.add_argument("--steps", type=int, default=400, help="timed in a round (%(default)s)")
    parser.add_argument("--way", choices=WAYS, help="of this one process, which prints steps/s")
    parser.add_argument("--folder", help="of the features, for --way")
    return parser


def write_features(folder):
    random = np.random.RandomState(0)
    for number in range(NUM_SUBJECTS):
        windows = random.uniform(-14.0, 0.0, (SUBJECT_FRAMES, WINDOW_FRAMES, NUM_LETTERS))
        write_cached(folder, [(os.path.join(folder, "%d-features.npy" % number), [windows])])


def read_subjects(folder):
    random = np.random.RandomState(1)
    return [Subject("%d.mp4" % number,
                    read_cached(os.path.join(folder, "%d-features.npy" % number)),
                    random.uniform(size=(SUBJECT_FRAMES, NUM_BLENDSHAPES)).astype(np.float32),
                    np.ones(NUM_BLENDSHAPES, np.float32), "%d" % number)
            for number in range(NUM_SUBJECTS)]


# ---- the published way

def published_network():
    """(placeholders of features, targets and is_training, loss, training op)."""
    features = tf.placeholder(tf.float32, [None, WINDOW_FRAMES, NUM_LETTERS, 1])
    targets = tf.placeholder(tf.float32, [None, NUM_BLENDSHAPES, 1, 1])
    is_training = tf.placeholder(tf.bool, [])

    def variable(name, shape, deviation):
        return tf.get_variable(name, shape, initializer=tf.truncated_normal_initializer(
            stddev=deviation))

    scale, offset = [tf.get_variable(name, [1], initializer=tf.ones_initializer())
                     for name in ("gamma", "beta")]
    mean, variance = [tf.get_variable(name, [1], initializer=tf.ones_initializer(),
                                      trainable=False) for name in ("mean", "variance")]
    trained, batch_mean, batch_variance = tf.nn.fused_batch_norm(features, scale, offset)
    used = tf.nn.batch_normalization(features, mean, variance, offset, scale, 1e-5)
    moves = [tf.assign_sub(moving, 0.1 * (moving - of_batch))
             for moving, of_batch in ((mean, batch_mean), (variance, batch_variance))]
    x = tf.cond(is_training, lambda: trained, lambda: used)
    x = tf.reshape(x, [-1, WINDOW_FRAMES, 1, NUM_LETTERS])                  # [N, 16, 1, 29]
    for number, filters in enumerate((32, 32, 64, 64)):
        kernel = variable("conv%d" % number, [3, 1, int(x.shape[3]), filters], 0.02)
        x = tf.nn.conv2d(x, kernel, strides=[1, 2, 1, 1], padding="SAME")
        x = tf.nn.relu(tf.nn.bias_add(x, variable("bias%d" % number, [filters], 0.02)))
    x = tf.reshape(x, [-1, 64])                                             # [N, 64]
    for number, (units, activation) in enumerate((
            (128, tf.tanh), (50, tf.identity), (NUM_BLENDSHAPES, tf.sigmoid))):
        weights = variable("dense%d" % number, [int(x.shape[1]), units], 0.1)
        x = activation(tf.matmul(x, weights) + variable("offset%d" % number, [units], 0.1))
    error = tf.reshape(x, [-1, 2, NUM_BLENDSHAPES]) - tf.reshape(targets, [-1, 2, NUM_BLENDSHAPES])
    loss = tf.reduce_mean(tf.square(error)) + 10.0 * tf.reduce_mean(
        tf.square(error[:, 1] - error[:, 0]))
    with tf.control_dependencies(moves):
        return features, targets, is_training, loss, tf.train.AdamOptimizer(1e-4).minimize(loss)


def time_published_loop(subjects, num_steps, batch_size=64):
    features, targets, is_training, loss, train_op = published_network()
    random = np.random.RandomState(2)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for step in range(-WARMING_STEPS, num_steps):
            if step == 0:
                started_s = time.perf_counter()
            windows, labels = [], []
            for _ in range(batch_size):
                subject = subjects[random.randint(NUM_SUBJECTS)]
                first = random.randint(SUBJECT_FRAMES - 1)
                for frame in (first, first + 1):
                    windows.append(subject.windows[frame])
                    labels.append(subject.targets[frame])
            session.run([loss, train_op], feed_dict={
                features: np.expand_dims(np.array(windows), -1),            # [N, 16, 29, 1]
                targets: np.array(labels).reshape(-1, NUM_BLENDSHAPES, 1, 1),
                is_training: True})
        return num_steps / (time.perf_counter() - started_s)


# ---- the trainer's way

def make_run(subjects, num_steps, folder):
    from utils.training import trainer
    steps_per_epoch = (SUBJECT_FRAMES - 1) * NUM_SUBJECTS // 64
    config = Config(checkpoint_dir=folder, num_render_sequences=0,
                    epoch_num=-(-(num_steps + WARMING_STEPS) // steps_per_epoch))
    return trainer.start(config, subjects, subjects[:1], {"name": "none", "sha256": {}}, "random",
                         stream=io.StringIO())


def time_trainer(subjects, num_steps):
    """Steps a second of the trainer's loop, without what it does once an epoch."""
    from utils.training.progress_line import ProgressLine
    from utils.training.summaries import Summaries
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(subjects, num_steps, folder)
        run._validates_after = lambda epoch: False
        run.config.checkpoint_interval = run.total_steps + 1
        summaries = Summaries(folder, 0, run.model.graph)
        line = ProgressLine(io.StringIO(), 0, run.total_steps, run.config.epoch_num)
        for step in range(WARMING_STEPS + num_steps):
            if step == WARMING_STEPS:
                started_s = time.perf_counter()
            run._train_step(summaries, line)
        return num_steps / (time.perf_counter() - started_s)


def time_whole_run(subjects, num_steps):
    """Steps a second of run() itself, the first validation and the last checkpoint included."""
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(subjects, num_steps, folder)
        started_s = time.perf_counter()
        result = run.run()
        return result.step / (time.perf_counter() - started_s)


def steps_per_s_of(way, folder, num_steps):
    """Of one of WAYS, in a process of its own, with the features that write_features wrote."""
    printed = subprocess.check_output(
        [sys.executable, "-m", "tests.measure.training_speed", "--way", way, "--folder", folder,
         "--steps", str(num_steps)], cwd=REPOSITORY)
    return float(printed.decode().split()[-1])


def main():
    args = get_parser().parse_args()
    if args.way:
        timed = {PUBLISHED: time_published_loop, STEPS: time_trainer, WHOLE: time_whole_run}
        print(timed[args.way](read_subjects(args.folder), args.steps))
        return
    print("TensorFlow %s, Python %d.%d, %d cores, %d rounds of %d steps of 64 x 2 windows" % (
        (tf.__version__,) + sys.version_info[:2] + (os.cpu_count(), args.rounds, args.steps)))
    steps_per_s = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        write_features(folder)
        for _ in range(args.rounds):
            for way in WAYS:
                steps_per_s[way].append(steps_per_s_of(way, folder, args.steps))
    print("%-34s %8s %8s %8s" % ("steps a second", "best", "median", "ratio"))
    for way in WAYS:
        print("%-34s %8.0f %8.0f %8.2f" % (
            way, max(steps_per_s[way]), np.median(steps_per_s[way]),
            max(steps_per_s[way]) / max(steps_per_s[PUBLISHED])))


if __name__ == "__main__":
    main()
