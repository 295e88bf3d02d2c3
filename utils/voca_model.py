"""The animation network: a window of speech features in, 52 blendshape weights out.

The published VOCA-52 network, variable for variable (the names and shapes are the checkpoint
format). The graph is made by functions; VocaModel holds it with its session and its tensors.
"""
import collections
import contextlib

import numpy as np

from utils import checkpoint, distortions, losses
from utils.constants import MODEL_SCOPE, NUM_BLENDSHAPES, NUM_LETTERS, WINDOW_FRAMES
from utils.errors import UserError
from utils.quiet_tensorflow import prepared_call, tf

BATCH_NORM_EPSILON = 1e-5
BATCH_NORM_DECAY = 0.9
FULL_FILTERS = (32, 32, 64, 64)         # of the four convolutions at size factor 1
FC1_UNITS = 128
EXPRESSION_DIM = 50
OUTPUT_LAYER = MODEL_SCOPE + "/ExpressionLayer/expression_offset"
SILENT_LOGIT = -10.0                    # 0.00005 after the sigmoid
LEAST_MEAN = 0.002                      # a sigmoid that starts nearer to 0 learns too slowly
PREDICT_BATCH_WINDOWS = 1024            # bounds memory; the output does not depend on it
UNAVERAGED = "/unaveraged"              # ends the names of the weights that an average is of

# What the losses are made of; the fields are config keys of the same names, but for two [52]:
# channel_weights, and channel_deviations, in units of which errors are measured (None: in 1).
# batch_size: indices of every step, for a graph of that size, which is quicker (None: any).
TrainingOptions = collections.namedtuple(
    "TrainingOptions", "num_consecutive_frames absolute_reconstruction_loss velocity_weight "
    "acceleration_weight verts_regularizer_weight adam_beta1_value opening_weight "
    "weight_average_decay dropout_rate time_mask_rate letter_mask_rate feature_noise "
    "channel_weights channel_deviations batch_size")
TrainingOptions.__new__.__defaults__ = (0.0,) * 6 + (None, None, None)
DEFAULT_TRAINING = TrainingOptions(2, False, 10.0, 0.0, 0.0, 0.9)

LOSS_NAMES = ("loss", "reconstruction_loss", "velocity_loss", "acceleration_loss")


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
        mean, variance = tf.nn.moments(tf.reshape(features, [-1, 1]), axes=[0])
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


def no_dropout(inputs, number):
    del number
    return inputs


def encoder_layers(x, scale, shift, filters, expression_dim, styles=None, drop=no_dropout):
    """Windows [N, 16, 29], normalised by * scale + shift -> expression [N, expression_dim].

    styles: [N, S], told to each frame of the window and to the first dense layer; None for a
    network without. drop(inputs, number): the dropout before dense layer `number`.
    """
    if styles is not None:
        told = tf.tile(styles[:, tf.newaxis], [1, WINDOW_FRAMES, 1])           # [N, 16, S]
        x, scale, shift = tf.concat([x * scale + shift, told], axis=2), None, None
    x = convolution(x, "conv1", filters[0], scale, shift)          # [N, 8, 32]
    x = convolution(x, "conv2", filters[1])                        # [N, 4, 32]
    x = convolution(x, "conv3", filters[2])                        # [N, 2, 64]
    x = convolution(x, "conv4", filters[3])                        # [N, 1, 64]
    x = tf.reshape(x, [-1, filters[3]])                            # [N, 64]
    if styles is not None:
        x = tf.concat([x, styles], axis=1)                         # [N, 64 + S]
    x = dense(drop(x, 1), "fc1", FC1_UNITS, activation=tf.tanh)    # [N, 128]
    return dense(drop(x, 2), "fc2", expression_dim)                # [N, 50]


def speech_encoder(speech_features, is_training, filters, expression_dim, styles=None,
                   drop=no_dropout, num_parts=1):
    """[N, 16, 29, 1] -> (expression [N, expression_dim], op moving the batch norm's statistics).

    is_training and the op: see batch_norm; drop: see encoder_layers, the numbers go on from part
    to part. num_parts: that the windows are cut into behind the batch norm, for as many cores to
    work on, where N is known; the result is the same.
    """
    with tf.variable_scope("SpeechEncoder"):
        x = tf.reshape(speech_features, [-1, WINDOW_FRAMES, NUM_LETTERS])      # [N, 16, 29]
        x, scale, shift, update = batch_norm(x, is_training, "batch_norm")
        expressions = []
        for part, (windows, told) in enumerate(zip(_parts(x, num_parts),
                                                   _parts(styles, num_parts))):
            def drop_of_part(inputs, number, first=2 * part):
                return drop(inputs, first + number)

            with tf.variable_scope(tf.get_variable_scope(), reuse=True if part else None,
                                   auxiliary_name_scope=False):
                expressions.append(encoder_layers(windows, scale, shift, filters, expression_dim,
                                                  told, drop_of_part))
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


def total_loss(predicted, targets, mask, options):
    """Dictionary of the scalar losses, weighted; 'loss' is their sum."""
    frames, absolute = options.num_consecutive_frames, options.absolute_reconstruction_loss
    ours, true, weights, opening_unit = predicted, targets, mask, 1.0
    if options.channel_deviations is not None:
        units = 1.0 / np.asarray(options.channel_deviations)
        ours, true = [values * tf.constant(units, tf.float32, [NUM_BLENDSHAPES, 1, 1])
                      for values in (predicted, targets)]              # [N, 52, 1, 1]
        opening_unit = units[losses.JAW_OPEN]
    if options.channel_weights is not None:
        weights *= tf.constant(options.channel_weights, tf.float32, [NUM_BLENDSHAPES, 1, 1])
    terms = {"reconstruction_loss": losses.reconstruction_loss(ours, true, weights, absolute)}
    for name, measure, weight in (
            ("velocity_loss", losses.velocity_loss, options.velocity_weight),
            ("acceleration_loss", losses.acceleration_loss, options.acceleration_weight)):
        terms[name] = (weight * measure(ours, true, weights, frames, absolute)
                       if weight > 0.0 else tf.constant(0.0))
    terms["loss"] = (terms["reconstruction_loss"] + terms["velocity_loss"]
                     + terms["acceleration_loss"])
    if options.opening_weight > 0.0:
        terms["loss"] += options.opening_weight * losses.opening_loss(
            predicted, targets, mask, absolute, unit=opening_unit)
    if options.verts_regularizer_weight > 0.0:
        terms["loss"] += options.verts_regularizer_weight * losses.offset_regularizer(
            predicted, mask)
    return terms


class VocaModel(object):
    """The network in a graph and session of its own.

    Tensors kept as attributes: speech_features [N, 16, 29, 1], is_training [], targets and
    channel_mask [N, 52, 1, 1], output [N, 52, 1, 1]; with `training` also learning_rate [],
    losses (dictionary of scalars) and train_op. channel_mask may be left unfed: all ones.

    Args:
      filters: of the four convolutions.
      expression_dim: units of fc2.
      training: TrainingOptions, or None for a network that only predicts.
      seed: of the initial weights.
      num_threads: that share the work of one operation, 0 = one per core. (The first session of
        a process decides for all.)
      num_styles: of the speakers that the network tells apart; 0 = it is told of none.
    """

    def __init__(self, filters=FULL_FILTERS, expression_dim=EXPRESSION_DIM, training=None,
                 seed=0, num_threads=0, num_styles=0):
        self.graph = tf.Graph()
        self.global_step, self._averages = None, []
        self.style = None               # [num_styles] that predict() speaks in; None: their mean
        with self.graph.as_default(), tf.variable_scope(MODEL_SCOPE):
            tf.set_random_seed(seed)
            self._build_network(filters, expression_dim, num_styles)
            self.losses = None
            if training is not None:
                self._build_training(training, seed)
            self.variables = tf.global_variables()
            self._initializer = tf.global_variables_initializer()
            self._by_name = self._checkpoint_names()
            self.saver = tf.train.Saver(self._by_name, max_to_keep=0)
        self.session = tf.Session(graph=self.graph, config=tf.ConfigProto(
            intra_op_parallelism_threads=num_threads))
        self._prepared = {}                 # (has a mask, has styles): the call of a training step

    def _build_network(self, filters, expression_dim, num_styles):
        with tf.name_scope("Inputs_encoder"):
            self.speech_features = tf.placeholder(
                tf.float32, [None, WINDOW_FRAMES, NUM_LETTERS, 1], "speech_features")
            self.is_training = tf.placeholder(tf.bool, [], "is_training")
        self._network_sizes = filters, expression_dim
        self.styles = None
        if num_styles:
            mean_style = tf.fill([tf.shape(self.speech_features)[0], num_styles],
                                 1.0 / num_styles)
            self.styles = tf.placeholder_with_default(mean_style, [None, num_styles], "styles")
        expression, _ = speech_encoder(
            self.speech_features, self.is_training, filters, expression_dim, self.styles)
        self.output = expression_layer(expression)                 # [N, 52, 1, 1]

    def _build_training(self, training, seed):
        with tf.name_scope("Target"):
            self.targets = tf.placeholder(
                tf.float32, [None, NUM_BLENDSHAPES, 1, 1], "target_vertices")
            self.channel_mask = tf.placeholder_with_default(
                tf.ones_like(self.targets), [None, NUM_BLENDSHAPES, 1, 1], "channel_mask")
        with tf.name_scope("Loss"):
            self.losses = total_loss(self.output, self.targets, self.channel_mask, training)
        self.global_step = tf.get_variable("global_step", [], tf.int32, trainable=False,
                                           initializer=tf.zeros_initializer())
        self.learning_rate = tf.placeholder(tf.float32, [], "learning_rate")
        with tf.name_scope("Step"), tf.variable_scope(tf.get_variable_scope(), reuse=True,
                                                      auxiliary_name_scope=False):
            self.step_losses, update_statistics = self._losses_of_step(training, seed)
        optimizer = tf.train.AdamOptimizer(self.learning_rate, beta1=training.adam_beta1_value)
        gradients = optimizer.compute_gradients(self.step_losses["loss"], tf.trainable_variables())
        with tf.control_dependencies([update_statistics]):
            self.train_op = optimizer.apply_gradients(gradients, global_step=self.global_step)
        if training.weight_average_decay > 0.0:
            with tf.control_dependencies([self.train_op]):
                self.train_op = self._average_weights(training.weight_average_decay)

    def _losses_of_step(self, training, seed):
        """(losses, op moving the batch norm's statistics) of the network as it trains.

        It has the weights of the one that predicts, and distorts what that does not. Where the
        batch size is known it is built for that: no time is lost on finding shapes, and two
        halves of the batch keep two cores busy. (Sharing out one operation takes longer.)
        """
        num_windows, num_parts = None, 1
        if training.batch_size is not None:
            num_windows, num_parts = training.batch_size * training.num_consecutive_frames, 2
        features, targets, mask, styles = [
            tensor if tensor is None else
            tf.ensure_shape(tensor, [num_windows] + tensor.shape.as_list()[1:])
            for tensor in (self.speech_features, self.targets, self.channel_mask, self.styles)]
        features = distortions.distorted(features, training, seed, self.global_step)

        def drop(inputs, number):
            return distortions.dropped(inputs, training.dropout_rate, seed, self.global_step,
                                       number)

        expression, update_statistics = speech_encoder(
            features, True, *self._network_sizes, styles=styles, drop=drop,
            num_parts=num_parts)
        losses_of_step = total_loss(expression_layer(expression), targets, mask, training)
        return losses_of_step, update_statistics

    def _average_weights(self, decay):
        """Make the average of each trained weight; returns the op that moves them all.

        Young averages move faster, so that they forget the first weights.
        """
        step = tf.cast(self.global_step, tf.float32)
        decay = tf.minimum(decay, (1.0 + step) / (10.0 + step))
        with tf.variable_scope("Average"):
            self._averages = [(weight, tf.get_variable(
                weight.op.name.replace("/", "."), weight.shape, trainable=False,
                initializer=tf.zeros_initializer())) for weight in tf.trainable_variables()]
        return tf.group([tf.assign_sub(average, (1.0 - decay) * (average - weight.read_value()))
                         for weight, average in self._averages])

    def _checkpoint_names(self):
        """{name in a checkpoint: variable}: where there are averages, they are what runs."""
        by_name = {variable.op.name: variable for variable in self.variables}
        for weight, average in self._averages:
            del by_name[average.op.name]
            by_name[weight.op.name], by_name[weight.op.name + UNAVERAGED] = average, weight
        return by_name

    @contextlib.contextmanager
    def averaged(self):
        """Inside the block, the network computes with the average of its weights."""
        weights = [weight for weight, _ in self._averages]
        trained = self.session.run(weights)
        self._set(weights, self.session.run([average for _, average in self._averages]))
        try:
            yield
        finally:
            self._set(weights, trained)

    def _set(self, variables, values):
        self.session.run([variable.initializer for variable in variables],
                         {variable.initializer.inputs[1]: value
                          for variable, value in zip(variables, values)})

    @classmethod
    def from_checkpoint(cls, prefix, style=None):
        """The network of the checkpoint at `prefix`, of the sizes its variables have.

        style: the name of one of the checkpoint's speakers, or None for the mean of all.
        Raises UserError where it has none of that name.
        """
        weight_of_style = checkpoint.style_weights(prefix, style)
        filters, expression_dim, num_styles = network_sizes(
            checkpoint.variable_shapes(prefix), prefix)
        model = cls(filters, expression_dim, num_styles=num_styles)
        model.restore(prefix)
        model.style = weight_of_style
        return model

    def initialize(self, untaught=None, means=None):
        """Fresh weights.

        Args:
          untaught: [52] bool, the channels that no subject teaches: they say SILENT_LOGIT's 0
            for good, where a channel without gradients would say 0.5.
          means: [52], what the fresh network says, about; None: 0.5.
        """
        self.session.run(self._initializer)
        weights, biases = [variable for name in ("/weights", "/biases")
                           for variable in self.variables
                           if variable.op.name == OUTPUT_LAYER + name]
        if means is not None:
            means = np.clip(means, LEAST_MEAN, 1.0 - LEAST_MEAN)
            self._set([biases], [np.log(means / (1.0 - means))])
        if untaught is not None and np.any(untaught):
            values = self.session.run([weights, biases])
            values[0][:, untaught], values[1][untaught] = 0.0, SILENT_LOGIT
            self._set([weights, biases], values)
        self._set([average for _, average in self._averages],
                  self.session.run([weight for weight, _ in self._averages]))

    def restore(self, prefix):
        """Set every variable of the graph from the checkpoint at `prefix`, by name.

        Raises UserError naming the variable that is missing or of another shape.
        """
        values = checkpoint.load_variables(
            prefix, {name: variable.shape.as_list() for name, variable in self._by_name.items()})
        self._set([self._by_name[name] for name in values], values.values())

    def predict(self, windows, style=None):
        """Blendshape weights [n, 52] in (0, 1), MODEL_CHANNELS order, of windows [n, 16, 29].

        style: [num_styles], instead of self.style.
        """
        style = self.style if style is None else style
        outputs = [np.zeros([0, NUM_BLENDSHAPES], np.float32)]
        for start in range(0, len(windows), PREDICT_BATCH_WINDOWS):
            batch = np.asarray(windows[start:start + PREDICT_BATCH_WINDOWS], np.float32)
            feed = {self.speech_features: batch.reshape(-1, WINDOW_FRAMES, NUM_LETTERS, 1),
                    self.is_training: False}
            if style is not None:
                feed[self.styles] = np.tile(style, (len(batch), 1))
            outputs.append(self.session.run(self.output, feed)[:, :, 0, 0])    # [batch, 52]
        return np.concatenate(outputs)

    def train_step(self, windows, targets, learning_rate, mask=None, styles=None):
        """One step of Adam; returns the losses (dictionary of floats) before the step.

        Args:
          windows: [N, 16, 29], N = indices x num_consecutive_frames.
          targets: [N, 52]; mask: [N, 52], weights in the loss, or None for ones.
          styles: [N, num_styles], or None for the mean of all.
        """
        feed = self._feed(windows, targets, mask, True, styles)
        feed[self.learning_rate] = learning_rate
        fed = mask is not None, styles is not None
        if fed not in self._prepared:
            self._prepared[fed] = prepared_call(
                self.session, feed, [self.step_losses[name] for name in LOSS_NAMES], self.train_op)
        values = [np.asarray(value, tensor.dtype.as_numpy_dtype) for tensor, value in feed.items()]
        return dict(zip(LOSS_NAMES, self._prepared[fed](*values)))

    def evaluate(self, windows, targets, mask=None, styles=None):
        """The losses as train_step gives them, of the network as it predicts."""
        return self.session.run(self.losses, self._feed(windows, targets, mask, False, styles))

    def _feed(self, windows, targets, mask, is_training, styles=None):
        feed = {self.speech_features: windows[..., np.newaxis],          # [N, 16, 29, 1]
                self.targets: targets[..., np.newaxis, np.newaxis],      # [N, 52, 1, 1]
                self.is_training: is_training}
        if mask is not None:
            feed[self.channel_mask] = mask[..., np.newaxis, np.newaxis]
        if styles is not None:
            feed[self.styles] = styles
        return feed

    @property
    def step(self):
        """Training steps done."""
        return int(self.session.run(self.global_step))

    def weights_are_finite(self):
        """Whether no trainable weight is NaN or infinite."""
        with self.graph.as_default():
            weights = self.session.run(tf.trainable_variables())
        return all(np.isfinite(values).all() for values in weights)

    def end_training(self):
        """Let the prepared steps go (train_step prepares them anew).

        Left to the end of Python, they find TensorFlow gone, and say so on stderr.
        """
        self._prepared.clear()

    def close(self):
        self.end_training()
        self.session.close()


def network_sizes(shapes, prefix):
    """(filters of the convolutions, expression_dim, number of styles) from {variable name: shape}.

    Raises UserError where a variable that tells a size is not there or has another rank.
    """
    def axes(layer, rank):
        name = "%s/SpeechEncoder/%s/weights" % (MODEL_SCOPE, layer)
        found = shapes.get(name)
        if found is None:
            raise UserError(
                "%s is no checkpoint of this network: it has no variable %s (expected shape of "
                "%d axes); it holds %s; give another --tf_model_fname"
                % (prefix, name, rank, ", ".join(sorted(shapes)[:3]) or "nothing"))
        if len(found) != rank:
            raise UserError("%s: variable %s has shape %s, expected %d axes; give another "
                            "--tf_model_fname" % (prefix, name, list(found), rank))
        return found

    filters = tuple(axes("conv%d" % number, 4)[-1] for number in (1, 2, 3, 4))
    num_styles = max(0, axes("conv1", 4)[2] - NUM_LETTERS)
    return filters, axes("fc2", 2)[-1], num_styles
