"""The training losses: small pure functions over tensors.

Shapes throughout: predicted, targets, mask are [N, 52, 1, 1] with N = indices x
num_consecutive_frames, the consecutive frames of one index standing side by side. mask is 1
where the source has the channel and 0 where it lacks it: a masked value adds nothing to a loss
and gets no gradient. With a mask of ones each loss is the published one, a plain mean. A mask may
hold other weights as well: the means are weighted by it.
"""
from utils.channels import MODEL_CHANNELS
from utils.quiet_tensorflow import tf

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
