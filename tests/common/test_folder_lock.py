"""The lock on a folder: who holds it is said, the dead hold nothing, nothing is left behind."""
import json
import os
import platform
import subprocess
import sys

import pytest

from tests.helpers.paths import REPOSITORY
from utils.common import folder_lock as locks
from utils.common.errors import UserError
from utils.common.folder_lock import LOCK_NAME, folder_lock
fcntl = pytest.importorskip("fcntl", reason="the locks are tried by means of Unix's")

HOLDER = """
import sys
from tests.common.test_folder_lock import modules_of
from utils.common import folder_lock as locks
locks.fcntl, locks.msvcrt = modules_of(sys.argv[2])
with locks.folder_lock(sys.argv[1], "first.py", "wait"):
    print("held", flush=True)
    sys.stdin.read()
"""


class WindowsLock(object):
    """Windows' module, by the lock of Unix."""
    LK_NBLCK = 2

    @staticmethod
    def locking(handle, mode, num_bytes):
        assert (mode, num_bytes) == (WindowsLock.LK_NBLCK, 1)
        assert os.lseek(handle, 0, os.SEEK_CUR) == locks.LOCKED_BYTE
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def modules_of(kind):
    """(fcntl, msvcrt) as folder_lock finds them on a system of this kind."""
    return {"unix": (fcntl, None), "windows": (None, WindowsLock), "neither": (None, None)}[kind]


@pytest.fixture(params=["unix", "windows", "neither"])
def system_lock(request, monkeypatch):
    """Unix's lock, Windows's, and what is done where there is none (some network drives)."""
    for name, module in zip(("fcntl", "msvcrt"), modules_of(request.param)):
        monkeypatch.setattr(locks, name, module)
    return request.param


def holding_process(folder, system_lock):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, folder, system_lock],
                               cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               universal_newlines=True)
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_holds_the_folder(tmp_path, system_lock):
    folder = str(tmp_path / "run")
    process = holding_process(folder, system_lock)
    try:
        with pytest.raises(UserError) as refusal:
            with folder_lock(folder, "second.py", "set another folder"):
                pytest.fail("two hold one folder")
        message = str(refusal.value)
        holder = "first.py (process %d on %s, since 20" % (process.pid, platform.node())
        for part in (folder, holder, "; set another folder"):
            assert part in message
        assert "\n" not in message
    finally:
        process.communicate("")
    assert process.returncode == 0 and not os.path.exists(folder)
    with folder_lock(folder, "second.py", "wait"):
        pass


def test_a_killed_process_holds_nothing(tmp_path, system_lock):
    folder = str(tmp_path / "run")
    process = holding_process(folder, system_lock)
    process.kill()
    process.communicate()
    assert LOCK_NAME in os.listdir(folder)
    with folder_lock(folder, "second.py", "wait"):
        with open(os.path.join(folder, LOCK_NAME)) as stream:
            assert json.load(stream)["pid"] == os.getpid()
    assert os.listdir(folder) == []                 # it was there before: it stays


@pytest.mark.parametrize("text", ["", "not json", "{}", '{"pid": "x"}',
    '{"pid": 1e999, "program": "a", "host": "h", "since": "s"}', '{"pid": 1'])
def test_a_damaged_lock_file_holds_nothing(tmp_path, system_lock, text):
    (tmp_path / LOCK_NAME).write_text(text)
    with folder_lock(str(tmp_path), "a.py", "wait"):
        pass


def test_one_process_cannot_hold_a_folder_twice(tmp_path, system_lock):
    folder = str(tmp_path / "run")
    with folder_lock(folder, "a.py", "wait"):
        with pytest.raises(UserError, match="a.py .process %d" % os.getpid()):
            with folder_lock(os.path.join(folder, os.curdir), "b.py", "wait"):
                pass
        assert LOCK_NAME in os.listdir(folder)      # the refused one took nothing away


def test_an_error_inside_releases_the_folder_and_keeps_what_is_in_it(tmp_path, system_lock):
    folder = tmp_path / "run"
    with pytest.raises(KeyError):
        with folder_lock(str(folder), "a.py", "wait"):
            (folder / "kept").write_text("x")
            raise KeyError()
    assert os.listdir(str(folder)) == ["kept"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0,
                    reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(UserError, match="cannot write to the folder .*; choose another"):
        with folder_lock(str(tmp_path), "a.py", "choose another"):
            pass
