"""Weights of faces for tests."""
import numpy as np

from utils.common.constants import NUM_BLENDSHAPES


def random_weights(num_frames, num_channels=NUM_BLENDSHAPES, seed=0):
    """float32 [num_frames, num_channels] in [0, 1), the same for the same seed."""
    return np.random.RandomState(seed).rand(num_frames, num_channels).astype(np.float32)
