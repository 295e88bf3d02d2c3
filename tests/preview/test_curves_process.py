"""utils/preview/curves_process.py: the same picture, and errors that are told."""
import numpy as np
import pytest

from utils.common.channels import MODEL_CHANNELS
from utils.common.errors import UserError
from utils.preview.curve_pictures import write_curves_png
from utils.preview.curves_process import CurvesProcess

WEIGHTS = np.random.RandomState(0).rand(40, 52).astype(np.float32)


def test_the_picture_is_that_of_the_function(tmp_path):
    arguments = WEIGHTS, MODEL_CHANNELS, 30, np.linspace(0.0, 1.0, 40)
    with CurvesProcess() as curves:
        curves.begin(str(tmp_path / "a.png"), *arguments)
        curves.finish()
    write_curves_png(str(tmp_path / "b.png"), *arguments)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_what_is_wrong_is_told(tmp_path):
    (tmp_path / "out").write_text("in the way")
    with CurvesProcess() as curves:
        curves.begin(str(tmp_path / "out" / "a.png"), WEIGHTS, MODEL_CHANNELS, 30)
        with pytest.raises(UserError, match="^cannot make the folder .* in the way"):
            curves.finish()
    with CurvesProcess() as curves:
        curves._process.kill()
        curves._process.wait()
        curves.begin(str(tmp_path / "a.png"), WEIGHTS, MODEL_CHANNELS, 30)
        with pytest.raises(UserError, match="ended with status -9; run it again"):
            curves.finish()
    with CurvesProcess() as curves:                 # a run that fails before: it ends
        pass
    assert curves._process.poll() is not None
