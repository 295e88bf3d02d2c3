"""Which sounds a folder or a pattern means, and the folder of each one's files."""
import collections
import glob
import os
import unicodedata

from utils.animation.audio_file import PREVIEW_NAME, SOUND_NAME
from utils.batch.made_record import RECORD_NAME
from utils.common.errors import UserError
from utils.dataset.recordings import MEDIA_EXTENSIONS

# path: the sound's. name: the path below the folder that was named. out_path: folder of its files.
Sound = collections.namedtuple("Sound", "path name out_path")


def means_many(text):
    """Whether --audio_fname is a folder or a pattern ('*.wav'), not the path of one file."""
    return os.path.isdir(text) or (glob.has_magic(text) and not os.path.lexists(text))


def find_sounds(text, out_root, warn):
    """The Sounds of a folder and its subfolders, or of a pattern, sorted by name.

    Left out: hidden files, and what was made here: files below out_root, and of folders with our
    record the preview and the sound. A pattern takes any file where it ends in an extension, else
    sounds and videos by theirs.

    The files of FOLDER/sub/a.wav go to out_root/sub/a. Where several sounds would go to one
    folder (a.wav, a.mp3), each of them goes to one of its full name (sub/a.wav, sub/a.mp3).

    warn: called with a line on a folder that cannot be read.
    Raises UserError where there is no sound.
    """
    if os.path.isdir(text):
        base, paths = text, _of_folder(text, warn)
        what = "no sound and no video (%s)" % " ".join(MEDIA_EXTENSIONS)
    else:
        base, paths = _fixed_part(text), _of_pattern(text)
        what = "no file that fits"
    names = sorted(os.path.relpath(path, base) for path in paths
                   if not _was_made(path, base, out_root))
    if not names:
        raise UserError("%s: there is %s; give a file, a folder with sounds or a pattern in quotes"
                        % (text, what))
    return [Sound(os.path.join(base, name) if base != os.curdir else name, name,
                  os.path.join(out_root, folder))
            for name, folder in zip(names, folders_of(names))]


def folders_of(names):
    """A folder for each of the sorted relative paths `names`; no two are one on any disk."""
    stems = [os.path.splitext(name)[0] for name in names]
    count = collections.Counter(map(_on_any_disk, stems))
    taken, folders = set(), []
    for name, stem in zip(names, stems):
        wanted = folder = stem if count[_on_any_disk(stem)] == 1 else name
        number = 1
        while _on_any_disk(folder) in taken:
            number += 1
            folder = "%s-%d" % (wanted, number)
        taken.add(_on_any_disk(folder))
        folders.append(folder)
    return folders


def _was_made(path, base, out_root):
    """Whether the file at `path` is no sound of the user's but one of ours."""
    folder, name = os.path.split(path)
    if name in (PREVIEW_NAME, SOUND_NAME) and os.path.isfile(os.path.join(folder, RECORD_NAME)):
        return True
    return _is_below(out_root, base) and _is_below(path, out_root)


def _is_below(path, folder):
    return os.path.realpath(path).startswith(os.path.join(os.path.realpath(folder), ""))


def _on_any_disk(name):
    """What is the same of two names that some disk takes for one: case, and composed letters."""
    return unicodedata.normalize("NFC", name).casefold()


def _of_folder(folder, warn):
    seen = set()

    def told(error):
        warn("cannot read the folder %s: %s; its sounds are left out"
             % (error.filename, error.strerror))

    for place, folders, files in os.walk(folder, onerror=told, followlinks=True):
        if os.path.realpath(place) in seen:             # a link that leads in a circle
            del folders[:]
            continue
        seen.add(os.path.realpath(place))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if name.lower().endswith(MEDIA_EXTENSIONS) and not name.startswith("."):
                yield os.path.join(place, name)


def _of_pattern(pattern):
    extension = os.path.splitext(pattern)[1]
    takes_any = extension and not glob.has_magic(extension)
    for path in set(glob.glob(pattern, recursive=True)):
        if os.path.isfile(path) and (takes_any or path.lower().endswith(MEDIA_EXTENSIONS)):
            yield path


def _fixed_part(pattern):
    """The folder that all files of a pattern lie in, or below."""
    folder = os.path.dirname(pattern)
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
    return folder or os.curdir
