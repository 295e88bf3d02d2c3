"""A .tflite whose LSTM is unrolled over 16 steps, cut down to the first of them.

The file runs all its steps at once, and gives the state after the last. Live, one or two steps
come at a time: to run 16 for them is ten times the work. So the operators of the first step are
kept, and what the second step reads of the first is given out as the state. The operators are the
file's own, so the numbers are, too; a trial run says so.

Known is how TensorFlow 1.15's converter writes a DeepSpeech 0.5.0 graph. A file that is built in
another way is left as it is, without a word.
"""
import numpy as np

from utils.common.tflite_file import (CONCATENATION, MUL, TANH, operators, part_of,
                                       places_for)

TOLERANCE = 1e-6                # of probabilities; the state must have the same bits


def stacked_steps(plan, num_steps, last_hidden):
    """(tensor numbers of the LSTM's output at each step, that of all of them); or None.

    plan: of tflite_file.operators(); last_hidden: the number of the last.
    """
    stacked = [(hidden, written[0]) for code, _, hidden, written in plan
               if code == CONCATENATION and len(hidden) == num_steps and hidden[-1] == last_hidden]
    return stacked[0] if len(stacked) == 1 else None


def single_step_file(content, num_steps, contexts, state, probabilities, new_state):
    """(bytes of the .tflite cut down to one step, tensor numbers of its inputs and its outputs).

    Args:
      content: the bytes of the file, with num_steps steps.
      contexts, probabilities: tensor numbers; state, new_state: those of c and h.
    Returns:
      None where the file is not built so. Inputs: contexts, c, h; outputs: probabilities, c, h.
    """
    plan = operators(content)
    stacked = stacked_steps(plan, num_steps, new_state[1])
    if stacked is None:
        return None
    hidden, all_hidden = stacked
    maker = {number: place for place, operator in enumerate(plan) for number in operator[3]}

    def made_by(number, code):
        """What the operator reads that makes a tensor, if it is of that code; else nothing."""
        place = maker.get(number)
        return plan[place][2] if place is not None and plan[place][0] == code else ()

    def cell_of(hidden):
        """The c of a step's h = tanh(c) * gate."""
        for factor in made_by(hidden, MUL):
            for cell in made_by(factor, TANH):
                return cell
        return None

    new_c, new_h = cell_of(hidden[0]), hidden[0]
    if new_c is None or cell_of(hidden[-1]) != new_state[0]:
        return None
    renamed = {all_hidden: new_h}               # what follows reads the first step alone
    kept = places_for(plan, [probabilities, new_c, new_h], renamed=renamed)
    inputs, outputs = [contexts] + list(state), [probabilities, new_c, new_h]
    return part_of(content, kept, renamed, inputs, outputs), inputs, outputs


def single_step_function(interpreter_of, content, num_steps, contexts, state, probabilities,
                         new_state, run):
    """A function([n, 19, 26], (c, h)) -> (probabilities [n, 29], (c, h)) for any n; or None.

    Args:
      interpreter_of: makes an interpreter of bytes.
      run: the file's own run of num_steps steps, for the trial; it has the same signature.
      The others: see single_step_file.
    """
    cut = single_step_file(content, num_steps, contexts, state, probabilities, new_state)
    if cut is None:
        return None
    part, inputs, outputs = cut
    try:
        interpreter = interpreter_of(part)
        details = {detail["index"]: detail for detail in interpreter.get_input_details()}
        shape = [1, 1] + [int(size) for size in details[contexts]["shape"][2:]]     # of a step
        interpreter.resize_tensor_input(contexts, shape)
        interpreter.allocate_tensors()
    except (IndexError, KeyError, RuntimeError, ValueError):
        return None

    run_step = function_of(interpreter, inputs, outputs)

    def run_singly(steps, state):
        rows = []
        for step in steps.reshape([len(steps)] + shape):
            row, new_c, new_h = run_step(step, *state)
            rows.append(row.reshape(1, -1))
            state = new_c, new_h
        return np.concatenate(rows), state

    shapes = [[num_steps] + shape[2:]] + [details[number]["shape"] for number in state]
    return run_singly if _agree(run_singly, run, *shapes) else None


def function_of(interpreter, inputs, outputs):
    """function(arrays for the tensors `inputs`) -> list of arrays of `outputs`: tensor numbers."""
    def call(*arrays):
        for number, array in zip(inputs, arrays):
            interpreter.set_tensor(number, array)
        interpreter.invoke()
        return [interpreter.get_tensor(number) for number in outputs]

    return call


def _agree(run_singly, run, *shapes):
    """Whether both functions give the same, and the same state after all steps."""
    random = np.random.RandomState(0)
    steps, state_c, state_h = [random.randn(*shape).astype(np.float32) for shape in shapes]
    state = state_c, state_h
    expected, found = run(steps, state), run_singly(steps, state)
    return (np.allclose(found[0], expected[0], rtol=0, atol=TOLERANCE)
            and all(map(np.array_equal, found[1], expected[1])))
