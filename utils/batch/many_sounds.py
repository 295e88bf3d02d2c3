"""The sounds of a folder or a pattern, animated in processes that load network and graph once."""
import argparse
import collections
import contextlib
import io
import json
import os
import sys
import time

from tqdm import tqdm

from utils.animation.audio_file import OUT_ROOT
from utils.batch.made_record import (DONE, FILES, OTHER_SETTINGS, recorded, settings_of,
                                     state_of)
from utils.batch.one_sound import animate_sound, load_animator
from utils.batch.sounds import find_sounds
from utils.common.errors import UserError, print_warning
from utils.common.folder_lock import LOCK_NAME, folder_lock
from utils.common.worker_processes import NUM_TRIES, run_tasks

CORES_A_JOB = 2                     # network and graph share theirs among two at most
PATH_FLAGS = FILES + ("tf_model_fname", "ds_fname")     # flags that name a file or a folder

# said, warned: the lines that one sound had for stdout and stderr. unusable: why no sound at all
# can be animated, or None.
Outcome = collections.namedtuple("Outcome", "said warned unusable")

_loaded = {}                        # settings as JSON: the SpeechAnimator of this process


def animate_many(args):
    """Animate what args.audio_fname means, by run_voca.py's parsed flags; prints a line a sound.

    What is done already is left as it is. Raises UserError where no sound can be animated, and
    at the end, after all others, where some could not.
    """
    out_root = args.out_path or OUT_ROOT
    sounds = find_sounds(args.audio_fname, out_root, print_warning)
    settings = settings_of(args)
    started_s = time.monotonic()
    with folder_lock(out_root, "run_voca.py", "wait for it, or give another --out_path"):
        failures, states = collections.OrderedDict(), {}
        for sound in sounds:
            try:
                states[sound] = state_of(sound, settings)
            except UserError as error:
                failures[sound.name] = str(error)
        left = [OTHER_SETTINGS, DONE] if args.modified_only else [DONE]
        to_make = [sound for sound in sounds if states.get(sound, DONE) not in left]
        _print_kept(collections.Counter(states.values()), args.modified_only)
        _run(to_make, args, settings, out_root, failures)
    num_made = len(to_make) - sum(sound.name in failures for sound in to_make)
    print("%d of %d sounds made in %.1f s, %d failed; their folders are in %s"
          % (num_made, len(sounds), time.monotonic() - started_s, len(failures), out_root))
    for name, failure in failures.items():
        print("failed: %s: %s" % (name, failure), file=sys.stderr)
    if failures:
        raise UserError("%d of %d sounds failed; the others are written, and the same command "
                        "tries these again" % (len(failures), len(sounds)))


def _print_kept(num_of, modified_only):
    if num_of[DONE]:
        print("%d of the sounds are done: made before by the same settings" % num_of[DONE])
    if num_of[OTHER_SETTINGS]:
        print("%d of the sounds were made by other settings or another version: %s" % (
            num_of[OTHER_SETTINGS], "left as they are" if modified_only else "they are made again"))


def _run(sounds, args, settings, out_root, failures):
    """Animate the Sounds; a line each. `failures` gets {name: line} of those that fail."""
    # The longest first, so that no process is left alone with it at the end.
    sizes = {sound: _num_bytes(sound.path) for sound in sounds}
    order = sorted(sounds, key=lambda sound: -sizes[sound])
    run, tasks, num_jobs = _runner(args, order, settings, out_root)
    num_done = 0
    with tqdm(total=sum(sizes.values()), disable=None if sounds else True, leave=False,
              bar_format="{desc}: {percentage:.0f} %, {elapsed} gone, {remaining} left",
              desc="0 of %d sounds" % len(sounds)) as bar, contextlib.closing(
                  run(animate_one, tasks, num_jobs, NUM_TRIES)) as events:
        for number, kind, value in events:
            sound = order[number]
            if kind == "again":
                tqdm.write("warning: %s: %s; it is tried again" % (sound.name, value),
                           file=sys.stderr)
                continue
            if kind == "done" and value.unusable:
                raise UserError(value.unusable)
            num_done += 1
            told = "%*d/%d  %s" % (len(str(len(sounds))), num_done, len(sounds), sound.name)
            if kind == "failed":
                failures[sound.name] = value
                tqdm.write("%s failed" % told, file=sys.stdout)
            else:
                tqdm.write("\n".join(["%s -> %s" % (told, sound.out_path)] + value.said),
                           file=sys.stdout)
                for line in value.warned:
                    tqdm.write("%s: %s" % (sound.name, line), file=sys.stderr)
            bar.set_description_str("%d of %d sounds" % (num_done, len(sounds)), refresh=False)
            bar.update(sizes[sound])


def _runner(args, sounds, settings, out_root):
    """(a function as run_tasks, its tasks, how many of them at a time or None for all workers)."""
    num_jobs = args.jobs or max(1, (os.cpu_count() or 1) // CORES_A_JOB)
    if args.scheduler is None:
        return run_tasks, [(args, sound, settings) for sound in sounds], num_jobs
    from utils.common.dask_workers import LOCAL, runner_on      # reads all of this program
    named = {name: os.path.abspath(getattr(args, name)) for name in PATH_FLAGS
             if getattr(args, name) is not None}
    args_there = argparse.Namespace(**dict(vars(args), **named))
    tasks = [(args_there, sound._replace(path=os.path.abspath(sound.path),
                                         out_path=os.path.abspath(sound.out_path)), settings)
             for sound in sounds]
    # One sound of each folder, and what this run writes into its own.
    to_see = {os.path.dirname(sound.path): sound.path for sound in sounds}
    run = runner_on(args.scheduler,
                    [os.path.join(out_root, LOCK_NAME)] + sorted(to_see.values()))
    return run, tasks, num_jobs if args.scheduler == LOCAL else args.jobs


def _num_bytes(path):
    """Of a file, 1 at least, by which the work is shared out and the time left is told."""
    try:
        return max(1, os.path.getsize(path))
    except OSError:                     # its process says what is wrong
        return 1


def animate_one(_, args, sound, settings):
    """Of run_tasks: the files of one Sound, with their record; an Outcome."""
    said, warned = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(warned):
        # A worker of a cluster outlives a run, and the next one may have another checkpoint.
        key = json.dumps(settings, sort_keys=True)
        if key not in _loaded:
            _loaded.clear()
            try:
                _loaded[key] = load_animator(args)
            except UserError as error:
                return Outcome([], [], str(error))
        with recorded(sound, settings) as files:
            files += animate_sound(args, sound.path, sound.out_path, lambda _: _loaded[key])
    return Outcome(said.getvalue().splitlines(), warned.getvalue().splitlines(), None)
