"""The animation network: a window of speech features in, 52 blendshape weights out.

The published VOCA-52 network, variable for variable (the names and shapes are the checkpoint
format). The graph is made by functions; VocaModel holds it with its session and its tensors.
"""
import contextlib

import numpy as np

from utils.common.constants import MODEL_SCOPE, NUM_BLENDSHAPES, NUM_LETTERS, WINDOW_FRAMES
from utils.common.errors import UserError
from utils.common.quiet_tensorflow import prepared_call, tf
from utils.network import checkpoint
from utils.network.layers import FULL_FILTERS, expression_layer, speech_encoder
from utils.network.letter_masks import with_letter_masks
from utils.network.losses import LOSS_NAMES, total_loss

EXPRESSION_DIM = 50
OUTPUT_LAYER = MODEL_SCOPE + "/ExpressionLayer/expression_offset"
SILENT_LOGIT = -10.0                    # 0.00005 after the sigmoid
LEAST_MEAN = 0.002                      # a sigmoid that starts nearer to 0 learns too slowly
PREDICT_BATCH_WINDOWS = 1024            # bounds memory; the output does not depend on it
UNAVERAGED = "/unaveraged"              # ends the names of the weights that an average is of


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
      num_styles: of speaking styles, a one-hot input; 0 = no such input.
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
        config = tf.ConfigProto(intra_op_parallelism_threads=num_threads)
        # To predict is no faster by a rewritten graph, and the rewriting takes 30 ms of a start.
        config.graph_options.rewrite_options.disable_meta_optimizer = training is None
        self.session = tf.Session(graph=self.graph, config=config)
        self._saver = None
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

        It has the weights of the one that predicts, and masks letters besides. Where the
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
        features = with_letter_masks(features, training.letter_mask_rate,
                                     training.num_consecutive_frames, seed, self.global_step)
        expression, update_statistics = speech_encoder(
            features, True, *self._network_sizes, styles=styles, num_parts=num_parts)
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

    @property
    def saver(self):
        """tf.train.Saver of the checkpoint's variables; made when needed, which is to train."""
        if self._saver is None:
            with self.graph.as_default(), tf.name_scope(MODEL_SCOPE):
                self._saver = tf.train.Saver(self._by_name, max_to_keep=0)
        return self._saver

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

    def initialize(self, untrained=None, means=None):
        """Fresh weights.

        Args:
          untrained: [52] bool, the channels that no subject has: their output is SILENT_LOGIT's
            0 for good, where a channel without gradients would stay at 0.5.
          means: [52], the fresh network's output, about; None: 0.5.
        """
        self.session.run(self._initializer)
        weights, biases = [variable for name in ("/weights", "/biases")
                           for variable in self.variables
                           if variable.op.name == OUTPUT_LAYER + name]
        if means is not None:
            means = np.clip(means, LEAST_MEAN, 1.0 - LEAST_MEAN)
            self._set([biases], [np.log(means / (1.0 - means))])
        if untrained is not None and np.any(untrained):
            values = self.session.run([weights, biases])
            values[0][:, untrained], values[1][untrained] = 0.0, SILENT_LOGIT
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
