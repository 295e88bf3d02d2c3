"""utils/common/quiet_tensorflow.py: a prepared call, by the private way and without."""
import types

import numpy as np
import pytest

from utils.common.quiet_tensorflow import prepared_call, tf


@pytest.mark.parametrize("has_private_call", [True, False])
def test_a_prepared_call_runs_its_target_and_gives_its_fetches(has_private_call):
    with tf.Graph().as_default(), tf.Session() as session:
        first, second = tf.placeholder(tf.float32, [2]), tf.placeholder(tf.float32, [])
        counter = tf.get_variable("counter", [], initializer=tf.zeros_initializer())
        total, product = tf.reduce_sum(first), tf.reduce_sum(first) * second
        step = tf.assign_add(counter, 1.0).op
        session.run(tf.global_variables_initializer())
        runner = session if has_private_call else types.SimpleNamespace(run=session.run)
        call = prepared_call(runner, [first, second], [total, product], step)
        found = call(np.float32([1.0, 2.0]), np.float32(4.0))
        assert [float(value) for value in found] == [3.0, 12.0]
        assert session.run(counter) == 1.0
