"""A folder of videos and captures in, one dataset out: the pipeline behind process_data.py."""
import collections
import concurrent.futures
import os
import sys
import unicodedata

import numpy as np
from tqdm import tqdm

from utils.common.constants import ANIMATION_FPS
from utils.common.errors import UserError
from utils.common.files import sha256_of_file
from utils.common.folder_lock import LOCK_NAME
from utils.common.worker_processes import NUM_TRIES, run_tasks
from utils.dataset.label_kinds import PUBLISHED, TRACKER
from utils.dataset.label_sources import find_label_source, neutral_take_of
from utils.dataset.make_subject import (PROCESSING_VERSION, Source, neutral_source, options_record,
                                        process_recording)
from utils.dataset.published_files import INDEX_NAME, published_subjects
from utils.dataset.recordings import MEDIA_EXTENSIONS
from utils.dataset.store import (MANIFEST_NAME, Dataset, folder_key, folder_name, natural_order,
                                 only_writer, read_arrays, read_record, remove_leftovers,
                                 subject_path, write_manifest)
from utils.dataset.summary import Summary
from utils.formats.face_kinds import LIVE_LINK
from utils.media.audio import SOUND_EXTENSIONS, open_audio
from utils.media.video import VIDEO_EXTENSIONS
from utils.tracking.task_file import TASK_SHA256, TASK_SOURCE, read_task

HELD_OUT_SUFFIX = "_held_out"
# Not named where they lie beside recordings: what every such folder may hold.
TEXTS_AND_CODE = (".md", ".py", ".cfg", ".task", ".html", ".log")
DEFAULT_HOLD_OUT = 0.1                          # of the only subject there is
MIN_PART_FRAMES = ANIMATION_FPS                 # on either side of a cut
CUT_STEP_FRAMES = 3                             # so that a cut falls on a sample: 30 into 16000
PROBES_AT_ONCE = 4


def process_folder(folder, dataset_path, options, num_processes, hold_out=None, progress=True,
                   scheduler=None):
    """Make or renew the dataset of the recordings in `folder`.

    What is there already, made from the same files by the same options, is left as it is.
    A recording that fails keeps what an earlier run made of it, if one did.

    Args:
      options: utils.dataset.make_subject.Options.
      num_processes: recordings at a time; None with a scheduler's address: all its workers.
      hold_out: share of each subject's end that becomes the subject NAME_held_out; None: only
        where there is but one subject, DEFAULT_HOLD_OUT of it.
      progress: show a bar in seconds of media, on stderr.
      scheduler: Dask's, as utils.common.dask_workers takes it; None: processes of our own.
    Returns the Summary. Raises UserError where nothing can be processed at all; the dataset
    that was there before is then as it was.
    """
    with only_writer(dataset_path):
        before = _earlier(dataset_path)
        sources, failures, passed_over = find_sources(folder, options)
        recordings = collections.OrderedDict()
        to_make = []
        for source in sources:
            record = _complete(read_record(dataset_path, source.folder))
            if record is None:
                to_make.append(_with_track(source, before.get(source.name)))
            else:
                recordings[source.name] = record
        redone = []
        try:
            for source, record, failure in _run(to_make, options, dataset_path, num_processes,
                                                progress, scheduler):
                if failure is not None:
                    failures[source.name] = failure
                else:
                    recordings[source.name] = record
                    redone.append(source.name)
            kept = [name for name in failures if name in before]
            recordings.update((name, before[name]) for name in kept)
            if recordings:
                subjects = _with_held_out(dataset_path, recordings, hold_out)
                write_manifest(dataset_path, subjects, PROCESSING_VERSION)
        finally:
            # What was finished stays, for the next run, even if this one ends here.
            remove_leftovers(dataset_path, keep=[source.folder for source in sources])
        if not recordings:
            if len(failures) == 1:
                raise UserError("%s: %s" % list(failures.items())[0])
            raise UserError("none of the %d subjects could be used; the first, %s: %s"
                            % ((len(failures),) + list(failures.items())[0]))
        dropped = [name for name in before if name not in recordings]
        return Summary(subjects, redone, failures, dropped, passed_over)


# ---- what is in the folder

def find_sources(folder, options):
    """What can be made of a folder.

    Returns (list of Source in natural order, OrderedDict {name: why it is none}, list of the names
    of files that belong to no recording).
    """
    failures = collections.OrderedDict()
    found, media_paths = [], {}
    if options.labels == PUBLISHED:
        names, sound_path, labels_path = published_subjects(folder)
        found = [(name, sound_path, PUBLISHED, labels_path) for name in names]
    else:
        media_paths, failures = _media_of_folder(folder)
    for name, media_path in media_paths.items():
        try:
            kind, label_path = find_label_source(media_path, options.labels)
            found.append((name, media_path, kind, label_path))
        except UserError as error:
            failures[name] = str(error)
    shared = {"options": options_record(options), "version": PROCESSING_VERSION}
    neutral_kind = None
    if options.neutral_path:
        neutral_kind, path = neutral_source(options.neutral_path)
        shared["neutral_sha256"] = sha256_of_file(path)
    landmarker_sha256 = None
    if TRACKER in [kind for _, _, kind, _ in found] + [neutral_kind]:
        landmarker_sha256 = _landmarker_sha256(options.landmarker_path)
    sources = []
    for name, media_path, kind, label_path in found:
        try:
            media_sha256 = sha256_of_file(media_path)
            label_sha256 = (media_sha256 if label_path == media_path
                            else sha256_of_file(label_path))
            beside_path = _read_beside(kind, media_path, label_path)
            beside_sha256 = sha256_of_file(beside_path) if beside_path else None
        except OSError as error:
            failures[name] = "cannot read %s: %s" % (error.filename, error.strerror)
            continue
        key = folder_key(name, media_sha256, label_sha256, os.path.basename(label_path), kind,
                         beside_sha256,
                         landmarker_sha256 if TRACKER in (kind, neutral_kind) else None, shared)
        sources.append(Source(name, media_path, media_sha256, kind, label_path, label_sha256,
                              key, folder_name(name, key), landmarker_sha256, None))
    passed_over = _passed_over(folder, [source.label_path for source in sources]
                               ) if options.labels != PUBLISHED else []
    return sources, failures, passed_over


def _read_beside(kind, media_path, label_path):
    """The file that is read besides a recording's sound and labels, or None."""
    if kind == LIVE_LINK:
        return neutral_take_of(media_path)
    if kind == PUBLISHED:
        return os.path.join(os.path.dirname(label_path), INDEX_NAME)
    return None


def _media_of_folder(folder):
    """(OrderedDict {name: path}, OrderedDict {name: what is wrong with that name}), 2 before 10.

    Of the recordings in a folder.
    """
    if not os.path.isdir(folder):
        raise UserError("there is no folder %s (--training_data_path); put the videos there"
                        % folder)
    paths = collections.defaultdict(list)
    for entry in sorted(os.listdir(folder)):
        path = os.path.join(folder, entry)
        stem, extension = os.path.splitext(entry)
        if (extension.lower() in MEDIA_EXTENSIONS and os.path.isfile(path)
                and not stem.startswith(".")):
            paths[stem].append(path)
    if not paths:
        raise UserError("no video (%s) and no sound (%s) is in %s; put NAME.mp4 there"
                        % (" ".join(VIDEO_EXTENSIONS), " ".join(SOUND_EXTENSIONS), folder))
    media, failures = collections.OrderedDict(), collections.OrderedDict()
    for name in sorted(paths, key=natural_order):
        wrong = _wrong_with(name, paths[name])
        if wrong:
            failures[name] = wrong
        else:
            media[name] = paths[name][0]
    return media, failures


def _wrong_with(name, paths):
    """Why the recordings `paths` cannot be the subject `name` of a config, or None."""
    file_names = [os.path.basename(path) for path in paths]
    if len(paths) > 1:
        return ("%s would all be the subject %s; rename all but one of them, or take them out of "
                "the folder" % (", ".join(file_names), name))
    if name != name.strip():
        return ("%r begins or ends with a space, which a config does not keep; rename it"
                % file_names[0])
    if "," in name:
        return ("%s: a config separates the names of subjects by commas; rename it to have none"
                % file_names[0])
    if any(letter.isspace() and letter != " " or unicodedata.category(letter) in ("Cc", "Cs")
           for letter in name):
        return ("%r has a letter that a config does not keep (a tab, a line's end, a wide space or "
                "a broken one); rename it" % file_names[0])
    if name.endswith(HELD_OUT_SUFFIX):
        return ("%s: names with %s are those of held-out parts; rename it"
                % (file_names[0], HELD_OUT_SUFFIX))
    return None


def _passed_over(folder, label_paths):
    """Names of the files in a folder that are neither recordings nor labels of one."""
    stems, others = set(), []
    used = {os.path.normpath(path) for path in label_paths}
    for entry in sorted(os.listdir(folder), key=natural_order):
        stem, extension = os.path.splitext(entry)
        path = os.path.normpath(os.path.join(folder, entry))
        if extension.lower() in MEDIA_EXTENSIONS and os.path.isfile(path):
            stems.add(stem)
        elif (os.path.isfile(path) and not entry.startswith(".") and path not in used
              and extension.lower() not in TEXTS_AND_CODE):
            others.append(entry)
    # NAME_raw.csv beside NAME_cal.csv, a note on NAME: they belong to the recording NAME.
    return [entry for entry in others
            if not any(entry == stem or entry.startswith((stem + ".", stem + "_"))
                       for stem in stems)]


def _landmarker_sha256(path):
    if not os.path.isfile(path):
        raise UserError("videos without labels beside them need MediaPipe's model file, and "
                        "there is no %s; download it from %s (sha256 %s), or name another by "
                        "--face_landmarker_fname" % (path, TASK_SOURCE, TASK_SHA256))
    return read_task(path)[1]


def _earlier(dataset_path):
    """{name: whole record} of the recordings that the dataset has, held-out parts put back."""
    if not os.path.isfile(os.path.join(dataset_path, MANIFEST_NAME)):
        return {}
    before = collections.OrderedDict()
    for name, record in Dataset(dataset_path).subjects.items():
        whole = _complete(read_record(dataset_path, record["folder"]))
        if whole is not None:
            before[record.get("held_out_of", name)] = whole
    return before


def _complete(record):
    """`record`, or None where parts that every recording's has are missing, as of a damaged one."""
    kinds = collections.OrderedDict([
        ("labels", dict), ("media", dict), ("valid", dict), ("alignment", dict),
        ("warnings", list), ("duration_s", (int, float))])
    has_all = record is not None and all(
        isinstance(record.get(key), kind) for key, kind in kinds.items())
    return record if has_all else None


def _with_track(source, earlier):
    """`source`, told where an earlier run tracked the same video with the same model file."""
    if earlier is None or source.kind != TRACKER or earlier["labels"]["kind"] != TRACKER:
        return source
    model_sha256 = earlier["labels"]["notes"].get("landmarker_sha256")
    if (earlier["labels"]["sha256"], model_sha256) != (source.label_sha256,
                                                       source.landmarker_sha256):
        return source
    return source._replace(tracked_in=earlier["folder"])


# ---- the work

def _run(sources, options, dataset_path, num_processes, progress, scheduler):
    """Yield (source, record or None, failure or None) as recordings are done."""
    if not sources:
        return
    durations_s = _durations_s(sources)
    done_s = [0.0] * len(sources)
    run, tasks = _runner(sources, options, dataset_path, scheduler)
    # The longest first, so that no process is left alone with it at the end.
    order = sorted(range(len(sources)), key=lambda number: -durations_s[number])
    with tqdm(total=round(sum(durations_s), 1), unit="s", disable=not progress or None,
              desc="%d subjects" % len(sources),
              bar_format="{desc}: {n:.0f} of {total:.0f} s of media, {elapsed} gone, "
                         "{remaining} left") as bar:
        for event in run(process_recording, [tasks[number] for number in order], num_processes,
                         NUM_TRIES):
            number = order[event.number]
            if event.kind == "again":
                tqdm.write("warning: %s: %s; it is tried again"
                           % (sources[number].name, event.value), file=sys.stderr)
                continue
            now_s = (min(event.value, durations_s[number]) if event.kind == "progress"
                     else durations_s[number])
            bar.update(now_s - done_s[number])
            done_s[number] = now_s
            if event.kind == "done":
                yield sources[number], event.value, None
            elif event.kind == "failed":
                yield sources[number], None, event.value


def _runner(sources, options, dataset_path, scheduler):
    """(a function as run_tasks, its tasks)."""
    if scheduler is None:
        return run_tasks, [(source, options, dataset_path) for source in sources]
    from utils.common.dask_workers import runner_on             # reads all of this program
    options = options._replace(**{name: os.path.abspath(path) for name, path in (
        ("landmarker_path", options.landmarker_path), ("neutral_path", options.neutral_path))
                                  if path is not None})
    tasks = [(source._replace(media_path=os.path.abspath(source.media_path),
                              label_path=os.path.abspath(source.label_path)),
              options, os.path.abspath(dataset_path)) for source in sources]
    # A recording, and what this run writes into the dataset.
    return runner_on(scheduler, [sources[0].media_path, os.path.join(dataset_path, LOCK_NAME)]
                     ), tasks


def _durations_s(sources):
    """Seconds of each recording by its container's word; 0 where it says nothing."""
    def duration_s(source):
        try:
            # The recording's own process warns, too.
            return open_audio(source.media_path, lambda warning: None).duration_s or 0.0
        except UserError:
            return 0.0                  # the recording's own process says what is wrong with it
    with concurrent.futures.ThreadPoolExecutor(PROBES_AT_ONCE) as pool:
        return list(pool.map(duration_s, sources))


# ---- subjects of recordings

def _with_held_out(dataset_path, recordings, hold_out):
    """OrderedDict {subject: record}: the recordings, or their beginnings and their ends."""
    if hold_out is None and len(recordings) == 1:
        hold_out = DEFAULT_HOLD_OUT
    subjects = collections.OrderedDict()
    for name in sorted(recordings, key=natural_order):
        record = recordings[name]
        num_frames = record["frames"]
        num_held = max(int(round(num_frames * (hold_out or 0.0))), MIN_PART_FRAMES)
        cut = (num_frames - num_held) // CUT_STEP_FRAMES * CUT_STEP_FRAMES
        if not hold_out or cut < MIN_PART_FRAMES:
            subjects[name] = record
            continue
        valid = read_arrays(subject_path(dataset_path, record), record).valid
        subjects[name] = _part(record, valid, 0, cut)
        subjects[name + HELD_OUT_SUFFIX] = _part(record, valid, cut, num_frames)
        subjects[name + HELD_OUT_SUFFIX]["held_out_of"] = name
    return subjects


def _part(record, valid, first, end):
    part = collections.OrderedDict(record)
    part["rows"], part["frames"] = [first, end], end - first
    part["duration_s"] = round((end - first) / float(ANIMATION_FPS), 6)
    part["valid"] = dict(record["valid"], share=round(float(np.mean(valid[first:end])), 4))
    return part
