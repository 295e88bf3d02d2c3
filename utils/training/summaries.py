"""TensorBoard summaries of a run: scalars under the published tags, and pictures of curves."""
import os
import socket
import time

import cv2
import numpy as np

from utils.common.errors import UserError
from utils.common.files import make_folder, path_in_utf8
from utils.common.quiet_tensorflow import tf
from utils.network.losses import LOSS_NAMES

COLLECTIONS = {"train": "training", "validation": "validation"}   # folder: ending of its tags
EVENT_FILE_VERSION = "brain.Event:2"
EVENT_FILE_PREFIX = "events.out.tfevents."


class Summaries(object):
    """The event files in <folder>/train and <folder>/validation.

    Each event is written and flushed at once: TensorFlow's own writer does so in a thread, where
    a full disk ends in a traceback or in a wait without end, and a killed run loses its last ones.

    Args:
      folder: of both.
      first_step: where this session starts. What an earlier, killed session wrote past it is
        dropped by TensorBoard.
      graph: of the network, for TensorBoard's graph page; written at the start of a run.
    """

    def __init__(self, folder, first_step=0, graph=None):
        self._writers = {}
        self._folder = folder
        for collection in COLLECTIONS:
            path = os.path.join(folder, collection)
            make_folder(path)
            now = time.time()
            # TensorBoard reads the files of a folder in the order of their names.
            name = "%s%010d.%s.%06d" % (EVENT_FILE_PREFIX, _not_before_others(path, now),
                                        socket.gethostname(), now % 1 * 1e6)
            self._writers[collection] = tf.io.TFRecordWriter(
                path_in_utf8(os.path.join(path, name)))
            self._write(collection, tf.Event(wall_time=now, file_version=EVENT_FILE_VERSION))
            # Steps are written as they stand after a training step: the next one is + 1.
            self._write(collection, tf.Event(
                wall_time=now, step=first_step + 1,
                session_log=tf.SessionLog(status=tf.SessionLog.START)))
        if graph is not None and first_step == 0:
            self._write("train", tf.Event(wall_time=time.time(), graph_def=graph.as_graph_def(
                add_shapes=True).SerializeToString()))

    def add_losses(self, collection, step, losses, learning_rate):
        """loss_training, reconstruction_loss_training, ... or the same of validation."""
        ending = COLLECTIONS[collection]
        values = {"%s_%s" % (name, ending): losses[name] for name in LOSS_NAMES}
        values["learning_rate_%s" % ending] = learning_rate
        self._add(collection, step, [tf.Summary.Value(tag=tag, simple_value=float(value))
                                     for tag, value in sorted(values.items())])

    def add_region_errors(self, step, errors):
        """jaw_error_validation, ...: mean absolute error of {region: error}."""
        self._add("validation", step, [
            tf.Summary.Value(tag="%s_error_validation" % name, simple_value=float(error))
            for name, error in sorted(errors.items())])

    def add_scorecard(self, step, measures):
        """scorecard/opening_r, ...: {measure: value} of validation.scorecard_measures."""
        self._add("validation", step, [
            tf.Summary.Value(tag="scorecard/%s" % name, simple_value=float(value))
            for name, value in sorted(measures.items())])

    def add_picture(self, step, tag, picture):
        """An RGB picture, uint8 [height, width, 3]."""
        is_coded, png = cv2.imencode(".png", np.ascontiguousarray(picture[:, :, ::-1]))
        if not is_coded:
            raise ValueError("no PNG can be made of an array of shape %s" % (picture.shape,))
        image = tf.Summary.Image(height=picture.shape[0], width=picture.shape[1], colorspace=3,
                                 encoded_image_string=png.tobytes())
        self._add("validation", step, [tf.Summary.Value(tag=tag, image=image)])

    def _add(self, collection, step, values):
        self._write(collection, tf.Event(wall_time=time.time(), step=step,
                                         summary=tf.Summary(value=values)))

    def _write(self, collection, event):
        try:
            self._writers[collection].write(event.SerializeToString())
            self._writers[collection].flush()
        except tf.errors.OpError as error:
            raise UserError("cannot write the summaries in %s: %s; free the space or set another "
                            "checkpoint_dir" % (self._folder, error.message.split("; ")[-1]))

    def close(self):
        for writer in self._writers.values():
            writer.close()


def _not_before_others(folder, now_s):
    """now_s, or a second after the last event file of a folder where the clock was put back."""
    stamps = [name[len(EVENT_FILE_PREFIX):].split(".")[0] for name in os.listdir(folder)
              if name.startswith(EVENT_FILE_PREFIX)]
    last_s = max([int(stamp) for stamp in stamps if stamp.isdigit()] + [0])
    return now_s if last_s <= now_s else last_s + 1
