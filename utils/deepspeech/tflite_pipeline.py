"""A .tflite cut in three, so that a recording's runs take two cores.

Layers 1 to 3 need the sound alone, and layers 5 and 6 what the LSTM has given: one core does
both, a run ahead and a run behind, while another does the LSTM, step by step. The operators are
the file's own on the same rows, so no bit changes; a trial says so.

Known is how TensorFlow 1.15's converter writes a DeepSpeech 0.5.0 graph. A file that is built in
another way is left as it is, without a word.
"""
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from utils.common.tflite_file import STRIDED_SLICE, operators, part_of, places_for
from utils.deepspeech.tflite_single_step import function_of, stacked_steps

TRIAL_RUNS = 3


def three_parts(content, num_steps, contexts, state, probabilities, new_state):
    """[(bytes of a .tflite, tensor numbers of its inputs, of its outputs)] of layers 1 to 3, of
    the LSTM and of layers 5 and 6; None where the file is not built so.

    Args: as of utils.deepspeech.tflite_single_step.single_step_file.
    """
    plan = operators(content)
    stacked = stacked_steps(plan, num_steps, new_state[1])
    rows = {read[0] for code, _, read, _ in plan if code == STRIDED_SLICE}
    if stacked is None or len(rows) != 1:           # the steps are cut from one tensor
        return None
    rows, all_hidden = rows.pop(), stacked[1]
    parts = []
    for inputs, outputs in (([contexts], [rows]),
                            ([rows] + list(state), [all_hidden] + list(new_state)),
                            ([all_hidden], [probabilities])):
        kept = places_for(plan, outputs, inputs)
        made = {number for place in kept for number in plan[place][3]}
        read = {number for place in kept for number in plan[place][2]}
        # Each part must do without what the others are given.
        if not made.issuperset(outputs) or read & ({contexts} | set(state)) - set(inputs):
            return None
        parts.append((part_of(content, kept, {}, inputs, outputs), inputs, outputs))
    return parts


def pipeline_function(interpreter_of, content, num_steps, contexts, state, probabilities,
                      new_state, run):
    """A function([k * num_steps, 19, 26], (c, h)) -> (probabilities [k * num_steps, 29], (c, h));
    or None.

    Args:
      interpreter_of: makes an interpreter of bytes.
      run: the file's own run of num_steps steps, for the trial; it has the same signature.
      The others: see three_parts.
    """
    parts = three_parts(content, num_steps, contexts, state, probabilities, new_state)
    if parts is None:
        return None
    try:
        interpreters = [interpreter_of(part) for part, _, _ in parts]
        for interpreter in interpreters:
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError):
        return None
    layers_before, lstm, layers_behind = [
        function_of(interpreter, inputs, outputs)
        for interpreter, (_, inputs, outputs) in zip(interpreters, parts)]
    shapes = [[int(size) for size in detail["shape"]]
              for interpreter in interpreters[:2] for detail in interpreter.get_input_details()]
    steps_shape, state_shapes = shapes[0][1:], shapes[2:]       # [16, 19, 26], [1, width] twice
    other_core = ThreadPoolExecutor(1)

    def run_pipeline(steps, state):
        runs = steps.reshape((-1, 1, num_steps) + steps.shape[1:])
        ready, results = other_core.submit(layers_before, runs[0]), []
        for following in list(runs[1:]) + [None]:
            rows, = ready.result()
            if following is not None:
                ready = other_core.submit(layers_before, following)
            hidden, new_c, new_h = lstm(rows, *state)
            state = new_c, new_h
            results.append(other_core.submit(layers_behind, hidden))
        return np.concatenate([result.result()[0].reshape(num_steps, -1)
                               for result in results]), state

    return run_pipeline if _agree(run_pipeline, run, steps_shape, state_shapes) else None


def _agree(run_pipeline, run, steps_shape, state_shapes):
    """Whether both functions give the same, and the same state, to the last bit."""
    random = np.random.RandomState(0)
    steps = random.randn(TRIAL_RUNS * steps_shape[0], *steps_shape[1:]).astype(np.float32)
    state = tuple(random.randn(*shape).astype(np.float32) for shape in state_shapes)
    found, found_state = run_pipeline(steps, state)
    expected = []
    for one in np.split(steps, TRIAL_RUNS):
        rows, state = run(one, state)
        expected.append(rows)
    return (np.array_equal(found, np.concatenate(expected))
            and all(map(np.array_equal, found_state, state)))
