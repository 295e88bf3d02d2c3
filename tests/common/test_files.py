"""Files are whole or absent, whoever dies, and what the dead leave is removed."""
import os
import subprocess
import sys

import pytest

from tests.helpers.paths import REPOSITORY
from utils.common import files
from utils.common.errors import UserError

DIES = """
import os, signal, sys
from utils.common.files import written_aside
with written_aside(sys.argv[1]) as aside, open(aside, "w") as stream:
    stream.write("half")
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def nothing_cleared(monkeypatch):
    monkeypatch.setattr(files, "_cleared", set())


def write(path, text):
    with files.written_aside(str(path)) as aside, open(aside, "w") as stream:
        stream.write(text)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_writer_leaves_the_old_file_and_the_next_one_clears_up(tmp_path):
    write(tmp_path / "a.csv", "old")
    assert subprocess.call([sys.executable, "-c", DIES, str(tmp_path / "a.csv")],
                           cwd=REPOSITORY) == -9
    assert (tmp_path / "a.csv").read_text() == "old" and len(os.listdir(str(tmp_path))) == 2
    files._cleared.clear()
    write(tmp_path / "b.csv", "new")        # another file: it may be that nobody writes a.csv again
    assert sorted(os.listdir(str(tmp_path))) == ["a.csv", "b.csv"]


def test_parts_of_the_living_of_other_computers_and_of_others_stay(tmp_path):
    kept = [".part-%d-%s-a.csv" % (os.getppid(), files._COMPUTER),
            ".part-4194304-%s-a.csv" % ("0" * 8 if files._COMPUTER != "0" * 8 else "1" * 8),
            ".part-1-a.csv", ".part-notes", "a-.part-4194304-%s-a" % files._COMPUTER]
    gone = [".part-4194304-%s-a.csv" % files._COMPUTER,     # above the largest process number
            ".part-99999999999999999999-%s-a.csv" % files._COMPUTER,
            ".part-1-%s-old.csv" % ("2" * 8)]
    for name in kept + gone:
        (tmp_path / name).write_text("x")
    os.utime(str(tmp_path / gone[-1]), (0, 0))
    if os.name == "nt":
        kept, gone = kept + gone[:2], gone[2:]
    os.mkdir(str(tmp_path / (".part-4194304-%s-folder" % files._COMPUTER)))
    write(tmp_path / "a.csv", "new")
    assert set(kept) < set(os.listdir(str(tmp_path)))
    assert not set(gone) & set(os.listdir(str(tmp_path)))


def test_json_of_a_path_that_is_no_utf8(tmp_path):
    import json
    path, name = str(tmp_path / "a.json"), os.fsdecode(b"b\xff")
    files.write_json(path, {"sound": name, "other": u"\u58f0"})
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    assert json.loads(text) == {"sound": name, "other": u"\u58f0"} and u"\u58f0" in text


def test_a_path_for_tensorflow():
    assert files.path_in_utf8(u"a/\u58f0") == u"a/\u58f0"
    with pytest.raises(UserError, match="is no UTF-8"):
        files.path_in_utf8(os.fsdecode(b"b\xff"))


def test_more_maps_than_linux_lets_a_process_have(monkeypatch):
    monkeypatch.setattr(files, "_most_maps", lambda: 1000)
    files.allow_open_files(100)
    with pytest.raises(UserError, match="800 memory maps are needed .* have 1000; raise that "
                                        r"\(sysctl vm.max_map_count\)"):
        files.allow_open_files(800)
    monkeypatch.setattr(files, "_most_maps", lambda: None)
    files.allow_open_files(800)
