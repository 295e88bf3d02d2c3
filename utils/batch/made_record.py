"""The record beside a sound's files: what they were made of, so that nothing is made twice.

It is written twice. The first one, before any file, says that the files are not whole yet; the
second one, after all of them, says which they are. So a run that was killed is never taken for
one that ended, whatever an earlier run had left there.
"""
import contextlib
import glob
import json
import os

from utils.common.errors import UserError
from utils.common.files import sha256_of_file, write_json
from utils.common.folder_lock import LOCK_NAME, folder_lock
from utils.common.program import sha256_of_program
from utils.formats.gltf import DEFAULT_AVATAR

RECORD_NAME = "made_from.json"
NEW, DONE, OTHER_SETTINGS = "new", "done", "other settings"
# Flags that decide on no file.
NO_SETTINGS = ("audio_fname", "out_path", "jobs", "modified_only", "scheduler")
FILES = ("avatar", "neutral", "merge")                                  # flags that name one


def settings_of(args):
    """All that decides on the files but the sound: flags, files they name, this program. JSON-able.

    Files are told by their sha256, a checkpoint by that of its index, which has the sums of its
    weights, and of its record. Raises UserError for a file that cannot be read.
    """
    settings = {name: value for name, value in vars(args).items() if name not in NO_SETTINGS}
    settings["avatar"] = args.avatar or DEFAULT_AVATAR
    for name in FILES:
        if settings[name] is not None:
            settings[name] = _sha256(settings[name])
    if os.path.isfile(args.ds_fname):                   # else whoever loads it says what is wrong
        settings["ds_fname"] = _sha256(args.ds_fname)
    settings["tf_model_fname"] = {os.path.basename(path): _sha256(path)
                                  for path in _checkpoint_files(args.tf_model_fname)}
    settings["program"] = sha256_of_program()
    return json.loads(json.dumps(settings))             # tuples are lists, as they are read back


def state_of(sound, settings):
    """NEW, DONE or OTHER_SETTINGS: what `sound`'s folder holds.

    DONE: files that are whole, of this very sound (its path, size and time of change) and these
    settings. Raises UserError where the folder holds the files of another sound.
    """
    try:
        with open(os.path.join(sound.out_path, RECORD_NAME), encoding="utf-8") as stream:
            record = json.load(stream)
        files = [os.path.join(sound.out_path, str(name)) for name in record["files"]]
        earlier_path, earlier = str(record["sound"]), (record["bytes"], record["changed_ns"])
        earlier_settings = record["settings"]
        # Python 3.7 and before raise here for what cannot be a path.
        is_of_another = (os.path.exists(earlier_path)
                         and not _is_same_file(earlier_path, sound.path))
        are_there = bool(files) and all(map(os.path.isfile, files))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # none, or none of ours
        return NEW
    if is_of_another:
        raise UserError("%s holds the files of %s; give another --out_path"
                        % (sound.out_path, earlier_path))
    if not are_there or earlier != _stamp(sound.path):
        return NEW
    return DONE if earlier_settings == settings else OTHER_SETTINGS


@contextlib.contextmanager
def recorded(sound, settings):
    """Yield a list for the paths of the files that the block writes; it ends in a record of them.

    What a killed run left half-written in the folder is removed first. Where the block fails
    and has written nothing, the folder is as it was, but for the record of what was there.
    Raises UserError where another process is at this very sound: a worker of a cluster, say,
    whose run was stopped.
    """
    had_folder = os.path.isdir(sound.out_path)
    try:
        with folder_lock(sound.out_path, "run_voca.py",
                         "wait for it, or give another --out_path"):
            files, path = [], os.path.join(sound.out_path, RECORD_NAME)
            num_bytes, changed_ns = _stamp(sound.path)      # before the sound is read
            record = {"sound": os.path.abspath(sound.path), "bytes": num_bytes,
                      "changed_ns": changed_ns, "settings": settings, "files": []}
            # Under this lock nobody writes here: another computer's parts go, too, at once.
            for aside in glob.glob(os.path.join(glob.escape(sound.out_path), ".part-*")):
                os.remove(aside)
            write_json(path, record)
            try:
                yield files
            except BaseException:
                if set(os.listdir(sound.out_path)) <= {RECORD_NAME, LOCK_NAME}:
                    os.remove(path)
                raise
            write_json(path, dict(record, files=[os.path.basename(name) for name in files]))
    except BaseException:
        if not had_folder and not os.path.isdir(sound.out_path):
            with contextlib.suppress(OSError):
                os.removedirs(os.path.dirname(sound.out_path))
        raise


def _is_same_file(path, other):
    try:
        return os.path.samefile(path, other)
    except OSError:                                     # one is gone
        return False


def _stamp(path):
    """(bytes, time of change in ns) of a file; (None, None) where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None, None
    return found.st_size, found.st_mtime_ns


def _checkpoint_files(path):
    """The small files of what --tf_model_fname names: a folder, a prefix or a file of one."""
    prefix = path if os.path.isdir(path) else os.path.splitext(path)[0]
    if os.path.isdir(path):
        found = os.path.join(glob.escape(path), "*.")
    else:
        found = glob.escape(path if os.path.isfile(path + ".index") else prefix) + "."
    return sorted(glob.glob(found + "index") + glob.glob(found + "json"))


def _sha256(path):
    try:
        return sha256_of_file(path)
    except OSError as error:
        raise UserError("cannot read %s: %s; check the path" % (path, error.strerror))
