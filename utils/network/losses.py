"""The training losses: small pure functions over tensors.

Shapes throughout: predicted, targets, mask are [N, 52, 1, 1] with N = indices x
num_consecutive_frames, the consecutive frames of one index standing side by side. mask is 1
where the source has the channel and 0 where it lacks it: a masked value adds nothing to a loss
and gets no gradient. With a mask of ones each loss is the published one, a plain mean. A mask may
hold other weights as well: the means are weighted by it.
"""
import collections

import numpy as np

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import NUM_BLENDSHAPES
from utils.common.quiet_tensorflow import tf

JAW_OPEN, MOUTH_CLOSE = MODEL_CHANNELS.index("jawOpen"), MODEL_CHANNELS.index("mouthClose")


def masked_mean(values, mask):
    """Mean of `values`, weighted by `mask`; 0 where that is 0 everywhere."""
    share = tf.reduce_mean(mask)
    return tf.math.divide_no_nan(tf.reduce_mean(values * mask), share)


def measure(difference, mask, absolute):
    """Masked mean of the squared difference, or of the absolute one."""
    return masked_mean(tf.abs(difference) if absolute else tf.square(difference), mask)


def by_index(frames, num_consecutive_frames):
    """[N, 52, 1, 1] -> [indices, num_consecutive_frames, 52]."""
    return tf.reshape(frames, [-1, num_consecutive_frames, frames.shape[1]])


def reconstruction_loss(predicted, targets, mask, absolute=False):
    """How far the weights are from the true ones."""
    return measure(predicted - targets, mask, absolute)


def velocity_loss(predicted, targets, mask, num_consecutive_frames, absolute=False):
    """How far the step from the last but one frame to the last one is from the true step."""
    # By frame: a slice's gradient takes four times as long as an unstacked frame's.
    error = tf.unstack(by_index(predicted - targets, num_consecutive_frames), axis=1)
    known = tf.unstack(by_index(mask, num_consecutive_frames), axis=1)         # [indices, 52] each
    return measure(error[-1] - error[-2], tf.minimum(known[-1], known[-2]), absolute)


def acceleration_loss(predicted, targets, mask, num_consecutive_frames, absolute=False):
    """The same of x1 - 2 x2 + x3 over the last three frames; needs three consecutive frames."""
    error = by_index(predicted - targets, num_consecutive_frames)     # [indices, frames, 52]
    known = by_index(mask, num_consecutive_frames)
    return measure(error[:, -3] - 2.0 * error[:, -2] + error[:, -1],
                   tf.reduce_min(known[:, -3:], axis=1), absolute)


def opening_loss(predicted, targets, mask, absolute=False, unit=1.0):
    """How far jawOpen - mouthClose is from the true one, the difference taken times `unit`.

    Lips meet where the two agree, which small errors of both can miss.
    """
    error = predicted - targets
    return measure(unit * (error[:, JAW_OPEN] - error[:, MOUTH_CLOSE]),
                   tf.minimum(mask[:, JAW_OPEN], mask[:, MOUTH_CLOSE]), absolute)   # [N, 1, 1]


def offset_regularizer(predicted, mask):
    """Mean size of the offsets from rest."""
    return masked_mean(tf.abs(predicted), mask)


# What the losses are made of; the fields are config keys of the same names, but for
# channel_deviations [52], in units of which errors are measured (None: in 1).
# batch_size: indices of every step, for a graph of that size, which is quicker (None: any).
TrainingOptions = collections.namedtuple(
    "TrainingOptions", "num_consecutive_frames absolute_reconstruction_loss velocity_weight "
    "acceleration_weight verts_regularizer_weight adam_beta1_value opening_weight "
    "weight_average_decay letter_mask_rate channel_deviations batch_size")
TrainingOptions.__new__.__defaults__ = (0.0, 0.0, 0.0, None, None)
DEFAULT_TRAINING = TrainingOptions(2, False, 10.0, 0.0, 0.0, 0.9)

LOSS_NAMES = ("loss", "reconstruction_loss", "velocity_loss", "acceleration_loss")


def total_loss(predicted, targets, mask, options):
    """Dictionary of the scalar losses, weighted; 'loss' is their sum."""
    frames, absolute = options.num_consecutive_frames, options.absolute_reconstruction_loss
    ours, true, opening_unit = predicted, targets, 1.0
    if options.channel_deviations is not None:
        units = 1.0 / np.asarray(options.channel_deviations)
        ours, true = [values * tf.constant(units, tf.float32, [NUM_BLENDSHAPES, 1, 1])
                      for values in (predicted, targets)]              # [N, 52, 1, 1]
        opening_unit = units[JAW_OPEN]
    terms = {"reconstruction_loss": reconstruction_loss(ours, true, mask, absolute)}
    for name, loss, weight in (
            ("velocity_loss", velocity_loss, options.velocity_weight),
            ("acceleration_loss", acceleration_loss, options.acceleration_weight)):
        terms[name] = (weight * loss(ours, true, mask, frames, absolute)
                       if weight > 0.0 else tf.constant(0.0))
    terms["loss"] = (terms["reconstruction_loss"] + terms["velocity_loss"]
                     + terms["acceleration_loss"])
    if options.opening_weight > 0.0:
        terms["loss"] += options.opening_weight * opening_loss(
            predicted, targets, mask, absolute, unit=opening_unit)
    if options.verts_regularizer_weight > 0.0:
        terms["loss"] += options.verts_regularizer_weight * offset_regularizer(predicted, mask)
    return terms
