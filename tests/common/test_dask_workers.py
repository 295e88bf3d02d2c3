"""utils/common/dask_workers.py: tasks on a real scheduler, and what befalls its workers."""
import os
import shutil
import signal
import sys
import threading
import time

import pytest

from tests.helpers.cluster import Cluster
from tests.helpers.paths import REPOSITORY
from utils.common.dask_workers import runner_on
from utils.common.errors import UserError
from utils.common.script_flags import scheduler as scheduler_flag
from utils.common.worker_processes import run_tasks


def task(report, number, folder):
    """Each kind of end; 3 kills its worker always, 4 only once."""
    with open(os.path.join(folder, "%d" % number), "a") as stream:
        stream.write("%d\n" % os.getpid())
    if number == 1:
        raise UserError("two\nlines")
    if number == 2:
        return [][0]
    if number == 3 or number == 4 and len(open(os.path.join(folder, "4")).readlines()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.1)
    return number * 10


def ends_of(events):
    return {event.number: (event.kind, event.value) for event in events
            if event.kind in ("done", "failed")}


def tries(folder):
    return {int(name): len((folder / name).read_text().split())
            for name in os.listdir(str(folder))}


def test_a_task_that_kills_its_worker_fails_alone(tmp_path):
    numbers = [0, 1, 2, 4, 5, 6, 3, 7, 8]
    tasks = [(number, str(tmp_path / "seen")) for number in numbers]
    (tmp_path / "seen").mkdir()
    with Cluster(tmp_path) as cluster:
        for _ in range(4):              # 3 takes two of them, 4 takes one
            cluster.add_worker()
        import dask
        with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
            events = list(runner_on(cluster.address, [__file__])(task, tasks, None))
    ends = {numbers[place]: end for place, end in ends_of(events).items()}
    assert {number: end for number, end in ends.items() if number not in (2, 3)} == {
        0: ("done", 0), 1: ("failed", "two lines"), 4: ("done", 40), 5: ("done", 50),
        6: ("done", 60), 7: ("done", 70), 8: ("done", 80)}
    assert ends[2][1].startswith("unexpected IndexError: list index out of range (test_dask_")
    assert ends[3][0] == "failed" and "is gone (killed" in ends[3][1]
    again = [numbers[event.number] for event in events if event.kind == "again"]
    assert sorted(again) == [3, 4]
    assert tries(tmp_path / "seen") == {
        number: 2 if number in (3, 4) else 1 for number in numbers}


def test_a_worker_of_another_version_takes_no_part(tmp_path, capsys):
    other = tmp_path / "other"
    for name in ("utils", "tests/common", "tests/helpers"):
        shutil.copytree(os.path.join(REPOSITORY, name), str(other / name))
    shutil.copy(os.path.join(REPOSITORY, "tests", "__init__.py"), str(other / "tests"))
    with open(str(other / "utils" / "batch" / "sounds.py"), "a") as stream:
        stream.write("# newer\n")
    (tmp_path / "seen").mkdir()
    tasks = [(number, str(tmp_path / "seen")) for number in (0, 5)]
    with Cluster(tmp_path) as cluster:
        cluster.add_worker(other)
        run = runner_on(cluster.address, [__file__])
        with pytest.raises(UserError, match="none of the 1 workers of tcp:.* can take part; the "
                                            "first: it runs another version of this program"):
            list(run(task, tasks, None))
        cluster.add_worker()
        # Dask's workers start in seconds; until then none fits.
        for _ in range(60):
            try:
                assert ends_of(run(task, tasks, None)) == {0: ("done", 0), 1: ("done", 50)}
                break
            except UserError:
                time.sleep(0.5)
    assert "takes no part: it runs another version" in capsys.readouterr().err
    assert tries(tmp_path / "seen") == {0: 1, 5: 1}


def test_a_worker_that_sees_other_files_or_no_program(tmp_path, monkeypatch):
    monkeypatch.setattr("utils.common.dask_workers.SEEN_WITHIN_S", 0.2)
    path = tmp_path / "sound.wav"
    path.write_bytes(b"12345")
    with Cluster(tmp_path) as cluster:
        cluster.add_worker(tmp_path)            # which holds no program
        with pytest.raises(UserError, match="cannot import this program .*PYTHONPATH"):
            list(runner_on(cluster.address, [str(path)])(task, [(0, str(tmp_path))], None))
    with Cluster(tmp_path) as cluster:
        cluster.add_worker()
        run = runner_on(cluster.address, [str(path)])
        events = run(task, [(0, str(tmp_path))], None)
        monkeypatch.setattr("os.path.getsize", lambda _: 6)        # here, not on the worker
        with pytest.raises(UserError, match="it does not see %s as this computer" % path):
            list(events)


def test_a_scheduler_that_goes_and_one_that_is_not_there(tmp_path):
    with Cluster(tmp_path) as cluster:
        import dask
        with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
            timer = threading.Timer(5.0, cluster.processes[0].kill)
            timer.start()
            # No worker ever comes, and then there is no scheduler.
            with pytest.raises(UserError, match="the scheduler tcp:.* is gone"):
                list(runner_on(cluster.address, [])(task, [(0, str(tmp_path))], None))
            timer.join()
            with pytest.raises(UserError, match="cannot reach the scheduler tcp:.*is it started"):
                list(runner_on(cluster.address, [])(task, [(0, str(tmp_path))], None))


def test_workers_of_this_computer_do_not_see_ctrl_c():
    """It reaches all processes of a terminal."""
    pytest.importorskip("distributed", reason="distributed is not installed "
                        "(pip install -r requirements-cluster.txt)")
    tasks = [("", number) for number in range(3)]
    events = list(runner_on("local", [__file__])(interrupted, tasks, 1, 2))
    assert ends_of(events) == {number: ("done", number) for number in range(3)}


def interrupted(report, folder, number):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
    return number


def test_without_distributed_the_error_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match="pip install -r requirements-cluster.txt"):
        list(runner_on("tcp://127.0.0.1:1", [])(task, [(0, "")], None))


@pytest.mark.parametrize("text", ["tcp://head", "head:8786", "Local", "http://head:80", ""])
def test_an_address_that_is_none(text):
    with pytest.raises(Exception, match="expected local, tcp://host:port"):
        scheduler_flag(text)
    assert scheduler_flag("tls://head.example.org:8786") and scheduler_flag("local")
