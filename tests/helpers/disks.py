"""Small and read-only disks, for tests of what happens when nothing can be written."""
import contextlib
import subprocess

import pytest


@contextlib.contextmanager
def mounted(folder, options):
    """A tmpfs at `folder`; skips where mounting is not allowed."""
    folder.mkdir()
    try:
        done = subprocess.Popen(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
                                stderr=subprocess.PIPE)
    except OSError:
        pytest.skip("there is no mount here")
    why = done.communicate()[1].decode("utf-8", "replace").strip()
    if done.returncode:
        pytest.skip("mounting a tmpfs is not allowed here: %s" % why)
    try:
        yield folder
    finally:
        subprocess.check_call(["umount", str(folder)])


def make_read_only(folder):
    """Of one that `mounted` gave."""
    subprocess.check_call(["mount", "-o", "remount,ro", str(folder)])
