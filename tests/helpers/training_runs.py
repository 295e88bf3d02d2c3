"""Small subjects and runs for the training tests; as a script, a run in a process of its own.

    python -m tests.helpers.training_runs FOLDER EPOCHS new|resume
"""
import io
import sys

import numpy as np

from utils.common.constants import NUM_BLENDSHAPES, NUM_LETTERS, WINDOW_FRAMES
from utils.common.errors import run_script
from utils.training import trainer
from utils.training.config import Config
from utils.training.subjects import Subject

GRAPH = {"name": "none", "sha256": {"output_graph.pb": "ab"}}


def small_subject(name, num_frames, seed, mask=None):
    """Features and weights follow one slow signal, so that there is something to learn."""
    random = np.random.RandomState(seed)
    times = np.arange(num_frames + WINDOW_FRAMES)
    signal = np.sin(times / 3.0 + random.uniform(0, 6)) + np.sin(times / 7.0)
    loading = np.random.RandomState(99).standard_normal(NUM_LETTERS + NUM_BLENDSHAPES)
    features = signal[:, None] * loading[:NUM_LETTERS]
    features += 0.1 * random.standard_normal(features.shape)
    windows = np.stack([features[start:start + WINDOW_FRAMES] for start in range(num_frames)])
    now = signal[WINDOW_FRAMES // 2:][:num_frames]
    targets = 1.0 / (1.0 + np.exp(-now[:, None] * loading[NUM_LETTERS:]))
    mask = np.ones(NUM_BLENDSHAPES) if mask is None else mask
    return Subject(name, windows.astype(np.float32), targets.astype(np.float32),
                   np.asarray(mask, np.float32), "sound of %s" % name)


def small_subjects():
    return ([small_subject("1.mp4", 40, 1), small_subject("2.mp4", 23, 2)],
            [small_subject("11.mp4", 30, 3)])


def small_config(folder, **values):
    """4 indices x 2 frames a step: 15 steps an epoch with small_subjects."""
    values = dict(dict(checkpoint_dir=str(folder), batch_size=4, epoch_num=4, learning_rate=1e-3,
                       speech_encoder_size_factor=0.25, expression_dim=8, checkpoint_interval=10,
                       num_render_sequences=0), **values)
    return Config(**values)


def start(config, resume=False, overwrite=False, stream=None, subjects=None):
    training, validation = subjects or small_subjects()
    return trainer.start(config, training, validation, GRAPH, "data 1", resume, overwrite,
                         stream if stream is not None else io.StringIO())


def main():
    folder, epochs, how = sys.argv[1:]
    config = small_config(folder, epoch_num=int(epochs))
    result = start(config, resume=how == "resume", stream=sys.stdout).run()
    sys.exit(130 if result.interrupted else 0)


if __name__ == "__main__":
    run_script(main)
