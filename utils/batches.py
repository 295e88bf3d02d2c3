"""Batches of consecutive frames, shuffled by seed and epoch so that a resumed run goes on alike."""
import numpy as np

from utils.constants import NUM_BLENDSHAPES, NUM_LETTERS, WINDOW_FRAMES
from utils.errors import UserError


class Batches(object):
    """Every run of `num_consecutive_frames` frames of the subjects, by index.

    An index is the first frame of such a run; no run crosses from one subject to the next. What
    is drawn at a training step follows from the seed and the step alone.

    Args:
      subjects: have windows [frames, 16, 29], targets [frames, 52] and mask [52]; windows may be
        memory-mapped, only the rows of a batch are read.
      batch_size: indices per batch (fewer where there are not so many).
      num_consecutive_frames: frames per index.
      seed: of the shuffling.

    Attributes: num_indices, batch_size, steps_per_epoch (the remainder of an epoch's shuffled
    indices that fills no batch is left out), any_masked.
    """

    def __init__(self, subjects, batch_size, num_consecutive_frames, seed=0):
        self._subjects = list(subjects)
        self._num_consecutive_frames = num_consecutive_frames
        self._seed = seed
        runs = [max(0, len(subject.targets) - num_consecutive_frames + 1)
                for subject in self._subjects]
        self._first_index = np.cumsum([0] + runs)     # of each subject, and the end
        self.num_indices = int(self._first_index[-1])
        if self.num_indices == 0:
            raise UserError("the subjects %s have no %d consecutive frames; give longer ones"
                            % (", ".join(subject.name for subject in self._subjects),
                               num_consecutive_frames))
        self.batch_size = min(batch_size, self.num_indices)
        self.steps_per_epoch = self.num_indices // self.batch_size
        self.any_masked = any((np.asarray(subject.mask) == 0).any()
                              for subject in self._subjects)
        self._shuffled_epoch = None

    def of_step(self, step):
        """The batch that training step `step` (from 0) learns from; see gather."""
        epoch, batch = divmod(step, self.steps_per_epoch)
        if self._shuffled_epoch != epoch:
            random = np.random.RandomState([self._seed, epoch])
            self._shuffled = random.permutation(self.num_indices)
            self._shuffled_epoch = epoch
        start = batch * self.batch_size
        return self.gather(self._shuffled[start:start + self.batch_size])

    def gather(self, indices):
        """(windows [N, 16, 29], targets [N, 52], mask [N, 52] or None) of `indices`.

        N = len(indices) x num_consecutive_frames, the frames of one index side by side. The mask
        is None where every subject has every channel.
        """
        subject_of_index = np.searchsorted(self._first_index, indices, side="right") - 1
        first_frames = np.asarray(indices) - self._first_index[subject_of_index]
        later = np.arange(self._num_consecutive_frames)
        frames = (first_frames[:, np.newaxis] + later).reshape(-1)              # [N]
        subject_of_frame = np.repeat(subject_of_index, self._num_consecutive_frames)
        windows = np.empty([len(frames), WINDOW_FRAMES, NUM_LETTERS], np.float32)
        targets = np.empty([len(frames), NUM_BLENDSHAPES], np.float32)
        mask = np.empty([len(frames), NUM_BLENDSHAPES], np.float32) if self.any_masked else None
        for number in np.unique(subject_of_index):
            subject = self._subjects[number]
            rows = np.flatnonzero(subject_of_frame == number)
            windows[rows] = subject.windows[frames[rows]]
            targets[rows] = subject.targets[frames[rows]]
            if mask is not None:
                mask[rows] = subject.mask
        return windows, targets, mask

    def in_order(self):
        """Yield (windows, targets, mask, indices in it) over all indices, unshuffled."""
        for start in range(0, self.num_indices, self.batch_size):
            indices = np.arange(start, min(start + self.batch_size, self.num_indices))
            yield self.gather(indices) + (len(indices),)
