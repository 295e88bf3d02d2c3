"""Batches of consecutive frames, shuffled by seed and epoch so that a resumed run goes on alike."""
import numpy as np

from utils.common.constants import NUM_BLENDSHAPES, NUM_LETTERS, WINDOW_FRAMES
from utils.common.errors import UserError
from utils.training.read_ahead import ReadAhead


class Batches(object):
    """Every run of `num_consecutive_frames` valid frames of the subjects, by index.

    An index is the first frame of such a run; no run crosses from one subject to the next. What
    is drawn at a training step follows from the seed and the step alone.

    Args:
      subjects: have windows [frames, 16, 29], targets [frames, 52], mask [52] and valid [frames];
        windows and targets may be memory-mapped, only the rows of a batch are read.
      batch_size: indices per batch (fewer where there are not so many).
      num_consecutive_frames: frames per index.
      seed: of the shuffling.
      frame_weights: [frames] of each subject, that its mask is multiplied by; None for ones.
      styles: [S] of each subject, see utils.styles; None for none.

    Attributes: num_indices, batch_size, steps_per_epoch (the remainder of an epoch's shuffled
    indices that fills no batch is left out), any_masked.
    """

    def __init__(self, subjects, batch_size, num_consecutive_frames, seed=0,
                 frame_weights=None, styles=None):
        subjects = list(subjects)
        # Plain views of the mapped files: a np.memmap takes ten times as long to slice.
        self._windows = [np.asarray(subject.windows) for subject in subjects]
        self._targets = [np.asarray(subject.targets) for subject in subjects]
        self._masks = [np.asarray(subject.mask) for subject in subjects]
        self._frame_weights = frame_weights
        self._styles = styles
        self._num_consecutive_frames = num_consecutive_frames
        self._seed = seed
        runs = [first_frames_of_runs(subject.valid, num_consecutive_frames)
                for subject in subjects]
        self._first_frame = np.concatenate(runs)                                # [indices]
        self._first_index = np.cumsum([0] + [len(of_one) for of_one in runs])   # of each subject
        self.num_indices = len(self._first_frame)
        if self.num_indices == 0:
            raise UserError("the subjects %s have no %d consecutive frames that are valid; give "
                            "longer ones" % (", ".join(subject.name for subject in subjects),
                                             num_consecutive_frames))
        self.batch_size = min(batch_size, self.num_indices)
        self.steps_per_epoch = self.num_indices // self.batch_size
        self.any_masked = frame_weights is not None or any(
            (mask == 0).any() for mask in self._masks)
        self._shuffled_epoch = None
        self._read_ahead = ReadAhead([self._windows, self._targets], num_consecutive_frames)

    def of_step(self, step):
        """The batch that training step `step` (from 0) learns from; see gather."""
        end_of_epoch = (step // self.steps_per_epoch + 1) * self.steps_per_epoch
        for later in self._read_ahead.steps_to_ask(step, end_of_epoch):
            self._read_ahead.ask(*self._places(self._indices_of_step(later)))
        return self.gather(self._indices_of_step(step))

    def styles_of_step(self, step):
        """The styles [N, S] of the frames of that batch, or None without styles."""
        if self._styles is None:
            return None
        subjects, _ = self._places(self._indices_of_step(step))
        return np.repeat(np.stack(self._styles)[subjects], self._num_consecutive_frames, axis=0)

    def _indices_of_step(self, step):
        epoch, batch = divmod(step, self.steps_per_epoch)
        if self._shuffled_epoch != epoch:
            random = np.random.RandomState([self._seed, epoch])
            # random.permutation's own order, in half the memory.
            self._shuffled = np.arange(self.num_indices, dtype=np.int32)
            random.shuffle(self._shuffled)
            self._shuffled_epoch = epoch
        start = batch * self.batch_size
        return self._shuffled[start:start + self.batch_size]

    def _places(self, indices):
        """(subject, its first frame) of each index, both int [indices]."""
        return (np.searchsorted(self._first_index, indices, side="right") - 1,
                self._first_frame[indices])

    def gather(self, indices):
        """(windows [N, 16, 29], targets [N, 52], mask [N, 52] or None) of `indices`.

        N = len(indices) x num_consecutive_frames, the frames of one index side by side. The mask
        is None where every subject has every channel and no frame has a weight.
        """
        num_frames = self._num_consecutive_frames
        windows = np.empty([len(indices), num_frames, WINDOW_FRAMES, NUM_LETTERS], np.float32)
        targets = np.empty([len(indices), num_frames, NUM_BLENDSHAPES], np.float32)
        mask = np.empty_like(targets) if self.any_masked else None
        subjects, first_frames = self._places(indices)
        places = zip(subjects.tolist(), first_frames.tolist())
        for row, (subject, first) in enumerate(places):
            windows[row] = self._windows[subject][first:first + num_frames]
            targets[row] = self._targets[subject][first:first + num_frames]
            if mask is not None:
                mask[row] = self._masks[subject]
                if self._frame_weights is not None:
                    mask[row] *= self._frame_weights[subject][first:first + num_frames, np.newaxis]
        return (windows.reshape(-1, WINDOW_FRAMES, NUM_LETTERS),                # [N, 16, 29]
                targets.reshape(-1, NUM_BLENDSHAPES),                           # [N, 52]
                None if mask is None else mask.reshape(-1, NUM_BLENDSHAPES))    # [N, 52]

    def in_order(self):
        """Yield (windows, targets, mask, indices in it) over all indices, unshuffled."""
        for start in range(0, self.num_indices, self.batch_size):
            indices = np.arange(start, min(start + self.batch_size, self.num_indices))
            yield self.gather(indices) + (len(indices),)


def first_frames_of_runs(valid, num_frames):
    """int32: the frames from which on `num_frames` frames of `valid` [frames] are all True."""
    num_starts = max(0, len(valid) - num_frames + 1)
    whole = np.ones(num_starts, bool)
    for later in range(num_frames):
        whole &= valid[later:later + num_starts]
    return np.flatnonzero(whole).astype(np.int32)
