"""How scripts end where the system fails them: full and read-only disks, signals, streams, names.

What process_data.py and run_training.py do of that alone stands with their tests.
"""
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.formats.golden_clip import golden_clip
from tests.helpers.disks import make_read_only, mounted
from tests.helpers.paths import REPOSITORY
from tests.helpers.scripts import run_process
from utils.common.channels import MODEL_CHANNELS
from utils.common.folder_lock import LOCK_NAME
from utils.formats.npz import write_npz
from utils.media.audio import read_audio, write_wav

pytestmark = pytest.mark.skipif(os.name == "nt", reason="these are Unix's ways to fail")

SCRIPTS = ("config_parser.py", "convert.py", "evaluate.py", "process_data.py", "run_live.py",
           "run_training.py", "run_voca.py", "view.py")
SOUND = os.path.join(REPOSITORY, "audio", "test_sentence.wav")
# Each script with what it writes; {out} is where. All but config_parser.py read `take`.
WRITERS = {
    "config": ("config_parser.py", "--config", "{out}/training_config.cfg"),
    "convert": ("convert.py", "{take}/take.npz", "{out}/face.glb"),
    "table": ("convert.py", "{take}/take.npz", "{out}/face.csv", "--to", "table"),  # slow to write
    "evaluate": ("evaluate.py", "--prediction", "{take}/take.npz", "--labels", "{take}/take.npz",
                 "--audio_fname", SOUND, "--html", "{out}/card.html"),
    "view": ("view.py", "{take}/take.npz", "--out", "{out}/take.html"),
    "voca": ("run_voca.py", "--audio_fname", SOUND, "--out_path", "{out}/a"),
    "batch": ("run_voca.py", "--audio_fname", "{take}", "--out_path", "{out}/many", "--jobs",
              "1", "--no_preview"),
    "dataset": ("process_data.py", "--training_data_path", "{take}", "--dataset_path",
                "{out}/dataset", "--processes", "1")}


@pytest.fixture(scope="module")
def take(tmp_path_factory):
    """A folder with a take and its sound."""
    folder = tmp_path_factory.mktemp("ends") / "take"
    folder.mkdir()
    write_wav(str(folder / "take.wav"), read_audio(SOUND)[:48000])
    weights = np.random.RandomState(0).randn(90, 52) * 0.02
    write_npz(str(folder / "take.npz"), np.clip(0.5 + np.cumsum(weights, axis=0), 0, 1),
              MODEL_CHANNELS, 30)
    return folder


def flags_of(name, take, out):
    return [part.format(take=take, out=out) for part in WRITERS[name]]


def files_below(folder):
    return sorted(os.path.relpath(os.path.join(place, name), str(folder))
                  for place, _, names in os.walk(str(folder)) for name in names)


def ends_in_a_line(result, words):
    status, out, err = result
    assert status == 1 and "Traceback" not in out + err, err
    assert any(word in err for word in words), err
    assert [line for line in err.splitlines() if line.startswith("error: ")], err


# ---- disks

@pytest.mark.parametrize("name", ["config", "convert", "evaluate", "batch"])
def test_a_full_disk_ends_in_a_line_and_leaves_no_part(tmp_path, take, name):
    """What is whole may stay, as the first ones of run_voca.py's files."""
    with mounted(tmp_path / "small", "size=64k") as small:
        with open(str(small / "filler"), "wb") as stream:
            stream.write(bytes((64 if name == "config" else 48) << 10))
        ends_in_a_line(run_process(*flags_of(name, take, small)),
                       ["No space left on device"])
        assert not [path for path in files_below(small) if ".part-" in path or LOCK_NAME in path]


@pytest.mark.parametrize("name", ["convert", "voca"])
def test_a_limit_of_file_sizes_is_as_a_full_disk(tmp_path, take, name):
    import resource
    result = run_process(*flags_of(name, take, tmp_path), preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, (50000, 50000)))
    ends_in_a_line(result, ["File too large"])
    assert not [path for path in files_below(tmp_path) if ".part-" in path]


@pytest.mark.parametrize("name", ["config", "convert", "batch"])
def test_a_read_only_disk(tmp_path, take, name):
    with mounted(tmp_path / "fixed", "size=64k") as fixed:
        make_read_only(fixed)
        ends_in_a_line(run_process(*flags_of(name, take, fixed)), ["Read-only file system"])


# ---- streams

@pytest.mark.parametrize("script", SCRIPTS)
def test_nobody_reads_what_is_printed(script):
    """`script | head -1`, whose reader is gone."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        process = subprocess.Popen([sys.executable, os.path.join(REPOSITORY, script), "--help"],
                                   stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert (process.communicate()[1], process.returncode) == (b"", 0)


def test_the_work_goes_on_where_nobody_reads(tmp_path, take):
    """Of stdout and of stderr, with workers and bars."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        status = subprocess.call(
            [sys.executable, os.path.join(REPOSITORY, "process_data.py")]
            + flags_of("dataset", take, tmp_path)[1:], stdout=writing, stderr=writing)
    finally:
        os.close(writing)
    assert status == 0 and (tmp_path / "dataset" / "dataset.json").is_file()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_what_is_printed_has_no_room(tmp_path, take):
    with open("/dev/full", "w") as full:
        process = subprocess.Popen(
            [sys.executable, os.path.join(REPOSITORY, "convert.py")]
            + flags_of("convert", take, tmp_path)[1:], stdout=full, stderr=subprocess.PIPE)
    err = process.communicate()[1].decode()
    assert process.returncode == 1 and (tmp_path / "face.glb").is_file()
    assert err == ("error: what this prints cannot be written: No space left on device; the rest "
                   "is done\n")


def test_closed_streams_are_no_files(tmp_path, take):
    """Else the first file that is opened would be what the script prints to."""
    def close():
        for descriptor in range(3):
            os.close(descriptor)
    expected = run_process(*flags_of("convert", take, tmp_path))
    content = (tmp_path / "face.glb").read_bytes()
    os.remove(str(tmp_path / "face.glb"))
    assert expected[0] == 0
    assert subprocess.call([sys.executable, os.path.join(REPOSITORY, "convert.py")]
                           + flags_of("convert", take, tmp_path)[1:], preexec_fn=close) == 0
    assert (tmp_path / "face.glb").read_bytes() == content


# The second one as Python 3.6 is there: names of files have letters that no file can hold.
ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
ASCII_ALL_OVER = dict(ASCII, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")


@pytest.mark.parametrize("name, terminal", [
    ("config", ASCII), ("convert", ASCII), ("dataset", ASCII), ("config", ASCII_ALL_OVER),
    ("convert", ASCII_ALL_OVER), ("view", ASCII_ALL_OVER), ("voca", ASCII_ALL_OVER)])
def test_a_terminal_without_utf8(tmp_path, take, name, terminal):
    """Names with letters that it lacks, in what is read, written and printed."""
    folder = tmp_path / u"\u58f0 \xfc"
    os.mkdir(str(folder))
    for path in os.listdir(str(take)):
        content = (take / path).read_bytes()
        (folder / path.replace("take", u"t\xe4ke")).write_bytes(content)
    flags = [flag.replace("take.", u"t\xe4ke.") for flag in flags_of(name, folder, folder / "out")]
    status, out, err = run_process(*flags, environment=terminal)
    assert status == 0 and "Traceback" not in err, err
    out_files = files_below(folder / "out")
    assert out_files and (name == "config" or "?" in out)
    missing = run_process(*[flag.replace(u"t\xe4ke.", u"\u58f0.").replace(SOUND, u"\u58f0.wav")
                            for flag in flags], environment=terminal)
    if name not in ("config", "dataset"):
        ends_in_a_line(missing, ["?"])


def test_a_name_that_is_no_utf8(tmp_path, take):
    """Latin-1's, say, from an old disk: it is read and written, and the page has a "?" for it."""
    folder = os.path.join(os.fsencode(str(tmp_path)), b"b\xff")
    os.mkdir(folder)
    for name in ("take.npz", "take.wav"):
        with open(os.path.join(folder, b"\xe4" + name.encode()), "wb") as stream:
            stream.write((take / name).read_bytes())
    place = os.fsdecode(folder)
    path = os.path.join(place, os.fsdecode(b"\xe4take.npz"))
    for flags in (("convert.py", path, os.path.join(place, os.fsdecode(b"\xff.glb"))),
                  ("view.py", path), ("config_parser.py", "--config", place + "/x.cfg")):
        status, out, err = run_process(*flags)
        assert status == 0, err
    os.rename(path, os.path.join(place, "a.npz"))
    os.rename(path.replace(".npz", ".wav"), os.path.join(place, "a.wav"))
    status, out, err = run_process("process_data.py", "--training_data_path", place)
    assert status == 0, err
    status, out, err = run_process("process_data.py", "--training_data_path", place)
    assert status == 0 and "edited" not in out, err
    with open(os.path.join(place, "dataset", "training_config.cfg"), "rb") as stream:
        assert folder + b"/dataset/training\n" in stream.read()


# ---- the working folder

@pytest.mark.parametrize("script", SCRIPTS)
def test_a_working_folder_that_is_gone(tmp_path, script):
    place = tmp_path / "place"
    place.mkdir()
    status, out, err = run_process(script, "--help", folder=place,
                                   preexec_fn=lambda: os.rmdir(str(place)))
    assert (status, out) == (1, "")
    # On Python 3.7 numpy starts a shell, which complains, too.
    said = [line for line in err.splitlines() if not line.startswith("sh: ")]
    assert said == ["error: the folder that you are in is gone; cd to one that is there"]


GOES_AWAY = """
import os, sys
from utils.common.errors import run_script
from utils.common.files import write_json
def main():
    os.rmdir(os.getcwd())
    write_json("a.json", {})
run_script(main)
"""


def test_a_working_folder_that_goes_meanwhile(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    process = subprocess.Popen([sys.executable, "-c", GOES_AWAY], cwd=str(place),
                               env=dict(os.environ, PYTHONPATH=REPOSITORY), stderr=subprocess.PIPE)
    err = process.communicate()[1].decode()
    assert process.returncode == 1
    assert err == "error: the folder that you are in is gone; cd to one that is there\n"


# ---- signals

def wait_until(seen, process):
    deadline_s = time.monotonic() + 90
    while not seen():
        assert process.poll() is None and time.monotonic() < deadline_s, process.communicate()
        time.sleep(0.002)


def by_default():
    """Where this runs in the background, Ctrl-C is ignored; under nohup, a closed terminal is."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def running(name, take, out, by_default=by_default):
    """The process, in a session of its own, once it writes aside."""
    process = subprocess.Popen(
        [sys.executable, os.path.join(REPOSITORY, WRITERS[name][0])]
        + flags_of(name, take, out)[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, preexec_fn=by_default)
    wait_until(lambda: any(".part-" in path for path in files_below(out)), process)
    return process


def session_is_gone(number):
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        try:
            os.killpg(number, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("name, number, status", [
    ("table", signal.SIGTERM, 143), ("table", signal.SIGHUP, 129), ("table", signal.SIGINT, 130),
    ("voca", signal.SIGTERM, 143), ("batch", signal.SIGTERM, 143),
    ("dataset", signal.SIGTERM, 143), ("dataset", signal.SIGINT, 130)])
def test_a_signal_ends_a_script_cleaned_up(tmp_path, take, name, number, status):
    """A part-written file goes, what was there stays, and no process is left."""
    long = tmp_path / "long"
    long.mkdir()
    weights, names = golden_clip(30000 if name == "table" else 900)
    write_npz(str(long / "take.npz"), weights, names, 30)
    write_wav(str(long / "take.wav"), np.random.RandomState(0).randn(480000) * 0.1)
    out = tmp_path / "out"
    out.mkdir()
    (out / "face.csv").write_text("old")
    process = running(name, long, out)
    process.send_signal(number)
    printed, complained = [text.decode() for text in process.communicate(timeout=60)]
    assert process.returncode == status and "Traceback" not in complained, complained
    left = files_below(out)
    assert not [path for path in left if ".part-" in path or LOCK_NAME in path], left
    assert (out / "face.csv").read_text() == "old"
    assert session_is_gone(process.pid)


def test_nohup_holds(tmp_path, take):
    long = tmp_path / "long"
    long.mkdir()
    write_npz(str(long / "take.npz"), *(golden_clip(30000) + (30,)))
    out = tmp_path / "out"
    out.mkdir()
    process = running("table", long, out,
                      lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == 0 and os.listdir(str(out)) == ["face.csv"]
    process.stdout.close()
    process.stderr.close()


# ---- two at a time, and clocks

def test_two_runs_write_one_file(tmp_path, take):
    """The last one wins; the file is whole, and is as that of one run."""
    flags = flags_of("convert", take, tmp_path)
    assert run_process(*flags)[0] == 0
    content = (tmp_path / "face.glb").read_bytes()
    processes = [subprocess.Popen([sys.executable, os.path.join(REPOSITORY, flags[0])] + flags[1:],
                                  stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert (tmp_path / "face.glb").read_bytes() == content
    assert os.listdir(str(tmp_path)) == ["face.glb"]


BACKWARDS = """
import time
_start_s, _calls = time.time(), [0]
def _time():
    _calls[0] += 1
    return _start_s - 100.0 * _calls[0]
time.time = _time
"""


@pytest.mark.parametrize("name", ["convert", "dataset"])
def test_a_clock_that_goes_backwards(tmp_path, take, name):
    """It is put back by 100 s each time that it is asked; the files are as ever."""
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(BACKWARDS)
    (tmp_path / "out").mkdir()
    status, out, err = run_process(*flags_of(name, take, tmp_path / "out"), environment={
        "PYTHONPATH": str(tmp_path / "clock")})
    assert status == 0 and "Traceback" not in err and "-1" not in out, (out, err)
    assert not [path for path in files_below(tmp_path / "out") if ".part-" in path]
