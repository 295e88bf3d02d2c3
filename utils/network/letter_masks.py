"""Letter masks: in training, some letters of a window of features are replaced by their mean.

SpecAugment (Park et al. 2019) with letters in place of frequencies. Drawn from the seed and the
training step alone, so that a resumed run goes on alike.
"""
from utils.common.constants import NUM_LETTERS
from utils.common.quiet_tensorflow import tf

STREAMS_PER_SEED, STREAM = 64, 4        # of random numbers; kept, so that runs can be repeated


def with_letter_masks(features, rate, num_consecutive_frames, seed, step):
    """Windows [N, 16, 29, 1] with a share `rate` of the letters of each index masked.

    A masked letter holds the batch's mean of it. The consecutive frames of one index share their
    mask: the loss looks at their difference too.
    """
    if not rate:
        return features
    num_indices = tf.shape(features)[0] // num_consecutive_frames
    drawn = tf.random.stateless_uniform(
        [num_indices, 1, NUM_LETTERS, 1], tf.stack([seed * STREAMS_PER_SEED + STREAM, step]))
    masked = tf.cast(tf.repeat(drawn < rate, num_consecutive_frames, axis=0),
                     tf.float32)                                               # [N, 1, 29, 1]
    mean = tf.reduce_mean(features, axis=[0, 1], keepdims=True)                # [1, 1, 29, 1]
    return features + masked * (mean - features)
