"""A stand-in for the acoustic network, for tests of what surrounds it."""
import numpy as np

from utils.common.constants import ANIMATION_FPS, WINDOW_FRAMES, WINDOW_PAST_FRAMES


class FakeStream(object):
    """Stands for the acoustic network: frame i has its mean level i."""

    made = []                           # one entry for every recording that went through

    def __init__(self, acoustic_graph, profile, rate_hz):
        self.rate_hz = rate_hz
        self.samples = []
        FakeStream.made.append((profile, rate_hz))

    def feed(self, samples):
        self.samples.append(samples)
        return np.zeros((0, 16, 29), np.float32)

    def finish(self):
        samples = np.concatenate(self.samples)
        num_frames = int(np.ceil(len(samples) * ANIMATION_FPS / float(self.rate_hz)))
        levels = [np.abs(part).mean() for part in np.array_split(samples, num_frames)]
        rows = np.float32(levels[:1] * WINDOW_PAST_FRAMES + levels
                          + levels[-1:] * (WINDOW_FRAMES - 1 - WINDOW_PAST_FRAMES))
        windows = np.stack([rows[frame:frame + WINDOW_FRAMES] for frame in range(num_frames)])
        return np.tile(windows[:, :, np.newaxis], (1, 1, 29))               # [frames, 16, 29]
