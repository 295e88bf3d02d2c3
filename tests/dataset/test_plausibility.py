"""utils/dataset/plausibility.py: the range of weights that no reader of a face file has judged."""
import numpy as np
import pytest

from utils.common.errors import UserError
from utils.dataset.plausibility import check_weights


@pytest.mark.parametrize("largest, refused", [(1.4, None), (2.0, False), (58.0, True),
                                              (-2.0, False), (-7.0, True)])
def test_weights_far_beyond_full_scale(largest, refused):
    weights = np.zeros((90, 5))
    weights[:, 3] = np.linspace(0, largest, 90)
    told, warnings = "the weights reach %.4g where 1 is full scale" % abs(largest), []
    if refused:
        with pytest.raises(UserError, match="log.txt: %s.*, or take it by --force" % told):
            check_weights(weights, np.ones(90, bool), "log.txt", False, warnings.append)
        assert warnings == []
    check_weights(weights, np.ones(90, bool), "log.txt", bool(refused), warnings.append)
    assert [told in warning for warning in warnings] == ([] if refused is None else [True])


def test_a_single_slip_of_the_capture_is_no_unit():
    weights, warnings = np.zeros((300, 5)), []
    weights[40, 2] = 58.0
    check_weights(weights, np.ones(300, bool), "log.txt", False, warnings.append)
    assert "the weights reach 58 where" in warnings[0]
    del warnings[:]
    check_weights(weights, np.arange(300) != 40, "log.txt", False, warnings.append)
    assert warnings == []
