"""What is done to the inputs of layers in training only, so that a network relies on none.

Blots and noise on windows of features (SpecAugment, Park et al. 2019, on letters instead of
frequencies) and dropout. Drawn from the seed and the training step alone, so that a resumed run
goes on alike.
"""
from utils.common.constants import NUM_LETTERS, WINDOW_FRAMES
from utils.common.quiet_tensorflow import tf

MAX_BLOTTED_FRAMES = 4
# One stream of chance for each use.
NOISE, BLOT_WINDOWS, BLOT_STARTS, BLOT_LENGTHS, LETTERS, FIRST_DROPOUT = range(6)


def chance(shape, seed, step, use):
    """Uniform numbers in [0, 1) of `shape`, the same for the same seed, step and use."""
    return tf.random.stateless_uniform(shape, tf.stack([seed * 64 + use, step]))


def distorted(features, options, seed, step):
    """Windows [N, 16, 29, 1] with noise and blots as `options` ask.

    A blotted frame holds the window's mean, a blotted letter the batch's. The consecutive frames
    of one index are blotted alike: their difference is taught too.
    """
    if not (options.feature_noise or options.time_mask_rate or options.letter_mask_rate):
        return features
    frames = options.num_consecutive_frames
    num_indices = tf.shape(features)[0] // frames
    x = features
    if options.feature_noise:
        x += options.feature_noise * tf.random.stateless_normal(
            tf.shape(x), tf.stack([seed * 64 + NOISE, step]))
    if options.time_mask_rate:
        starts, lengths = [chance([num_indices, 1], seed, step, use)
                           for use in (BLOT_STARTS, BLOT_LENGTHS)]
        is_blotted = chance([num_indices, 1], seed, step, BLOT_WINDOWS) < options.time_mask_rate
        first = tf.floor(starts * WINDOW_FRAMES)
        end = first + 1.0 + tf.floor(lengths * MAX_BLOTTED_FRAMES)
        places = tf.range(WINDOW_FRAMES, dtype=tf.float32)[tf.newaxis]          # [1, 16]
        blot = is_blotted & (places >= first) & (places < end)                  # [indices, 16]
        x = _where(blot[:, :, tf.newaxis, tf.newaxis], frames,
                   tf.reduce_mean(x, axis=1, keepdims=True), x)
    if options.letter_mask_rate:
        blot = chance([num_indices, 1, NUM_LETTERS, 1], seed, step, LETTERS)
        x = _where(blot < options.letter_mask_rate, frames,
                   tf.reduce_mean(x, axis=[0, 1], keepdims=True), x)
    return x


def _where(blot, num_consecutive_frames, instead, features):
    """`instead` where the index's `blot` is True, else `features` [N, 16, 29, 1]."""
    blot = tf.cast(tf.repeat(blot, num_consecutive_frames, axis=0), tf.float32)
    return features + blot * (instead - features)


def dropped(inputs, rate, seed, step, number):
    """[N, units] with a share `rate` set to 0 and the rest scaled up for it.

    number: of the layer, so that each draws its own.
    """
    if not rate:
        return inputs
    kept = chance(tf.shape(inputs), seed, step, FIRST_DROPOUT + number) >= rate
    return inputs * tf.cast(kept, tf.float32) / (1.0 - rate)
