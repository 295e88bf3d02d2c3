"""What SIGKILL at random moments leaves behind: of training, datasets, many sounds, exports.

    python -m tests.measure.kills
    python -m tests.measure.kills --kills 40 --what training --seed 7

Each program runs once undisturbed. Then it is started and killed, over and over, at moments that
are spread evenly over the time it takes: the process, all of its processes at once, or one worker
of it. After each kill every file that stands under its final name is read. A program that came to
its end, killed on the way or not, must have left what the undisturbed run left, to the bit, and
no file beside. What is wrong is printed, and the exit status is 1 then.
"""
import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

from tests.formats.golden_clip import golden_clip
from tests.helpers.datasets import put_subject
from tests.helpers.paths import REPOSITORY
from utils.batch.made_record import RECORD_NAME
from utils.common.channels import MODEL_CHANNELS
from utils.common.errors import UserError, run_script
from utils.common.files import sha256_of_file
from utils.common.folder_lock import LOCK_NAME
from utils.dataset.store import Dataset, find_dataset, write_manifest
from utils.formats.exporters import FORMATS
from utils.formats.face_files import read_face_rows
from utils.formats.npz import write_npz
from utils.media.audio import read_audio, write_wav
from utils.training.config import Config, read_config, write_config
from utils.training.feature_cache import read_cached

MOST_S = 300                            # of one undisturbed run; beyond it, it hangs
ORPHANS_END_S = 30                      # of the processes that a killed one had started
PAUSES_S = (0.0, 0.5)                   # before the next start: at once, or as a person does
CLIP_FRAMES = 6000                      # of exports: writing takes as long as all else
NOT_COMPARED = (LOCK_NAME, RECORD_NAME)         # they hold times and process numbers
EVENTS = "events.out.tfevents."         # logs: what a killed run has written of them stays

# Losses are logged every 20 steps: what is lost is seen to that.
SAVE_INTERVAL, SUBJECT_FRAMES, EPOCHS = 50, 160, 150


class Work(object):
    """A program to kill. `out`: the folder of all that it writes, in `folder`."""

    num_workers = 0
    num_turns = 1                       # commands that a work has, one after another
    goes_on = True                      # over many kills; else each is made good by a whole run

    def __init__(self, folder):
        self.folder = folder
        self.out = os.path.join(folder, "out")
        self.turn = 0
        self.lost = []                  # steps of training, each kill

    def command(self):
        """The flags of the run that starts, or goes on with, what is in `out`."""
        raise NotImplementedError()

    def check(self):
        """UserError where a file under its final name is not whole."""
        raise NotImplementedError()


class Training(Work):
    """A run on a small dataset: features, checkpoints, summaries."""

    def __init__(self, folder):
        super(Training, self).__init__(folder)
        dataset, subjects = os.path.join(folder, "dataset"), collections.OrderedDict()
        for seed, name in enumerate("abc"):
            subjects[name] = put_subject(dataset, name, SUBJECT_FRAMES, seed)[0]
        write_manifest(dataset, subjects, 1)
        self.config_path = os.path.join(folder, "training_config.cfg")
        write_config(self.config_path, Config(
            checkpoint_dir=self.out, training_data_path=dataset, subject_for_training=["a", "b"],
            subject_for_validation=["c"], batch_size=16, epoch_num=EPOCHS,
            checkpoint_interval=SAVE_INTERVAL, num_render_sequences=0,
            speech_encoder_size_factor=0.25))

    def command(self):
        return ["run_training.py", "--config", self.config_path] + (
            ["--resume"] if self._checkpoints() else [])

    def _checkpoints(self, *below):
        from utils.network.checkpoint import list_checkpoints
        return list_checkpoints(os.path.join(self.out, "checkpoints", *below))

    def check(self):
        from utils.network.checkpoint import read_checkpoint_info
        from utils.training.config import CONFIG_NAME
        saved = self._checkpoints()
        for _, prefix in saved + self._checkpoints("best"):
            if not all(np.isfinite(array).all() for array in variables(prefix).values()):
                raise UserError("%s has weights that are no numbers" % prefix)
            read_checkpoint_info(prefix)
        for name, path in files_below(os.path.join(self.out, "features")):
            if not name.startswith(".") and read_cached(path) is None:
                raise UserError("%s is not whole" % path)
        copy = os.path.join(self.out, "checkpoints", CONFIG_NAME)
        if os.path.exists(copy):
            read_config(copy)
        reached = last_step(os.path.join(self.out, "summaries", "train"))
        self.lost.append(reached - (saved[-1][0] if saved else 0))
        if self.lost[-1] > SAVE_INTERVAL:
            raise UserError("%d steps are lost, and they are saved each %d"
                            % (self.lost[-1], SAVE_INTERVAL))


class ProcessData(Work):
    """A dataset of four recordings in two processes, with its report."""

    num_workers = 2

    def __init__(self, folder):
        super(ProcessData, self).__init__(folder)
        self.media = os.path.join(folder, "media")
        for seed, name in enumerate(("a", "b", "c c", "d")):
            weights = np.random.RandomState(seed).randn(90 + 60 * seed, 52) * 0.02
            weights = np.clip(0.5 + np.cumsum(weights, axis=0), 0, 1).astype(np.float32)
            path = os.path.join(self.media, name)
            write_wav(path + ".wav", np.random.RandomState(seed).randn(
                len(weights) * 16000 // 30) * 0.1)
            write_npz(path + ".npz", weights, MODEL_CHANNELS, 30)

    def command(self):
        return ["process_data.py", "--training_data_path", self.media, "--dataset_path", self.out,
                "--processes", str(self.num_workers), "--report"]

    def check(self):
        if find_dataset(self.out):
            dataset = Dataset(self.out)
            for name, record in dataset.subjects.items():
                if len(dataset.arrays(name).targets) != record["frames"]:
                    raise UserError("%s: %s has not its frames" % (self.out, name))
        config_path = os.path.join(self.out, "training_config.cfg")
        if os.path.exists(config_path):
            read_config(config_path)
        report = os.path.join(self.out, "report.html")
        if os.path.exists(report):
            check_ending(report, b"</html>")


class ManySounds(Work):
    """Three short sounds to faces in two processes, with previews."""

    num_workers = 2

    def __init__(self, folder):
        super(ManySounds, self).__init__(folder)
        self.media = os.path.join(folder, "media")
        samples = read_audio(os.path.join(REPOSITORY, "audio", "test_sentence.wav"))
        for number, name in enumerate(("a", "b", "c")):
            write_wav(os.path.join(self.media, name + ".wav"),
                      samples[8000 * number:][:6000 + 4000 * number])

    def command(self):
        return ["run_voca.py", "--audio_fname", self.media, "--out_path", self.out, "--jobs",
                str(self.num_workers), "--formats", "csv,npz,json,glb", "--page"]

    def check(self):
        for name, path in files_below(self.out):
            if name.startswith(".") or name == RECORD_NAME:
                continue
            if name.endswith(".html"):
                check_ending(path, b"</html>")
            elif name.endswith(".mp4"):
                from utils.media.video import video_frames
                if not list(video_frames(path, refuse_damage)):
                    raise UserError("%s has no frames" % path)
            elif name.endswith((".csv", ".npz", ".json", ".glb")):
                read_face_rows(path, refuse_damage)


class Exports(Work):
    """A long clip as each format in turn, over what an earlier run wrote."""

    goes_on = False

    def __init__(self, folder):
        super(Exports, self).__init__(folder)
        self.clip = os.path.join(folder, "clip.npz")
        weights, names = golden_clip(CLIP_FRAMES)
        write_npz(self.clip, weights, names, 30)
        self.names = [name for name in FORMATS if name != "npz"]
        self.num_turns = len(self.names)

    def _name(self):
        return self.names[self.turn % len(self.names)]

    def _path(self):
        return os.path.join(self.out, FORMATS[self._name()].file_name)

    def command(self):
        return ["convert.py", self.clip, self._path(), "--to", self._name()]

    def check(self):
        if self._name() != "vrma_presets":      # which nothing here reads
            if len(read_face_rows(self._path(), lambda line: None).times_s) < CLIP_FRAMES - 1:
                raise UserError("%s is cut short" % self._path())


WORKS = collections.OrderedDict([("training", Training), ("dataset", ProcessData),
                                 ("batch", ManySounds), ("exports", Exports)])


# ---- what is read

def files_below(folder):
    """[(name, path)] of all files below a folder."""
    return sorted((name, os.path.join(place, name))
                  for place, _, names in os.walk(folder) for name in names)


def variables(prefix):
    from utils.network.checkpoint import load_variables, variable_shapes
    return load_variables(prefix, variable_shapes(prefix))


def last_step(folder):
    """The last step of the event files in a folder; a last event that is cut short is none."""
    from utils.common.quiet_tensorflow import tf
    step = 0
    for name, path in files_below(folder):
        try:
            for event in tf.train.summary_iterator(path):
                if event.HasField("summary"):
                    step = max(step, event.step)
        except tf.errors.DataLossError:
            pass
    return step


def check_ending(path, expected):
    with open(path, "rb") as stream:
        if not stream.read().rstrip().endswith(expected):
            raise UserError("%s is cut short" % path)


def refuse_damage(line):
    if "damaged" in line:
        raise UserError(line)


def contents(work):
    """{path below `out`: what its file holds} of all that a run promises to make alike."""
    found = {}
    for name, path in files_below(work.out):
        below = os.path.relpath(path, work.out)
        if name in NOT_COMPARED or name.startswith(EVENTS):
            continue
        if name.endswith((".index", ".model.json")):    # tables in an order of their own; versions
            found[below] = None
        elif name.endswith(".data-00000-of-00001"):
            found[below] = {key: array.tobytes() for key, array in sorted(variables(
                path[:-len(".data-00000-of-00001")]).items())}
        else:
            found[below] = sha256_of_file(path)
    return found


# ---- runs

def started(work, temporary):
    os.makedirs(temporary, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, os.path.join(REPOSITORY, work.command()[0])] + work.command()[1:],
        cwd=work.folder, env=dict(os.environ, TMPDIR=temporary), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


def ended(process):
    """What a run printed; UserError where it did not end well."""
    text = process.communicate(timeout=MOST_S)[0].decode("utf-8", "replace")
    if process.returncode:
        raise UserError("exit status %d: %s" % (process.returncode, text[-1500:]))
    return text


def kill(process, whom, chance):
    """SIGKILL to the process, to all of its session, or to one that it started."""
    if whom == "all":
        os.killpg(process.pid, signal.SIGKILL)
    elif whom == "worker":
        workers = children(process.pid)
        if workers:
            os.kill(chance.choice(workers), signal.SIGKILL)
            return
    os.kill(process.pid, signal.SIGKILL)


def children(pid):
    """Numbers of the processes that `pid` has started and that run Python; reads /proc."""
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as stream:
            return [int(word) for word in stream.read().split() if _is_worker(word)]
    except OSError:
        return []


def _is_worker(word):
    try:
        with open("/proc/%s/cmdline" % word, "rb") as stream:
            return b"spawn_main" in stream.read()
    except OSError:
        return False


def session_is_alive(number):
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


def kill_often(name, work, num_kills, chance, faults):
    """Kill the program num_kills times; a line of what was found."""
    temporary = os.path.join(work.folder, "tmp")
    expected, seconds = undisturbed(work, temporary)
    counts, sessions, num_whole = collections.Counter(), [], 0
    started_s = time.monotonic()
    to_kill = True
    while to_kill:
        to_kill = sum(counts.values()) < num_kills
        process = started(work, temporary)
        sessions.append(process.pid)
        try:
            output, _ = process.communicate(timeout=chance.uniform(0.0, 1.05) * seconds[
                work.turn % work.num_turns] if to_kill else MOST_S)
        except subprocess.TimeoutExpired:
            whom = chance.choice(["process", "all"] + (["worker"] if work.num_workers else []))
            kill(process, whom, chance)
            counts[whom] += 1
            output, _ = process.communicate(timeout=MOST_S)
        num_whole += is_whole(name, work, process, output, expected, faults)
        if not work.goes_on:
            process = started(work, temporary)
            output, _ = process.communicate(timeout=MOST_S)
            num_whole += is_whole(name, work, process, output, expected, faults)
            work.turn += 1
        time.sleep(chance.choice(PAUSES_S))
    deadline_s = time.monotonic() + ORPHANS_END_S
    while any(map(session_is_alive, sessions)) and time.monotonic() < deadline_s:
        time.sleep(0.2)
    for number in filter(session_is_alive, sessions):
        faults.append("%s: processes of a killed run go on (session %d)" % (name, number))
    return ("%-10s %5d %8d %6d %7d %9d %6s %11d %7.0f" % (
        name, sum(counts.values()), counts["process"], counts["all"], counts["worker"], num_whole,
        max(work.lost) if work.lost else "-", len(os.listdir(temporary)),
        time.monotonic() - started_s))


def undisturbed(work, temporary):
    """(contents, [seconds of each turn]) of runs that nobody kills."""
    seconds = []
    for work.turn in range(work.num_turns):
        start_s = time.monotonic()
        ended(started(work, temporary))
        seconds.append(time.monotonic() - start_s)
        work.check()
    made = contents(work)
    if work.goes_on:
        shutil.rmtree(work.out)
    return made, seconds


def is_whole(name, work, process, output, expected, faults):
    """Read what a run left, killed or not. Whether it came to its end; the next begins anew then.
    """
    came_to_end = process.returncode == 0
    try:
        work.check()
        if not came_to_end and process.returncode != -signal.SIGKILL:
            raise UserError("exit status %d: %s"
                            % (process.returncode, output.decode("utf-8", "replace")[-1500:]))
        if came_to_end:
            compare(contents(work), expected)
    except UserError as error:
        faults.append("%s: %s" % (name, error))
        came_to_end = True                      # begin anew: one fault is told once
    if came_to_end and work.goes_on:
        shutil.rmtree(work.out)
    return came_to_end


def compare(found, expected):
    """UserError naming the files that differ, lack, or were left beside."""
    beside, lack = sorted(set(found) - set(expected)), sorted(set(expected) - set(found))
    differ = [name for name in expected if name in found and found[name] != expected[name]]
    if beside or lack or differ:
        raise UserError("left beside: %s; lacking: %s; differing: %s" % (beside, lack, differ))


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="in all (%(default)s)")
    parser.add_argument("--what", choices=list(WORKS), nargs="+", default=list(WORKS),
                        help="(all)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (%(default)s)")
    return parser


def main():
    args = get_parser().parse_args()
    faults = []
    print("Python %d.%d, %d kills, seed %d" % (sys.version_info[:2] + (args.kills, args.seed)))
    print("%-10s %5s %8s %6s %7s %9s %6s %11s %7s" % (
        "program", "kills", "process", "all", "worker", "completed", "lost", "left in tmp",
        "s"), flush=True)
    for number, name in enumerate(args.what):
        share = args.kills * (number + 1) // len(args.what) - args.kills * number // len(args.what)
        with tempfile.TemporaryDirectory() as folder:
            print(kill_often(name, WORKS[name](folder), share,
                             random.Random("%s %d" % (name, args.seed)), faults), flush=True)
    for fault in faults:
        print("fault: %s" % " ".join(fault.split()))
    if faults:
        raise UserError("%d faults" % len(faults))


if __name__ == "__main__":
    run_script(main)
