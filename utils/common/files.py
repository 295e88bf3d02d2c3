"""Files that are whole or absent: write aside, then rename. And their fingerprints."""
import contextlib
import errno
import hashlib
import json
import os
import platform
import re
import time
import zlib

from utils.common.errors import UserError

try:
    import resource
except ImportError:                     # Windows has none, and no such limit
    resource = None

FILES_BESIDE = 256                      # that a process has open for all else
ABANDONED_S = 3600                      # a part-written file this old has no writer any more

# Process numbers are this computer's own, and a folder may be shared with others.
_COMPUTER = "%08x" % (zlib.crc32(platform.node().encode("utf-8", "replace")) & 0xffffffff)
_PART = re.compile(r"\.part-(\d+)-([0-9a-f]{8})-.")
_cleared = set()                        # folders that this process has cleared of such files


@contextlib.contextmanager
def written_aside(path):
    """Yield a name beside `path` to write to; it takes `path`'s place when the block ends well.

    The name keeps the extension, since some writers go by it. On any error the part-written
    file is removed and what stood at `path` before is untouched. What killed processes left so in
    the folder goes, too. OSError (no permission, disk full) becomes a UserError that names the
    path.
    """
    folder, name = os.path.split(os.path.abspath(path))
    aside = os.path.join(folder, ".part-%d-%s-%s" % (os.getpid(), _COMPUTER, name))
    try:
        make_folder(folder)
        _remove_abandoned(folder)
        yield aside
        os.replace(aside, path)
    except OSError as error:
        raise UserError("cannot write %s: %s; free the space or choose another place"
                        % (path, error.strerror or error))
    finally:
        if os.path.exists(aside):
            os.remove(aside)


def _remove_abandoned(folder):
    """Remove, once a process, the part-written files of processes that are gone."""
    if folder in _cleared:
        return
    _cleared.add(folder)
    try:
        names = os.listdir(folder)
    except OSError:                     # one that may be written to and not be read
        return
    for name in names:
        part = _PART.match(name)
        if part:
            with contextlib.suppress(OSError):      # gone already, or Windows has it open
                path = os.path.join(folder, name)
                if (part.group(2) == _COMPUTER and not process_is_alive(int(part.group(1)))
                        or time.time() - os.path.getmtime(path) > ABANDONED_S):
                    os.remove(path)


def process_is_alive(pid):
    """Whether a process of this number runs on this computer; on Windows always True."""
    if os.name == "nt":                             # there os.kill would end the process
        return True
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError) as error:
        return getattr(error, "errno", None) == errno.EPERM         # another user's
    return True


def make_folder(folder):
    """Make `folder` and its parents; UserError where that cannot be."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        why = ("a file of that name is in the way" if error.errno == errno.EEXIST
               else error.strerror)
        raise UserError("cannot make the folder %s: %s; choose another place" % (folder, why))


def path_in_utf8(path):
    """`path` as TensorFlow takes it, whatever the system's locale; UserError if it is no UTF-8."""
    try:
        return os.fsencode(path).decode("utf-8")
    except UnicodeDecodeError:
        raise UserError("the path %s is no UTF-8, and TensorFlow takes no other; rename the folder "
                        "or the file, or use another place" % path)


def write_json(path, content):
    """`content` as indented JSON, keys in the order given."""
    # Of a path that is no UTF-8, backslashreplace makes what JSON has for such letters.
    with written_aside(path) as aside, open(
            aside, "w", encoding="utf-8", errors="backslashreplace") as stream:
        json.dump(content, stream, indent=1, ensure_ascii=False)
        stream.write("\n")


def sha256_of_file(path):
    """Hex sha256 of a file's bytes, read in blocks."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _most_maps():
    """How many memory maps Linux lets a process have; None where no such limit is told."""
    try:
        with open("/proc/sys/vm/max_map_count") as stream:
            return int(stream.read())
    except (OSError, ValueError):
        return None


def allow_open_files(count):
    """Let this process hold `count` files, each memory map being one, as far as the system lets.

    UserError where it does not.
    """
    num_maps = _most_maps()
    if num_maps is not None and count + FILES_BESIDE > num_maps:
        raise UserError("%d memory maps are needed and the system lets a process have %d; raise "
                        "that (sysctl vm.max_map_count), join recordings, or take fewer subjects"
                        % (count, num_maps))
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + FILES_BESIDE
    if soft == resource.RLIM_INFINITY or wanted <= soft:
        return
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise UserError("%d memory maps are needed and the system lets a process have %d open "
                        "files; raise that (ulimit -n), or take fewer subjects" % (count, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def check_num_bytes(path, most):
    """UserError for a file of more than `most` bytes; OSError as os.stat."""
    num_bytes = os.stat(path).st_size
    if num_bytes > most:
        raise UserError("%s has %d bytes; at most %d are read: cut it" % (path, num_bytes, most))


def folder_and_stem(media_path):
    folder, name = os.path.split(media_path)
    return folder or os.curdir, os.path.splitext(name)[0]
