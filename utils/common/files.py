"""Files that are whole or absent: write aside, then rename. And their fingerprints."""
import contextlib
import errno
import hashlib
import json
import os

from utils.common.errors import UserError

try:
    import resource
except ImportError:                     # Windows has none, and no such limit
    resource = None

FILES_BESIDE = 256                      # that a process has open for all else


@contextlib.contextmanager
def written_aside(path):
    """Yield a name beside `path` to write to; it takes `path`'s place when the block ends well.

    The name keeps the extension, since some writers go by it. On any error the part-written
    file is removed and what stood at `path` before is untouched. OSError (no permission, disk
    full) becomes a UserError that names the path.
    """
    folder, name = os.path.split(os.path.abspath(path))
    aside = os.path.join(folder, ".part-%d-%s" % (os.getpid(), name))
    try:
        make_folder(folder)
        yield aside
        os.replace(aside, path)
    except OSError as error:
        raise UserError("cannot write %s: %s; free the space or choose another place"
                        % (path, error.strerror or error))
    finally:
        if os.path.exists(aside):
            os.remove(aside)


def make_folder(folder):
    """Make `folder` and its parents; UserError where that cannot be."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        why = ("a file of that name is in the way" if error.errno == errno.EEXIST
               else error.strerror)
        raise UserError("cannot make the folder %s: %s; choose another place" % (folder, why))


def write_json(path, content):
    """`content` as indented JSON, keys in the order given."""
    with written_aside(path) as aside, open(aside, "w", encoding="utf-8") as stream:
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
