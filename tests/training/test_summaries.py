"""TensorBoard: the event files by its own reader, and the scalars by its own server."""
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.helpers.training_runs import small_config, start
from utils.common.errors import UserError
from utils.network.losses import LOSS_NAMES
from utils.training.summaries import Summaries
from utils.training.validation import SCORECARD_MEASURES

# small_subjects have no sound, so that no silence is known
SCORECARD_TAGS = {"scorecard/" + name for name in SCORECARD_MEASURES if name != "silence_leak"}
REGION_TAGS = {"%s_error_validation" % name for name in ("jaw", "lips", "eyes", "brows")}


def tags_of(collection, ending):
    return {"%s_%s" % (name, ending) for name in LOSS_NAMES + ("learning_rate",)}


def read_scalars(folder):
    """{tag: [(step, value)]} of the event files in `folder`."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run of 20 epochs of 15 steps, with pictures, killed and resumed half-way."""
    folder = tmp_path_factory.mktemp("run")
    start(small_config(folder, epoch_num=10, learning_rate=5e-3)).run()
    start(small_config(folder, epoch_num=20, learning_rate=5e-3, num_render_sequences=2,
                       checkpoint_interval=100), resume=True).run()
    return folder


def test_published_tags_and_region_errors(run_folder):
    train = read_scalars(run_folder / "summaries" / "train")
    validation = read_scalars(run_folder / "summaries" / "validation")
    assert set(train) == tags_of("train", "training")
    assert set(validation) == (tags_of("validation", "validation") | REGION_TAGS
                               | SCORECARD_TAGS)
    steps = [step for step, _ in train["loss_training"]]
    assert steps == [1] + list(range(20, 301, 20))
    assert [step for step, _ in validation["loss_validation"]] == [0, 150, 255, 300]
    assert validation["loss_validation"][-1][1] < validation["loss_validation"][0][1]
    opening_r = validation["scorecard/opening_r"]
    # at the start the face stands still and correlates with nothing
    assert [step for step, _ in opening_r] == [150, 255, 300] and 0.8 < opening_r[-1][1] <= 1.0
    assert [value for _, value in train["learning_rate_training"]] == [pytest.approx(5e-3)] * 16
    # the terms make up the loss
    for index in (0, -1):
        parts = [train[name + "_training"][index][1] for name in LOSS_NAMES[1:]]
        assert train["loss_training"][index][1] == pytest.approx(sum(parts), rel=1e-5)


def test_pictures_of_curves(run_folder):
    events = EventAccumulator(str(run_folder / "summaries" / "validation"))
    events.Reload()
    assert events.Tags()["images"] == ["curves_1_11.mp4", "curves_2_11.mp4"]
    last = events.Images("curves_1_11.mp4")[-1]
    picture = cv2.imdecode(np.frombuffer(last.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert last.step == 300 and picture.shape == (last.height, last.width, 3)
    assert picture.std() > 5                                # something is drawn


def test_a_killed_sessions_later_steps_are_dropped(tmp_path):
    """It wrote to step 80, its last checkpoint was of step 40: the curve has each step once."""
    losses = dict.fromkeys(LOSS_NAMES, 1.0)
    killed = Summaries(str(tmp_path))
    for step in (20, 40, 60, 80):
        killed.add_losses("train", step, losses, 1e-3)
    killed.close()
    resumed = Summaries(str(tmp_path), 40)
    for step in (60, 80, 100):
        resumed.add_losses("train", step, dict.fromkeys(LOSS_NAMES, 2.0), 1e-3)
    resumed.close()
    assert read_scalars(tmp_path / "train")["loss_training"] == [
        (20, 1.0), (40, 1.0), (60, 2.0), (80, 2.0), (100, 2.0)]


def test_colours_and_size_of_a_picture_survive(tmp_path):
    picture = np.zeros([4, 6, 3], np.uint8)
    picture[:, :, 0] = 200                                  # red
    summaries = Summaries(str(tmp_path))
    summaries.add_picture(7, "p", picture)
    summaries.close()
    events = EventAccumulator(str(tmp_path / "validation"))
    events.Reload()
    coded, = events.Images("p")
    assert (coded.step, coded.width, coded.height) == (7, 6, 4)
    decoded = cv2.imdecode(np.frombuffer(coded.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded[:, :, ::-1], picture)


def test_full_disk_is_one_line(tmp_path):
    resource = pytest.importorskip("resource")
    summaries = Summaries(str(tmp_path))
    noise = np.random.RandomState(0).randint(0, 255, [100, 100, 3]).astype(np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10000, before[1]))
    try:
        with pytest.raises(UserError, match="cannot write the summaries in .*: File too large"):
            summaries.add_picture(1, "noise", noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get_json(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read().decode("utf-8"))


def test_tensorboard_serves_the_scalars(run_folder, tmp_path):
    """`tensorboard --logdir=... --port ...` for real, asked over HTTP."""
    port = free_port()
    url = "http://127.0.0.1:%d/data/plugin/scalars/" % port
    output = open(str(tmp_path / "output"), "w+")
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir=%s%s" % (
            run_folder / "summaries", os.sep), "--port", str(port), "--host", "127.0.0.1"],
        stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        tags, deadline = {}, time.time() + 90
        while time.time() < deadline and set(tags) != {"train", "validation"}:
            assert server.poll() is None, open(str(tmp_path / "output")).read()
            try:
                tags = {run: set(of_run) for run, of_run in get_json(url + "tags").items()
                        if REGION_TAGS <= set(of_run) or "loss_training" in of_run}
            except (urllib.error.URLError, OSError):
                pass                                        # not up yet
            time.sleep(0.2)
        assert tags == {"train": tags_of("train", "training"),
                        "validation": (tags_of("validation", "validation") | REGION_TAGS
                                       | SCORECARD_TAGS)}
        points = get_json(url + "scalars?run=validation&tag=loss_validation")
        assert [step for _, step, _ in points] == [0, 150, 255, 300]
    finally:
        server.kill()
        server.wait()
        output.close()
