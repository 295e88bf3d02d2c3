"""Training: steps, checkpoints that outlive any death, summaries, and the best on validation.

A run lives in config.checkpoint_dir:
    checkpoints/gstep_<step>.model.*        the last MAX_KEPT, each with its JSON record
    checkpoints/best/gstep_<step>.model.*   the one with the lowest validation loss
    checkpoints/training_config.cfg         the config it was trained with
    summaries/train, summaries/validation   TensorBoard
"""
import collections
import math
import os
import sys

import numpy as np

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import ANIMATION_FPS, WINDOW_FRAMES
from utils.common.errors import UserError
from utils.common.files import make_folder
from utils.common.stop_signals import stop_signals
from utils.network import checkpoint
from utils.network.layers import filters_of_size_factor
from utils.network.losses import TrainingOptions
from utils.network.voca_model import VocaModel
from utils.training import validation
from utils.training.batches import Batches
from utils.training.config import CONFIG_NAME, REMOVED, Config, write_config
from utils.training.label_statistics import (closures, known_channels,
                                             label_deviations, label_means)
from utils.training.progress_line import ProgressLine
from utils.training.run_folder import (MAX_KEPT, best_folder, checkpoints_folder, existing_run,
                                       package_versions, remove_run, summaries_folder)
from utils.training.styles import style_of_subject
from utils.training.summaries import Summaries

SUMMARY_INTERVAL_STEPS = 20
VALIDATION_INTERVAL_STEPS = 250     # at least this many between two validations
PICTURE_S = 5.0                     # of one picture of curves

# What a resumed run must share with its beginning: sizes of the network, and the shuffling.
FIXED_KEYS = ("feature_profile", "window_future_frames", "speech_encoder_size_factor",
              "expression_dim", "num_consecutive_frames", "batch_size", "random_seed", "subject_styles",
              "augmented_copies", "weight_average_decay")

# checkpoint: prefix of the best, or of the last where there was no validation yet.
# scores: validation.ChannelScore list of it, or None for an interrupted run.
# first_loss, best_loss: on validation, of the first weights and of checkpoint (None: not known).
Result = collections.namedtuple(
    "Result", "checkpoint scores step interrupted first_loss best_loss")


def learning_rate_of_step(config, step, steps_per_epoch):
    """The learning rate of training step `step`, counted from 0.

    exponential: decay_rate once per epoch; cosine: half a cosine from the full rate to 0 at the
    end of the last epoch. Before that, a straight line over the first warmup_steps.
    """
    if config.learning_rate_schedule == "cosine":
        done = step / float(config.epoch_num * steps_per_epoch)
        rate = config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
    else:
        rate = config.learning_rate * config.decay_rate ** (step // steps_per_epoch)
    return rate * min(1.0, (step + 1.0) / max(config.warmup_steps, 1))


def training_model(config, subjects, batch_size):
    """The network of `config`, with losses and optimiser, not initialised.

    Args:
      subjects: that it will learn from; the errors may be measured in their labels' deviations.
      batch_size: of every step (config's, unless there are fewer indices).
    """
    values = {name: getattr(config, name) for name in TrainingOptions._fields
              if hasattr(config, name)}
    values["batch_size"] = batch_size
    if config.label_standardisation:
        values["channel_deviations"] = tuple(label_deviations(subjects))
    return VocaModel(filters_of_size_factor(config.speech_encoder_size_factor),
                     config.expression_dim, TrainingOptions(**values), seed=config.random_seed,
                     num_threads=1,         # a batch's operations are too small to be shared
                     num_styles=len(config.subject_styles))


class Trainer(object):
    """One session of a run: made new, or from the run's last checkpoint.

    Args:
      config: utils.training.config.Config.
      training, validation_subjects: lists of training_data.Subject.
      acoustic_graph: {"name": ..., "sha256": {file name: hex}} of the features, for the record.
      data_fingerprint: of all subjects, for the record.
      resume_from: prefix of the checkpoint to go on from, or None for a new run.
      stream: where the progress goes.
    """

    def __init__(self, config, training, validation_subjects, acoustic_graph, data_fingerprint,
                 resume_from=None, stream=sys.stdout):
        self.config = config
        self.validation_subjects = validation_subjects
        self.stream = stream
        self.record = {
            "feature_profile": config.feature_profile, "acoustic_graph": acoustic_graph,
            "channels": list(MODEL_CHANNELS), "fps": ANIMATION_FPS,
            "window_frames": WINDOW_FRAMES, "window_future_frames": config.window_future_frames,
            "config": config.to_dict(),
            "data_fingerprint": data_fingerprint, "package_versions": package_versions()}
        frame_weights, styles = None, None
        if config.closure_weight > 0.0:
            frame_weights = [1.0 + config.closure_weight * closures(subject)
                             for subject in training]
        if config.subject_styles:
            styles = [style_of_subject(subject.name, config.subject_styles)
                      for subject in training]
        self.batches = Batches(training, config.batch_size, config.num_consecutive_frames,
                               config.random_seed, frame_weights, styles)
        self._training_mean = label_means(training)        # [52]
        self._silences = validation.silences(validation_subjects)
        self.total_steps = config.epoch_num * self.batches.steps_per_epoch
        if resume_from is not None:
            self._check_resumable(resume_from)
        self.model = training_model(config, training, self.batches.batch_size)
        self.best_loss, self.best_prefix = None, None
        if resume_from is None:
            self.model.initialize(
                untrained=~known_channels(training),
                means=self._training_mean if config.start_at_mean else None)
        else:
            self.model.restore(resume_from)
            self._find_best()
            self.record["first_validation_loss"] = checkpoint.read_checkpoint_info(
                resume_from).get("first_validation_loss")
        self.step = self.model.step
        self.last_good = resume_from            # prefix of the last checkpoint saved
        self._pictured_epoch = self.step // self.batches.steps_per_epoch

    def _check_resumable(self, prefix):
        """UserError where this config cannot go on with what the checkpoint was trained with."""
        info = checkpoint.read_checkpoint_info(prefix)
        advice = "put it back, or start again with --overwrite"
        if info["data_fingerprint"] not in (None, self.record["data_fingerprint"]):
            raise UserError("cannot resume %s: the training data is not what it was trained on; "
                            "%s" % (prefix, advice))
        before, now = info["acoustic_graph"], self.record["acoustic_graph"]
        if before and now and not set(before["sha256"].values()) & set(now["sha256"].values()):
            raise UserError("cannot resume %s: it was trained on the features of %s, but "
                            "deepspeech_graph_fname is %s, another network; %s"
                            % (prefix, before["name"], now["name"], advice))
        # A published checkpoint has no record of its config, but its profile is known.
        was_config = dict(info["config"] or {}, feature_profile=info["feature_profile"])
        for key in REMOVED:
            if was_config.get(key):
                self._say("warning: %s was trained with %s = %s, an option that was removed: the "
                          "run goes on without it" % (prefix, key, was_config[key]))
        # A record that does not know an option was made without it.
        before_options = Config() if info["config"] else self.config
        for key in FIXED_KEYS:
            was = was_config.get(key, getattr(before_options, key))
            if was != getattr(self.config, key):
                raise UserError("cannot resume %s: it was trained with %s = %s, the config has "
                                "%s; %s" % (prefix, key, was, getattr(self.config, key), advice))

    def _find_best(self):
        found = checkpoint.list_checkpoints(best_folder(self.config))
        if found:
            self.best_prefix = found[-1][1]
            self.best_loss = checkpoint.read_checkpoint_info(self.best_prefix).get(
                "validation_loss")

    def run(self):
        """Train to the last epoch, or until Ctrl-C or SIGTERM; returns a Result.

        Raises UserError where the loss or a weight is no longer a finite number, and where a
        checkpoint cannot be written.
        """
        folder = checkpoints_folder(self.config)
        for torn in (folder, best_folder(self.config)):
            checkpoint.remove_torn_checkpoints(torn)
        write_config(os.path.join(folder, CONFIG_NAME), self.config)
        summaries = Summaries(summaries_folder(self.config), self.step, self.model.graph)
        line = ProgressLine(self.stream, self.step, self.total_steps, self.config.epoch_num)
        try:
            with stop_signals() as stop:
                if self.step == 0:
                    self._validate_start(summaries)
                while self.step < self.total_steps and not stop:
                    self._train_step(summaries, line)
                if self.last_good is None or not self._is_saved():
                    self._save()
        finally:
            line.close()
            summaries.close()
            self.model.end_training()
        if stop:
            self._say("stopped by %s at step %d of %d; saved %s; go on with --resume"
                      % (stop[0], self.step, self.total_steps, self.last_good))
            return self._result(None, True)
        if line.num_updates == 0:
            self._say("nothing to do: the run is at step %d, and %d epochs are %d steps; raise "
                      "epoch_num to go on" % (self.step, self.config.epoch_num, self.total_steps))
        return self._result(self._scores_of(self.best_prefix or self.last_good), False)

    def _result(self, scores, interrupted):
        return Result(self.best_prefix or self.last_good, scores, self.step, interrupted,
                      self.record.get("first_validation_loss"), self.best_loss)

    def _train_step(self, summaries, line):
        epoch, batch = divmod(self.step, self.batches.steps_per_epoch)
        learning_rate = self._learning_rate(self.step)
        windows, targets, mask = self.batches.of_step(self.step)
        losses = self.model.train_step(windows, targets, learning_rate, mask,
                                       self.batches.styles_of_step(self.step))
        if not np.isfinite(losses["loss"]):
            raise self._not_finite("the loss is %s" % losses["loss"])
        self.step += 1
        if self.step == 1 or self.step % SUMMARY_INTERVAL_STEPS == 0:
            summaries.add_losses("train", self.step, losses, learning_rate)
        if batch == self.batches.steps_per_epoch - 1 and self._validates_after(epoch):
            self._validate_epoch(summaries, epoch, learning_rate)
        if self.step % self.config.checkpoint_interval == 0:
            self._save()
        line.update(self.step, epoch + 1, losses["loss"], self.best_loss)

    def _learning_rate(self, step):
        return learning_rate_of_step(self.config, step, self.batches.steps_per_epoch)

    def _validates_after(self, epoch):
        """Each epoch, or every so many where epochs are short; always after the last."""
        every = -(-VALIDATION_INTERVAL_STEPS // self.batches.steps_per_epoch)
        return (epoch + 1) % every == 0 or epoch + 1 == self.config.epoch_num

    def _validate_start(self, summaries):
        """What the fresh weights give, so that the curves and the record tell the fall from it."""
        loss, _ = self._validate(summaries, self._learning_rate(0))
        self.record["first_validation_loss"] = loss

    def _validate_epoch(self, summaries, epoch, learning_rate):
        loss, predicted = self._validate(summaries, learning_rate)
        self._add_pictures(summaries, epoch, predicted)
        if self.best_loss is None or loss < self.best_loss:
            self._save_best(loss)

    def _validate(self, summaries, learning_rate):
        """Write losses and region errors; returns (loss, predictions [frames, 52] by subject)."""
        with self.model.averaged():
            losses = validation.validation_losses(
                self.model, self.validation_subjects, self.config.num_consecutive_frames,
                self.config.subject_styles)
            predicted = self._predictions()
        if not np.isfinite(losses["loss"]):
            raise self._not_finite("the validation loss is %s" % losses["loss"])
        scores = validation.channel_scores(predicted, self.validation_subjects,
                                           self._training_mean)
        summaries.add_losses("validation", self.step, losses, learning_rate)
        summaries.add_region_errors(self.step, validation.region_errors(scores))
        summaries.add_scorecard(self.step, validation.scorecard_measures(
            predicted, self.validation_subjects, self._silences))
        return losses["loss"], predicted

    def _add_pictures(self, summaries, epoch, predicted):
        """Predicted against true curves of stretches spread over the validation subjects."""
        every = self.config.curves_interval
        is_due = (epoch + 1) // every > self._pictured_epoch // every
        is_last = epoch + 1 == self.config.epoch_num
        if self.config.num_render_sequences == 0 or not (is_due or is_last):
            return
        self._pictured_epoch = epoch + 1
        # Here: matplotlib takes a second to import, and short runs draw nothing.
        from utils.preview.curve_pictures import curves_image
        stretch = int(PICTURE_S * ANIMATION_FPS)
        for number in range(self.config.num_render_sequences):
            which = number % len(predicted)
            subject = self.validation_subjects[which]
            room = max(0, len(predicted[which]) - stretch)
            start = room * number // max(1, self.config.num_render_sequences - 1)
            rows = slice(start, start + stretch)
            summaries.add_picture(
                self.step, "curves_%d_%s" % (number + 1, subject.name),
                curves_image(predicted[which][rows], subject.targets[rows], MODEL_CHANNELS,
                             ANIMATION_FPS))

    def _save_best(self, loss):
        prefix = os.path.join(best_folder(self.config), "gstep_%d.model" % self.step)
        self._write(prefix, dict(self.record, step=self.step, validation_loss=float(loss)))
        for _, older in checkpoint.list_checkpoints(best_folder(self.config)):
            if older != prefix:
                checkpoint.delete_checkpoint(older)
        self.best_loss, self.best_prefix = float(loss), prefix

    def _is_saved(self):
        return os.path.basename(self.last_good) == "gstep_%d.model" % self.step

    def _save(self):
        folder = checkpoints_folder(self.config)
        prefix = os.path.join(folder, "gstep_%d.model" % self.step)
        self._write(prefix, dict(self.record, step=self.step))
        self.last_good = prefix
        for _, oldest in checkpoint.list_checkpoints(folder)[:-MAX_KEPT]:
            checkpoint.delete_checkpoint(oldest)

    def _write(self, prefix, record):
        if not self.model.weights_are_finite():
            raise self._not_finite("a weight is no longer a finite number")
        checkpoint.save_checkpoint(self.model.session, self.model.saver, prefix, record)

    def _not_finite(self, what):
        good = ("the last good checkpoint is %s" % self.last_good if self.last_good
                else "there is no checkpoint yet")
        return UserError("%s at step %d of %d; %s; lower learning_rate (%g), or look for wrong "
                         "values in the training data" % (what, self.step, self.total_steps, good,
                                                          self.config.learning_rate))

    def _scores_of(self, prefix):
        self.model.restore(prefix)
        with self.model.averaged():
            predicted = self._predictions()
        return validation.channel_scores(predicted, self.validation_subjects,
                                         self._training_mean)

    def _predictions(self):
        return validation.predictions(self.model, self.validation_subjects,
                                      self.config.subject_styles)

    def _say(self, text):
        self.stream.write(text + "\n")
        self.stream.flush()


def start(config, training, validation_subjects, acoustic_graph, data_fingerprint,
          resume=False, overwrite=False, stream=sys.stdout):
    """A Trainer of a new or resumed run, once existing_run's rules are met."""
    last = existing_run(config, resume, overwrite)
    if overwrite:
        remove_run(config)
    make_folder(checkpoints_folder(config))
    return Trainer(config, training, validation_subjects, acoustic_graph, data_fingerprint,
                   last if resume else None, stream)
