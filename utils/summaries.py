"""TensorBoard summaries of a run: scalars under the published tags, and pictures of curves."""
import os

import cv2
import numpy as np

from utils.files import make_folder
from utils.quiet_tensorflow import tf
from utils.voca_model import LOSS_NAMES

COLLECTIONS = {"train": "training", "validation": "validation"}   # folder: ending of its tags
FLUSH_S = 10


class Summaries(object):
    """The event files in <folder>/train and <folder>/validation.

    Args:
      folder: of both.
      first_step: where this session starts. What an earlier, killed session wrote past it is
        dropped by TensorBoard.
      graph: of the network, for TensorBoard's graph page; written at the start of a run.
    """

    def __init__(self, folder, first_step=0, graph=None):
        self._writers = {}
        for collection in COLLECTIONS:
            path = os.path.join(folder, collection)
            make_folder(path)
            writer = tf.summary.FileWriter(path, flush_secs=FLUSH_S)
            # Steps are written as they stand after a training step: the next one is + 1.
            writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), first_step + 1)
            self._writers[collection] = writer
        if graph is not None and first_step == 0:
            self._writers["train"].add_graph(graph)

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

    def add_picture(self, step, tag, picture):
        """An RGB picture, uint8 [height, width, 3]."""
        is_coded, png = cv2.imencode(".png", np.ascontiguousarray(picture[:, :, ::-1]))
        if not is_coded:
            raise ValueError("no PNG can be made of an array of shape %s" % (picture.shape,))
        image = tf.Summary.Image(height=picture.shape[0], width=picture.shape[1], colorspace=3,
                                 encoded_image_string=png.tobytes())
        self._add("validation", step, [tf.Summary.Value(tag=tag, image=image)])

    def _add(self, collection, step, values):
        self._writers[collection].add_summary(tf.Summary(value=values), step)

    def flush(self):
        for writer in self._writers.values():
            writer.flush()

    def close(self):
        for writer in self._writers.values():
            writer.close()
