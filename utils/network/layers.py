"""The layers of the published VOCA-52 network as functions."""
import numpy as np

from utils.common.constants import NUM_BLENDSHAPES, NUM_LETTERS, WINDOW_FRAMES
from utils.common.quiet_tensorflow import tf

BATCH_NORM_EPSILON = 1e-5
BATCH_NORM_DECAY = 0.9
FULL_FILTERS = (32, 32, 64, 64)         # of the four convolutions at size factor 1
FC1_UNITS = 128


def filters_of_size_factor(size_factor):
    """Filters of the four convolutions for a speech_encoder_size_factor."""
    return tuple(int(filters * size_factor) for filters in FULL_FILTERS)


def batch_norm(features, is_training, scope):
    """Batch normalisation over all axes, of one channel, as what conv1 needs of it.

    is_training: a tensor that says whether to take the batch's statistics or the moving ones; or
      True for the network of a training step, whose statistics then move.
    Returns (centred features, scale [], beta [], op that moves the moving statistics or None):
    the normalised features are centred * scale + beta. Multiplying and adding is left to conv1,
    which does it on its few weights. The variance that moves is Bessel-corrected, as the fused
    kernel's is.
    """
    with tf.variable_scope(scope):
        beta = tf.get_variable("beta", [1], initializer=tf.zeros_initializer())
        gamma = tf.get_variable("gamma", [1], initializer=tf.ones_initializer())
        moving_mean = tf.get_variable("moving_mean", [1], trainable=False,
                                      initializer=tf.zeros_initializer())
        moving_variance = tf.get_variable("moving_variance", [1], trainable=False,
                                          initializer=tf.ones_initializer())
        mean, variance = _moments(tf.reshape(features, [-1, 1]))
        update = None
        if is_training is True:
            count = tf.cast(tf.size(features), tf.float32)
            unbiased_variance = variance * count / tf.maximum(count - 1.0, 1.0)
            rate = 1.0 - BATCH_NORM_DECAY
            update = tf.group(
                tf.assign_sub(moving_mean, rate * (moving_mean - mean)),
                tf.assign_sub(moving_variance, rate * (moving_variance - unbiased_variance)))
        else:
            mean = tf.where(is_training, mean, moving_mean)
            variance = tf.where(is_training, variance, moving_variance)
        scale = gamma * tf.rsqrt(variance + BATCH_NORM_EPSILON)
    return features - mean, scale, beta, update


def _moments(rows):
    """tf.nn.moments of rows [N, 1] over N, whose module takes a tenth of a start to import.

    Operator for operator: TensorFlow 1.15 counts them for the seeds of what follows.
    """
    mean = tf.reduce_mean(rows, axis=[0], keepdims=True)
    variance = tf.reduce_mean(tf.squared_difference(rows, tf.stop_gradient(mean)), axis=[0],
                              keepdims=True)
    return tf.squeeze(mean, [0]), tf.squeeze(variance, [0])


def halving_convolution(x, weights):
    """3 x 1 convolution over time, stride 2, SAME: [N, T, C] * [3, 1, C, F] -> [N, T/2, F].

    conv2d in matrix products, whose gradients take a third of the time on a CPU: the first two
    taps see rows of two frames, the third the first frame of the next row; after the last row
    comes the padding.
    """
    frames, channels = x.shape.as_list()[1:]
    filters = int(weights.shape[-1])
    first_two, third = tf.split(tf.reshape(weights, [3 * channels, filters]),
                                [2 * channels, channels])
    y = tf.matmul(tf.reshape(x, [-1, 2 * channels]), first_two)    # [N * T/2, F]
    y = tf.reshape(y, [-1, frames // 2, filters])                  # [N, T/2, F]
    if frames == 2:
        return y
    rows = tf.reshape(x, [-1, frames // 2, 2 * channels])          # [N, T/2, 2C]
    following = tf.slice(rows, [0, 1, 0], [-1, frames // 2 - 1, channels])
    z = tf.matmul(tf.reshape(following, [-1, channels]), third)    # [N * (T/2 - 1), F]
    z = tf.reshape(z, [-1, frames // 2 - 1, filters])              # [N, T/2 - 1, F]
    return y + tf.pad(z, [[0, 0], [0, 1], [0, 0]])


def convolution(x, scope, filters, scale=None, shift=None):
    """halving_convolution of x, or of x * scale + shift, with bias and relu."""
    with tf.variable_scope(scope):
        small = tf.truncated_normal_initializer(stddev=0.02)
        weights = tf.get_variable("weights", [3, 1, int(x.shape[-1]), filters],
                                  initializer=small)
        biases = tf.get_variable("biases", [filters], initializer=small)
        if scale is not None:
            of_ones = halving_convolution(tf.ones([1] + x.shape.as_list()[1:]), weights)
            biases += shift * of_ones                              # [1, T/2, F]
            weights *= scale
        return tf.nn.relu(halving_convolution(x, weights) + biases)


def dense(features, scope, units, activation=None):
    """Fully connected layer [N, inputs] -> [N, units]."""
    with tf.variable_scope(scope):
        weights = tf.get_variable("weights", [int(features.shape[-1]), units],
                                  initializer=tf.truncated_normal_initializer(stddev=0.1))
        biases = tf.get_variable("biases", [units], initializer=tf.zeros_initializer())
        output = tf.nn.bias_add(tf.matmul(features, weights), biases)
        return output if activation is None else activation(output)


def encoder_layers(x, scale, shift, filters, expression_dim, styles=None):
    """Windows [N, 16, 29], normalised by * scale + shift -> expression [N, expression_dim].

    styles: [N, S], given to each frame of the window and to the first dense layer; None for a
    network without.
    """
    if styles is not None:
        style_rows = tf.tile(styles[:, tf.newaxis], [1, WINDOW_FRAMES, 1])           # [N, 16, S]
        x, scale, shift = tf.concat([x * scale + shift, style_rows], axis=2), None, None
    x = convolution(x, "conv1", filters[0], scale, shift)          # [N, 8, 32]
    x = convolution(x, "conv2", filters[1])                        # [N, 4, 32]
    x = convolution(x, "conv3", filters[2])                        # [N, 2, 64]
    x = convolution(x, "conv4", filters[3])                        # [N, 1, 64]
    x = tf.reshape(x, [-1, filters[3]])                            # [N, 64]
    if styles is not None:
        x = tf.concat([x, styles], axis=1)                         # [N, 64 + S]
    x = dense(x, "fc1", FC1_UNITS, activation=tf.tanh)    # [N, 128]
    return dense(x, "fc2", expression_dim)                # [N, 50]


def speech_encoder(speech_features, is_training, filters, expression_dim, styles=None,
                   num_parts=1):
    """[N, 16, 29, 1] -> (expression [N, expression_dim], op moving the batch norm's statistics).

    is_training and the op: see batch_norm. num_parts: that the windows are cut into behind the
    batch norm, for as many cores to work on, where N is known; the result is the same.
    """
    with tf.variable_scope("SpeechEncoder"):
        x = tf.reshape(speech_features, [-1, WINDOW_FRAMES, NUM_LETTERS])      # [N, 16, 29]
        x, scale, shift, update = batch_norm(x, is_training, "batch_norm")
        expressions = []
        for part, (windows, styles_of_part) in enumerate(zip(_parts(x, num_parts),
                                                   _parts(styles, num_parts))):
            with tf.variable_scope(tf.get_variable_scope(), reuse=True if part else None,
                                   auxiliary_name_scope=False):
                expressions.append(encoder_layers(windows, scale, shift, filters, expression_dim,
                                                  styles_of_part))
        expression = expressions[0] if num_parts == 1 else tf.concat(expressions, axis=0)
    return expression, update


def _parts(x, num_parts):
    """List of `num_parts` runs of the rows of x, or of None."""
    if x is None or num_parts == 1:
        return [x] * num_parts
    num_rows = int(x.shape[0])
    ends = [num_rows * part // num_parts for part in range(num_parts + 1)]
    return tf.split(x, np.diff(ends).tolist(), axis=0)


def expression_layer(expression):
    """[N, expression_dim] -> blendshape weights [N, 52, 1, 1] in (0, 1)."""
    with tf.variable_scope("ExpressionLayer"):
        weights = dense(expression, "expression_offset", NUM_BLENDSHAPES, activation=tf.sigmoid)
        return tf.reshape(weights, [-1, NUM_BLENDSHAPES, 1, 1], name="output_decoder")
