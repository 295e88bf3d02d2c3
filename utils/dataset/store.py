"""A processed dataset: subjects as memory-mappable arrays, with a manifest that says all of them.

    dataset.json                    format, rates, channels, and a record for each subject
    subjects/<name>-<key>/          one folder for each recording:
        targets.npy                 float32 [frames, 52] in [0, 1], MODEL_CHANNELS order
        valid.npy                   bool [frames]
        audio.npy                   int16 [samples], 16 kHz mono
        record.json                 what dataset.json says of it

Row i stands at i / 30 s of the sound. The key follows from all that a folder was made from, so
a folder never changes: it appears whole, under a name of its own, and the manifest is replaced
last, in one step. Whoever dies at any moment leaves the dataset as it was before, and finished
folders that the next run finds.
"""
import collections
import contextlib
import errno
import hashlib
import json
import os
import platform
import re
import shutil

import numpy as np

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import ANIMATION_FPS, NUM_BLENDSHAPES, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.common.files import make_folder, write_json, written_aside
from utils.common.folder_lock import folder_lock
from utils.common.npy_stream import read_npy, write_npy

FORMAT = "voca-52 dataset"
FORMAT_VERSION = 1
MANIFEST_NAME = "dataset.json"
SUBFOLDER = "dataset"                   # of a training data folder
SUBJECTS_FOLDER = "subjects"
RECORD_NAME = "record.json"
PART_PREFIX = ".part-"
KEY_DIGITS = 16

ABSENT, STILL = "absent", "still"       # why a channel is masked

# targets float32 [frames, 52] in MODEL_CHANNELS order, mask float32 [52], valid bool [frames],
# audio int16 [samples] at 16 kHz; all but the mask memory-mapped.
Arrays = collections.namedtuple("Arrays", "targets mask valid audio")


def find_dataset(path):
    """The folder of the dataset that `path` is or holds, or None."""
    for folder in (path, os.path.join(path, SUBFOLDER)):
        if os.path.isfile(os.path.join(folder, MANIFEST_NAME)):
            return folder
    return None


class Dataset(object):
    """The dataset in the folder `path`.

    Attributes:
      path: as given.
      subjects: OrderedDict {name: record}; see docs/formats.md for a record's keys.
      channels: the names of the targets' columns, MODEL_CHANNELS.
    Raises UserError for a manifest that is missing, damaged or of another version.
    """

    def __init__(self, path):
        self.path = path
        manifest_path = os.path.join(path, MANIFEST_NAME)
        try:
            with open(manifest_path, encoding="utf-8") as stream:
                content = json.load(stream, object_pairs_hook=collections.OrderedDict)
        except OSError as error:
            raise UserError("cannot read the dataset %s: %s; make one with: python "
                            "process_data.py" % (manifest_path, error.strerror))
        except (ValueError, RecursionError) as error:
            raise UserError("%s is damaged: %s; make the dataset anew with: python "
                            "process_data.py" % (manifest_path, error))
        found = (content.get("format"), content.get("format_version")) if isinstance(
            content, dict) else (None, None)
        if found != (FORMAT, FORMAT_VERSION):
            raise UserError("%s is %s, version %s; expected %s, version %d; make the dataset "
                            "anew with: python process_data.py"
                            % ((manifest_path,) + found + (FORMAT, FORMAT_VERSION)))
        expected = list(MODEL_CHANNELS), ANIMATION_FPS, SAMPLE_RATE_HZ
        if tuple(map(content.get, ("channels", "fps", "sample_rate_hz"))) != expected:
            raise UserError("%s has other channels or rates than this version of the project; "
                            "make the dataset anew with: python process_data.py" % manifest_path)
        self.subjects = content.get("subjects")
        if not isinstance(self.subjects, dict) or not all(
                map(_says_where, self.subjects.values())):
            raise UserError("%s is damaged: a subject's folder, frames, rows or mask are no such; "
                            "make the dataset anew with: python process_data.py" % manifest_path)
        self.channels = MODEL_CHANNELS

    def arrays(self, name):
        """The Arrays of a subject; UserError where its folder is missing or damaged."""
        record = self.subjects[name]
        whole = read_arrays(subject_path(self.path, record), record)
        first, end = record["rows"]
        if whole is None or len(whole.targets) < end:
            raise UserError("%s: the arrays of %s (%s) are missing or damaged; make them anew "
                            "with: python process_data.py" % (self.path, name, record["folder"]))
        return Arrays(whole.targets[first:end], whole.mask, whole.valid[first:end],
                      whole.audio[sample_of_frame(first):sample_of_frame(end)])


def read_dataset(path):
    """The Dataset that the folder `path` is or holds (in its subfolder `dataset`)."""
    return Dataset(find_dataset(path) or path)


def sample_of_frame(frame):
    """The first sample of an animation frame."""
    return int(frame) * SAMPLE_RATE_HZ // ANIMATION_FPS


def mask_of(record):
    """float32 [52]: 1 where a channel is learnt, 0 where the record says absent or still."""
    return np.array([0.0 if name in record["mask"] else 1.0 for name in MODEL_CHANNELS],
                    np.float32)


def natural_order(name):
    """A key for sorted() by which 2 comes before 10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part)
            for part in re.split(r"([0-9]+)", name) if part]


# ---- one recording's folder

def subject_path(dataset_path, record):
    """The folder that holds the arrays of a record."""
    return os.path.join(dataset_path, SUBJECTS_FOLDER, record["folder"])


def folder_name(name, key):
    """The folder of a recording: readable, safe whatever the name holds, and its own."""
    readable = re.sub(r"[^A-Za-z0-9._]", "_", name)[:60]
    return "%s-%s" % (readable, key[:KEY_DIGITS])


def folder_key(name, *parts):
    """Hex key of a folder made from `parts` (all that decides what is in it)."""
    text = json.dumps([FORMAT_VERSION, name] + list(parts), sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@contextlib.contextmanager
def new_folder(dataset_path, folder):
    """Yield a folder to write a recording's files to; it appears as `folder` at the block's end.

    On any error nothing is left of it. OSError becomes a UserError that names the dataset.
    """
    subjects_path = os.path.join(dataset_path, SUBJECTS_FOLDER)
    # With the computer's name: on a cluster two processes may have one number.
    aside = os.path.join(subjects_path, "%s%s-%d-%s" % (
        PART_PREFIX, platform.node(), os.getpid(), folder))
    make_folder(aside)
    try:
        yield aside
        try:
            os.rename(aside, os.path.join(subjects_path, folder))
        except OSError as error:
            # Made meanwhile by a process that outlived its run: it holds the same.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES) or (
                    read_record(dataset_path, folder) is None):
                raise
    except OSError as error:
        raise UserError("cannot write to %s: %s; free the space or choose another place"
                        % (dataset_path, error.strerror or error))
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_audio(folder, blocks):
    """Write `blocks` of int16 [n] to a folder; returns (samples memory-mapped, hex sha256)."""
    path = os.path.join(folder, "audio.npy")
    digest = hashlib.sha256()

    def counted():
        for block in blocks:
            digest.update(np.ascontiguousarray(block, "<i2").tobytes())
            yield block

    write_npy(path, counted(), "<i2")
    return read_npy(path, "<i2"), digest.hexdigest()


def write_labels(folder, targets, valid):
    """Write targets [frames, 52] and valid [frames]; returns the hex sha256 of both."""
    write_npy(os.path.join(folder, "targets.npy"), [targets], "<f4", (NUM_BLENDSHAPES,))
    write_npy(os.path.join(folder, "valid.npy"), [valid], "|b1")
    digest = hashlib.sha256(np.ascontiguousarray(targets, "<f4").tobytes())
    digest.update(np.ascontiguousarray(valid, "|b1").tobytes())
    return digest.hexdigest()


def write_record(folder, record):
    """Write a recording's record; it says folder, frames and all else the manifest is to say."""
    write_json(os.path.join(folder, RECORD_NAME), record)


def write_subject(dataset_path, folder, record, targets, valid, audio):
    """A whole recording at once, for data that is in memory already. Returns the full record."""
    with new_folder(dataset_path, folder) as aside:
        samples, audio_sha256 = write_audio(aside, [np.asarray(audio, np.int16)])
        labels_sha256 = write_labels(aside, targets, valid)
        record = collections.OrderedDict(record, folder=folder, audio_sha256=audio_sha256,
                                         targets_sha256=labels_sha256, rows=[0, len(targets)])
        write_record(aside, record)
    return record


def read_record(dataset_path, folder):
    """The record of a folder that is whole, else None."""
    path = os.path.join(dataset_path, SUBJECTS_FOLDER, folder)
    try:
        with open(os.path.join(path, RECORD_NAME), encoding="utf-8") as stream:
            record = json.load(stream, object_pairs_hook=collections.OrderedDict)
    except (OSError, ValueError, RecursionError):   # absent or cut short: as good as not made
        return None
    return record if _says_where(record) and read_arrays(path, record) is not None else None


def _says_where(record):
    """Whether a record has what its arrays are found and read by; the folder is one of the dataset.
    """
    if not isinstance(record, dict):
        return False
    folder, frames, rows, mask = map(record.get, ("folder", "frames", "rows", "mask"))
    return (isinstance(folder, str) and folder == os.path.basename(folder)
            and not folder.startswith(".") and "\0" not in folder and "\\" not in folder
            and isinstance(mask, dict) and isinstance(rows, list) and len(rows) == 2
            and all(type(number) is int for number in rows + [frames])
            and 0 <= rows[0] <= rows[1])


def read_arrays(path, record):
    """The whole Arrays in the folder `path`, or None where one is missing or of another size."""
    targets = read_npy(os.path.join(path, "targets.npy"), "<f4", (NUM_BLENDSHAPES,))
    valid = read_npy(os.path.join(path, "valid.npy"), "|b1")
    audio = read_npy(os.path.join(path, "audio.npy"), "<i2")
    if targets is None or valid is None or audio is None or len(targets) != len(valid):
        return None
    return Arrays(targets, mask_of(record), valid, audio)


# ---- the manifest

def write_manifest(dataset_path, subjects, processing_version):
    """Make `subjects` (OrderedDict {name: record}) the dataset. Returns whether that is news."""
    path = os.path.join(dataset_path, MANIFEST_NAME)
    content = collections.OrderedDict([
        ("format", FORMAT), ("format_version", FORMAT_VERSION), ("created_by", "process_data.py"),
        ("processing_version", processing_version), ("fps", ANIMATION_FPS),
        ("sample_rate_hz", SAMPLE_RATE_HZ),
        ("channels", list(MODEL_CHANNELS)), ("subjects", subjects)])
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    content = text.encode("utf-8", "backslashreplace")      # JSON's own form of what is no UTF-8
    if os.path.isfile(path):
        with open(path, "rb") as stream:
            if stream.read() == content:
                return False
    with written_aside(path) as aside, open(aside, "wb") as stream:
        stream.write(content)
    return True


def remove_leftovers(dataset_path, keep=()):
    """Remove the folders that neither the manifest nor `keep` names, and part-written files.

    Without a manifest and folders to keep, nothing of a dataset is left.
    """
    subjects_path = os.path.join(dataset_path, SUBJECTS_FOLDER)
    manifest_path = os.path.join(dataset_path, MANIFEST_NAME)
    wanted = set(keep)
    if os.path.isfile(manifest_path):
        wanted |= {record["folder"] for record in Dataset(dataset_path).subjects.values()}
    for name in os.listdir(subjects_path) if os.path.isdir(subjects_path) else []:
        if name not in wanted:
            _remove(os.path.join(subjects_path, name))
    for name in os.listdir(dataset_path) if os.path.isdir(dataset_path) else []:
        if name.startswith(PART_PREFIX):
            _remove(os.path.join(dataset_path, name))
    if os.path.isdir(subjects_path) and not os.listdir(subjects_path):
        os.rmdir(subjects_path)


def _remove(path):
    # A folder that Windows keeps since a training run has mapped it only takes space.
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.remove(path)


def only_writer(dataset_path):
    """Hold the dataset for writing, as a context; see folder_lock for what it raises."""
    return folder_lock(dataset_path, "process_data.py",
                       "wait for it, or choose another --dataset_path")
