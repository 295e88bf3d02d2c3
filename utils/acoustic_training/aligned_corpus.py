"""A corpus of many speakers aligned by several processes, held-out speakers in a folder apart."""
import collections
import os

from utils.acoustic_training.aligner import LEAST_S, Aligner, write_aligned
from utils.acoustic_training.recorded_speech import ENGLISH, Recording
from utils.common.constants import SAMPLE_RATE_HZ
from utils.common.errors import UserError, print_warning
from utils.common.files import make_folder, written_aside
from utils.common.worker_processes import run_tasks
from utils.media.audio import read_audio, write_wav

HELD_OUT_FOLDER = "held_out"
_ALIGNERS = []                      # of this process


def align_corpus(spoken, out_folder, num_processes=1):
    """Write wav and times of each Spoken to `out_folder`, of held-out speakers to HELD_OUT_FOLDER.

    What stands there is not made again. Of held-out speakers NAME.txt holds what is said, also
    where it cannot be aligned: errors are counted on all of it. Prints how many were aligned.

    Raises UserError where nothing could be.
    """
    make_folder(os.path.join(out_folder, HELD_OUT_FOLDER))
    of_files = collections.OrderedDict()
    for one in spoken:
        of_files.setdefault((one.speaker, one.path), []).append(one)
    tasks = [(group, out_folder) for group in of_files.values()]
    num_aligned, seconds = 0, 0.0
    for number, event in enumerate(run_tasks(_align_file, tasks, num_processes), 1):
        if event.kind == "failed":
            print_warning("%s left out: %s" % (tasks[event.number][0][0].path, event.value))
        else:
            num_aligned, seconds = num_aligned + event.value[0], seconds + event.value[1]
        if number % 100 == 0:
            print("%d of %d files, %.1f minutes" % (number, len(tasks), seconds / 60.0),
                  flush=True)
    if not num_aligned:
        raise UserError("none of %d utterances could be aligned" % len(spoken))
    print("%d of %d utterances aligned, %.1f minutes; in %s; %d speakers are held out, in %s" % (
        num_aligned, len(spoken), seconds / 60.0, out_folder,
        len({one.speaker for one in spoken if one.held_out}), HELD_OUT_FOLDER))


def _align_file(_, group, out_folder):
    """(how many are aligned, their seconds) of the utterances in one file."""
    wanted = [one for one in group if not os.path.isfile(_path_of(one, out_folder) + ".csv")]
    num_aligned, seconds = len(group) - len(wanted), 0.0
    if not wanted:
        return num_aligned, seconds
    if not _ALIGNERS:
        _ALIGNERS.append(Aligner())
    samples = read_audio(wanted[0].path)
    for one in wanted:
        first, last = (None if time_s is None else int(round(time_s * SAMPLE_RATE_HZ))
                       for time_s in (one.start_s, one.end_s))
        part, path = samples[first:last], _path_of(one, out_folder)
        if len(part) < LEAST_S * SAMPLE_RATE_HZ:
            continue
        if one.held_out:
            write_wav(path + ".wav", part)
            write_text(path + ".txt", one.text)
        length_s = write_aligned(Recording(one.name, part, one.text, ENGLISH), _ALIGNERS[0],
                                 os.path.dirname(path))
        num_aligned, seconds = num_aligned + (length_s > 0), seconds + length_s
    return num_aligned, seconds


def write_text(path, text):
    """What is said, for held_out.held_out_speech."""
    with written_aside(path) as aside, open(aside, "w", encoding="utf-8") as stream:
        stream.write(text + "\n")


def _path_of(one, out_folder):
    """Path without an extension."""
    return os.path.join(out_folder, HELD_OUT_FOLDER if one.held_out else "", one.name)
