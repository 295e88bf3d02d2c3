"""A DeepSpeech 0.5.0 network from its release files, .tflite or .pb, behind one face.

    graph = load_acoustic_graph("output_graph.tflite")
    probabilities, state = graph.run(contexts, graph.zero_state())

The LSTM state is a value that goes in and comes out, so any number of streams can use one
graph. Sizes are read from the file; tensors are found by name, since their order differs
between converters.
"""
import contextlib
import glob
import mmap
import os
import threading
import warnings

from google.protobuf.message import DecodeError
import numpy as np

from utils.common.child_trial import death_of
from utils.common.constants import (ACOUSTIC_STEPS, CONTEXT_WINDOW_FRAMES, DS_INITIALIZE_STATE,
                                    DS_INPUT_LENGTHS, DS_INPUT_NODE, DS_INPUT_SAMPLES,
                                    DS_METADATA_NODE, DS_NEW_STATE_C, DS_NEW_STATE_H,
                                    DS_PROBABILITIES, DS_STATE_C, DS_STATE_H, MFCC_COEFFICIENTS,
                                    MFCC_STEP_SAMPLES, MFCC_WINDOW_SAMPLES, NUM_LETTERS,
                                    REPOSITORY,
                                    SAMPLE_RATE_HZ)
from utils.common.errors import UserError
from utils.common.files import sha256_of_file
from utils.common.quiet_tensorflow import tf, tflite_chatter_dropped
from utils.common.tflite_file import is_tflite, is_whole
from utils.common.tflite_interpreter import allocate, run_once, tflite_interpreter
from utils.deepspeech.tflite_pipeline import pipeline_function
from utils.deepspeech.tflite_single_step import single_step_function

RELEASE = ("the DeepSpeech v0.5.0 release on GitHub (mozilla/DeepSpeech), "
           "deepspeech-0.5.0-models.tar.gz")
RELEASE_FOLDER = "deepspeech-0.5.0-models"
GIT_LFS_HEAD = b"version https://git-lfs"
LATER_RELEASE_NODE = "metadata_version"     # 0.6.0 was the first to write it
METADATA = {"sample_rate": SAMPLE_RATE_HZ,
            "feature_win_len": 1000 * MFCC_WINDOW_SAMPLES // SAMPLE_RATE_HZ,
            "feature_win_step": 1000 * MFCC_STEP_SAMPLES // SAMPLE_RATE_HZ}
# Where the LSTM leaves its new c and h, in a .pb that assigns them in no way known here.
NEW_STATE_FALLBACK = ("lstm_fused_cell/GatherNd:0", "lstm_fused_cell/GatherNd_1:0")
TFLITE_THREADS = 2                          # more gains nothing: bound by memory
MOST_BYTES = 4 << 30                         # that a graph of the released size is far below
MOST_VALUES, MOST_AXES = 1 << 28, 8         # of one tensor: 16 times the largest of the release
# Of the .pb files that DeepSpeech 0.5.0 and this project write, and what such a graph may be
# rewritten to. None reads or writes a file, calls Python, or runs in circles.
HARMLESS_OPERATORS = frozenset("""
    Abs Add AddV2 Assign AssignVariableOp AudioSpectrogram BatchMatMul BatchMatMulV2 BiasAdd
    BlockLSTM Cast Concat ConcatV2 Const Div Equal Exp ExpandDims Fill Floor FloorDiv FloorMod
    Gather GatherNd GatherV2 Greater GreaterEqual Identity IdentityN Less LessEqual Log LogSoftmax
    LogicalAnd LogicalNot LogicalOr MatMul Max Maximum Mean Mfcc Min Minimum Mul Neg NoOp OnesLike
    Pack Pad PadV2 Placeholder PlaceholderWithDefault Pow Prod Range Rank ReadVariableOp RealDiv
    Reciprocal Relu Relu6 Reshape ReverseV2 Rsqrt Select Shape Sigmoid Size Slice Softmax Split
    SplitV Sqrt Square Squeeze StopGradient StridedSlice Sub Sum Tanh Tile Transpose Unpack
    VarHandleOp Variable VariableV2 Where ZerosLike""".split())
NARROW_FILE_BYTES = 16 << 20                # 8-bit, about 1200 wide
LEAST_PIPELINE_RUNS = 8                     # fewer do not pay for making it


class AcousticGraph:
    """A loaded network. Made by load_acoustic_graph().

    path           the file
    num_hidden     LSTM width
    num_steps      steps of 20 ms in one run, 16 in every release
    needs_full_runs  whether a part-filled run ends the stream (.tflite)
    """

    def __init__(self, path, num_hidden, num_steps, needs_full_runs, run_steps,
                 make_run_singly=None, make_run_pipeline=None):
        self.path = path
        self.num_hidden = num_hidden
        self.num_steps = num_steps
        self.needs_full_runs = needs_full_runs
        self._run_steps = run_steps
        self._run_singly = _MadeOnce(make_run_singly)
        self._run_pipeline = _MadeOnce(make_run_pipeline)
        self._sha256 = None

    @property
    def sha256(self):
        """Hex sha256 of the file."""
        if self._sha256 is None:
            self._sha256 = sha256_of_file(self.path)
        return self._sha256

    def zero_state(self):
        """The state at the start of a stream: (c, h), both float32 [1, num_hidden]."""
        return tuple(np.zeros((1, self.num_hidden), np.float32) for _ in "ch")

    def run(self, contexts, state):
        """Some steps of one stream.

        Args:
          contexts: float32 [n, 19, 26], n from 1 to num_steps: MFCCs t-9 .. t+9 of each step.
          state: what zero_state() or the run before gave; it is not augmented.
        Returns:
          probabilities: float32 [n, 29], softmax over space, a..z, apostrophe, blank.
          state: for the next run. None after n < num_steps steps of a .tflite, which always
            runs all its steps: the stream ends there.
        """
        num_valid = len(contexts)
        if not 1 <= num_valid <= self.num_steps:
            raise ValueError("a run takes 1 to %d steps, got %d" % (self.num_steps, num_valid))
        if state is None:
            raise ValueError("this stream has ended: a .tflite runs part-filled only once, at "
                             "the end")
        steps = np.zeros((1, self.num_steps, CONTEXT_WINDOW_FRAMES, MFCC_COEFFICIENTS),
                         np.float32)
        steps[0, :num_valid] = contexts
        probabilities, new_state = self._run_steps(steps, num_valid, state)
        if self.needs_full_runs and num_valid < self.num_steps:
            new_state = None
        return probabilities[:num_valid], new_state

    def run_several(self, contexts, state):
        """As run() of num_steps steps again and again, to the last bit; a narrow .tflite takes
        two cores for it.

        Args:
          contexts: float32 [k * num_steps, 19, 26].
        Returns:
          probabilities: float32 [k * num_steps, 29]; state.
        """
        if len(contexts) >= LEAST_PIPELINE_RUNS * self.num_steps:
            run_pipeline = self._run_pipeline.get()
            if run_pipeline is not None:
                return run_pipeline(contexts, state)
        rows = []
        for first in range(0, len(contexts), self.num_steps):
            probabilities, state = self.run(contexts[first:first + self.num_steps], state)
            rows.append(probabilities)
        return np.concatenate(rows), state

    @property
    def run_any(self):
        """As run(), but with the state after any number of steps; None where the file cannot.

        Of a .tflite it is made at the first call, in a tenth of a second: only live needs it.
        """
        if not self.needs_full_runs:
            return self.run
        return self._run_singly.get()


class _MadeOnce:
    """What make() gives, called when it is first asked for, by whichever stream is first."""

    def __init__(self, make):
        self._make, self.made, self._turn = make, None, threading.Lock()

    def get(self):
        """None where make is None, or gives None."""
        with self._turn:
            if self._make is not None:
                self.made, self._make = self._make(), None
            return self.made


def load_acoustic_graph(path):
    """The AcousticGraph in a .tflite or .pb file of DeepSpeech 0.5.0's signature.

    Which of the two it is, its content says, not its name. Raises UserError, one line, for
    anything else: absent, cut off, a Git-LFS pointer, a .pbmm, another kind of graph.
    """
    head = _read_head(path)
    if is_tflite(head):
        return _load_tflite(path)
    return _load_pb(path)


def acoustic_release_sha256(path):
    """{file name: hex sha256} of every output_graph.* in the folder of `path`, and `path`.

    A release holds the same weights in several containers: any of them fits a checkpoint
    that was trained with one.
    """
    folder = os.path.dirname(os.path.abspath(path))
    files = set(glob.glob(os.path.join(glob.escape(folder), "output_graph.*")))
    files.add(os.path.abspath(path))
    return {os.path.basename(name): sha256_of_file(name)
            for name in sorted(files) if os.path.isfile(name)}


def graph_record(path):
    """What a checkpoint's record says of the acoustic graph: {"name", "sha256" of its release}.

    The name is that of the file and its folder: nothing else of the computer it lies on.
    """
    name = "/".join(os.path.abspath(path).split(os.sep)[-2:])
    return {"name": name, "sha256": acoustic_release_sha256(path)}


# What is wrong with a file

def _read_head(path):
    if not os.path.exists(path):
        raise UserError(_missing(path))
    if os.path.isdir(path):
        raise UserError("%s is a folder; name the output_graph.tflite or output_graph.pb in it"
                        % path)
    try:
        with open(path, "rb") as stream:
            head = stream.read(64)
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))
    if not head:
        raise UserError("%s is empty; copy or download it again" % path)
    if head.startswith(GIT_LFS_HEAD):
        raise UserError("%s is a Git-LFS pointer, not the file itself; run `git lfs pull` where "
                        "it came from, or take it from %s" % (path, RELEASE))
    if path.endswith(".pbmm"):
        raise UserError("%s is memory-mapped for the native client (.pbmm), which TensorFlow "
                        "cannot run from Python; name the output_graph.tflite or "
                        "output_graph.pb beside it" % path)
    return head


def _missing(path):
    if RELEASE_FOLDER in os.path.abspath(path).split(os.sep):
        return ("%s is not there; it is published in %s: unpack that into ds_graph/, or leave "
                "out --ds_fname to use the embedded graph" % (path, RELEASE))
    return "%s is not there; expected a DeepSpeech 0.5.0 output_graph.tflite or .pb" % path


def _not_ours(path, why):
    return UserError("%s is not a DeepSpeech 0.5.0 graph: %s; take output_graph.tflite or "
                     "output_graph.pb of %s" % (path, why, RELEASE))


def _later_release(path):
    return _not_ours(path, "it is of DeepSpeech 0.6 or later, whose features differ")


def _check_shapes(path, contexts_shape, num_letters):
    """num_steps, from the shape of input_node, once that and the letters are as they must be."""
    if len(contexts_shape) != 4 or contexts_shape[0] not in (1, None):
        raise _not_ours(path, "%s has shape %s, expected [1, %d, %d, %d]"
                        % (DS_INPUT_NODE, list(contexts_shape), ACOUSTIC_STEPS,
                           CONTEXT_WINDOW_FRAMES, MFCC_COEFFICIENTS))
    num_steps, window_frames, num_coefficients = contexts_shape[1:]
    if (window_frames, num_coefficients) != (CONTEXT_WINDOW_FRAMES, MFCC_COEFFICIENTS):
        raise _not_ours(path, "its steps see %s frames of %s coefficients, expected %d of %d"
                        % (window_frames, num_coefficients, CONTEXT_WINDOW_FRAMES,
                           MFCC_COEFFICIENTS))
    if num_letters != NUM_LETTERS:
        raise _not_ours(path, "it tells %s letters apart, expected %d (space, a..z, apostrophe, "
                        "blank)" % (num_letters, NUM_LETTERS))
    return num_steps or ACOUSTIC_STEPS          # exported with its time axis left open


# .tflite

def _load_tflite(path):
    with open(path, "rb") as stream, \
            contextlib.closing(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)) as content:
        if not is_whole(content):
            raise UserError("%s is cut off; copy or download it again" % path)
    kernels = {}
    interpreter = _tried_interpreter(path)
    details = {detail["name"]: detail for detail
               in interpreter.get_input_details() + interpreter.get_output_details()}
    if LATER_RELEASE_NODE in details:
        raise _later_release(path)
    names = (DS_INPUT_NODE, DS_STATE_C, DS_STATE_H, DS_INPUT_SAMPLES, DS_PROBABILITIES,
             DS_NEW_STATE_C, DS_NEW_STATE_H)
    _check_names(path, names, details)
    num_steps = _check_shapes(path, tuple(int(n) for n in details[DS_INPUT_NODE]["shape"]),
                              int(details[DS_PROBABILITIES]["shape"][-1]))
    num_hidden = int(details[DS_STATE_C]["shape"][-1])
    index = {name: details[name]["index"] for name in names}
    if _is_wide(path) and _is_8_bit(interpreter):
        run = _two_core_function(path, interpreter, num_steps, index)
        if run is not None:
            return AcousticGraph(path, num_hidden, num_steps, False,
                                 lambda steps, num_valid, state: run(steps[0, :num_valid], state),
                                 make_run_pipeline=lambda: run)
        if not tf.__version__.startswith("1."):
            kernels = {"with_delegates": True}
            interpreter = _tried_interpreter(path, **kernels)
    run_steps = _run_steps_of_interpreter(interpreter, index)

    def made_by_cutting(make):
        return lambda: _function_of_parts(make, path, num_steps, index, run_steps, kernels)

    return AcousticGraph(
        path, num_hidden, num_steps, True, run_steps, made_by_cutting(single_step_function),
        None if _is_wide(path) else made_by_cutting(pipeline_function))


def _tried_interpreter(path, **kernels):
    """_interpreter(), allocated, all inputs zeros; UserError where the file cannot be run."""
    is_own = _is_own(path)
    death = None if is_own else death_of(_run_file_once, os.path.abspath(path), kernels,
                                         most_bytes=MOST_BYTES)
    if death is not None:
        raise _not_ours(path, death)
    try:
        with tflite_chatter_dropped():
            interpreter = _interpreter(path, **kernels)
            if is_own:
                allocate(interpreter)
            else:
                run_once(interpreter)
    except (ValueError, RuntimeError, MemoryError) as error:    # sizes that no memory holds
        raise _not_ours(path, "TensorFlow Lite says: %s" % error)
    return interpreter


def _run_file_once(path, kernels):
    run_once(_interpreter(path, **kernels))


def _function_of_parts(make, path, num_steps, index, run_steps, kernels):
    """What single_step_function or pipeline_function makes of the file, for several streams; None
    where the file cannot be cut so."""
    with open(path, "rb") as stream:
        content = stream.read()
    turn = threading.Lock()                     # its interpreters are one stream's at a time

    def run_whole(contexts, state):
        return run_steps(contexts[np.newaxis], num_steps, state)

    def interpreter_of(part):
        with tflite_chatter_dropped():
            return _interpreter(path, part, **kernels)

    run = make(interpreter_of, content, num_steps, *_places(index), run=run_whole)

    def run_in_turn(contexts, state):
        with turn:
            return run(contexts, state)

    return run and run_in_turn


def _two_core_function(path, interpreter, num_steps, index):
    from utils.deepspeech.tflite_two_cores import two_core_function    # compiles: 0.7 s
    with open(path, "rb") as stream:
        return two_core_function(interpreter, stream.read(), num_steps, *_places(index))


def _places(index):
    """Tensor numbers of contexts, (c, h), probabilities, new (c, h)."""
    return (index[DS_INPUT_NODE], (index[DS_STATE_C], index[DS_STATE_H]),
            index[DS_PROBABILITIES], (index[DS_NEW_STATE_C], index[DS_NEW_STATE_H]))


def _run_steps_of_interpreter(interpreter, index):
    turn = threading.Lock()                     # one interpreter, perhaps several streams

    def run_steps(steps, _, state):
        with turn:
            interpreter.set_tensor(index[DS_INPUT_NODE], steps)
            interpreter.set_tensor(index[DS_STATE_C], state[0])
            interpreter.set_tensor(index[DS_STATE_H], state[1])
            interpreter.invoke()
            return (interpreter.get_tensor(index[DS_PROBABILITIES]).reshape(-1, NUM_LETTERS),
                    (interpreter.get_tensor(index[DS_NEW_STATE_C]),
                     interpreter.get_tensor(index[DS_NEW_STATE_H])))

    return run_steps


def _interpreter(path, content=None, with_delegates=False):
    """The Interpreter of a file, or of a part of it, with the kernels that serve it best.

    content: the part's bytes; None for the file itself.

    TensorFlow 2.x puts XNNPACK in by itself. For 8-bit weights that rounds in another way
    (probabilities move by 1e-4) and repacks them at each start: without it, the numbers are
    TensorFlow 1.15's. `with_delegates` takes it: at the released width it is three times as fast.
    """
    if content is None and not _is_ascii(path):     # TensorFlow takes names in UTF-8 only
        with open(path, "rb") as stream:
            content = stream.read()
    of = {"model_path": path} if content is None else {"model_content": content}
    if tf.__version__.startswith("1."):         # has no such choices
        return tflite_interpreter(**of)
    kernels = tf.lite.experimental.OpResolverType
    interpreter = tflite_interpreter(
        num_threads=TFLITE_THREADS,
        experimental_op_resolver_type=kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES, **of)
    if _is_8_bit(interpreter) and not with_delegates:
        return interpreter
    return tflite_interpreter(num_threads=TFLITE_THREADS, **of)


def _is_ascii(text):
    return all(ord(letter) < 128 for letter in text)


def _is_8_bit(interpreter):
    return any(detail["dtype"] in (np.int8, np.uint8)
               for detail in interpreter.get_tensor_details())


def _is_own(path):
    """Whether it is the repository's, which needs no trial: 0.1 s of each start."""
    return os.path.realpath(os.path.dirname(path)) == os.path.realpath(
        os.path.join(REPOSITORY, "ds_graph", "deepspeech-mini"))


def _is_wide(path):
    return os.path.getsize(path) > NARROW_FILE_BYTES


def _check_names(path, names, present):
    missing = [name for name in names if name not in present]
    if missing:
        raise _not_ours(path, "it has no %s" % ", ".join(missing))


# .pb

def _load_pb(path):
    graph_def = read_graph_def(path)
    nodes = {node.name: node for node in graph_def.node}
    if LATER_RELEASE_NODE in nodes or DS_NEW_STATE_C in nodes:
        raise _later_release(path)
    _check_names(path, (DS_INPUT_NODE, DS_INPUT_LENGTHS, DS_PROBABILITIES, DS_STATE_C,
                        DS_STATE_H), nodes)
    _check_metadata(path, nodes)
    _check_is_harmless(path, graph_def)
    num_hidden = _num_hidden(path, nodes)
    new_state_names = _make_state_explicit(graph_def)
    death = None if _is_own(path) else death_of(_import_file, os.path.abspath(path),
                                                most_bytes=MOST_BYTES)
    if death is not None:
        raise _not_ours(path, death)
    try:
        graph = _imported(graph_def)
        probabilities = graph.get_tensor_by_name(DS_PROBABILITIES + ":0")
        new_state = [graph.get_tensor_by_name(name) for name in new_state_names]
    except (ValueError, KeyError, TypeError, tf.errors.OpError) as error:
        raise _not_ours(path, "TensorFlow says: %s" % error)
    _check_lstm(path, graph, num_hidden)
    contexts_shape = graph.get_tensor_by_name(DS_INPUT_NODE + ":0").shape
    num_steps = _check_shapes(
        path, tuple(contexts_shape.as_list()) if contexts_shape.ndims else (),
        probabilities.shape.as_list()[-1] if probabilities.shape.ndims else None)
    settings = tf.ConfigProto()
    # At the released size Grappler takes 5 s of TensorFlow 2.x, and no run is faster for it. In
    # 1.15 it takes half a second, and a run is a tenth faster. The numbers are the same.
    settings.graph_options.rewrite_options.disable_meta_optimizer = (
        not tf.__version__.startswith("1."))
    run = tf.Session(graph=graph, config=settings).make_callable(
        [probabilities] + new_state,
        feed_list=[name + ":0" for name in (DS_INPUT_NODE, DS_INPUT_LENGTHS, DS_STATE_C,
                                            DS_STATE_H)])

    def run_steps(steps, num_valid, state):
        outputs = run(steps, np.array([num_valid], np.int32), *state)
        return outputs[0].reshape(-1, NUM_LETTERS), tuple(outputs[1:])

    # What fits on paper may not run.
    nothing = np.zeros((1, num_steps, CONTEXT_WINDOW_FRAMES, MFCC_COEFFICIENTS), np.float32)
    try:
        outputs, state = run_steps(nothing, num_steps, [
            np.zeros((1, num_hidden), np.float32)] * 2)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise _not_ours(path, "TensorFlow says: %s" % str(error).strip().split("\n")[0])
    if (outputs.shape != (num_steps, NUM_LETTERS) or outputs.dtype != np.float32
            or any(part.shape != (1, num_hidden) for part in state)):
        raise _not_ours(path, "what it gives has the shapes %s, %s" % (
            list(outputs.shape), [list(part.shape) for part in state]))
    return AcousticGraph(path, num_hidden, num_steps, False, run_steps)


def _imported(graph_def):
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    return graph


def _import_file(path):
    graph_def = read_graph_def(path)
    _make_state_explicit(graph_def)
    _imported(graph_def)


def read_graph_def(path):
    """The GraphDef in a .pb. Raises UserError where there is none."""
    graph_def = tf.GraphDef()
    try:
        with open(path, "rb") as stream, warnings.catch_warnings(record=True) as complaints:
            warnings.simplefilter("always")
            graph_def.ParseFromString(stream.read())
    except DecodeError as error:
        complaints = [error]
    if complaints:                  # an older protobuf only warns, and stops half-way
        raise _not_ours(path, "it holds no TensorFlow graph, or is cut off")
    if not graph_def.node:
        raise _not_ours(path, "it holds no frozen graph (a SavedModel?)")
    return graph_def


def _check_is_harmless(path, graph_def):
    """Refuse operators that do more than compute, and sizes that no such graph has.

    Others read and write files, call Python, or never end; sizes that do not fit end the process.
    """
    others = sorted({node.op for node in graph_def.node
                     if node.name != DS_METADATA_NODE} - HARMLESS_OPERATORS)
    if others or graph_def.library.function:
        raise _not_ours(path, "it has operators that none has (%s)" % ", ".join(
            (others or ["functions"])[:3]))
    for node in graph_def.node:
        for attribute in node.attr.values():
            kind = attribute.WhichOneof("value")
            shapes = {"shape": [attribute.shape], "tensor": [attribute.tensor.tensor_shape],
                      "list": attribute.list.shape}.get(kind, [])
            for shape in shapes:
                sizes = [max(1, dimension.size) for dimension in shape.dim]
                if len(sizes) > MOST_AXES or np.prod(sizes, dtype=float) > MOST_VALUES:
                    raise _not_ours(path, "%s has the shape %s" % (
                        node.name, [dimension.size for dimension in shape.dim][:MOST_AXES]))


def _num_hidden(path, nodes):
    """Units of the LSTM, from the shapes of its two states."""
    sizes = {tuple(dimension.size for dimension in nodes[name].attr["shape"].shape.dim)
             for name in (DS_STATE_C, DS_STATE_H)}
    size, = sizes if len(sizes) == 1 else [()]
    if len(size) != 2 or size[0] != 1 or size[1] < 1:
        raise _not_ours(path, "the states of its LSTM have the shapes %s, expected twice [1, n]"
                        % sorted(map(list, sizes)))
    return size[1]


def _check_lstm(path, graph, num_hidden):
    """Refuse an LSTM whose parts do not fit: TensorFlow's kernel reads beyond them."""
    for operation in graph.get_operations():
        if operation.type != "BlockLSTM":
            continue
        shapes = [tensor.shape.as_list() if tensor.shape.ndims is not None else None
                  for tensor in operation.inputs]
        _, x, c, h, w, w_ci, w_cf, w_co, b = shapes
        n = num_hidden
        if not (x and len(x) == 3 and x[1] == 1 and x[2] and c == h == [1, n]
                and w == [x[2] + n, 4 * n] and w_ci == w_cf == w_co == [n] and b == [4 * n]):
            raise _not_ours(path, "the parts of its LSTM do not fit: %s" % shapes)


def _check_metadata(path, nodes):
    """Refuse a graph made for other audio than the one front end here."""
    if DS_METADATA_NODE not in nodes:
        return
    attributes = nodes[DS_METADATA_NODE].attr
    for name, expected in METADATA.items():
        if name in attributes and attributes[name].i != expected:
            raise _not_ours(path, "its %s is %d, expected %d"
                            % (name, attributes[name].i, expected))


def _make_state_explicit(graph_def):
    """Make the two state variables placeholders, in place, and the graph fit for import.

    The file keeps the LSTM state in variables of the session and writes the new one back as
    it gives its output. Here placeholders take the variables' names, the write-backs go, and
    what they wrote becomes an output. model_metadata goes too: import_graph_def rejects its
    attributes.

    Returns:
      the names of the tensors that hold the new c and h.
    """
    from_input = _downstream_of(DS_INPUT_NODE, graph_def)
    new_state = dict(zip((DS_STATE_C, DS_STATE_H), NEW_STATE_FALLBACK))
    dropped = {DS_METADATA_NODE}
    for node in graph_def.node:
        if node.op.startswith("Assign") and node.input[0] in new_state:
            dropped.add(node.name)
            if _node_of(node.input[1]) in from_input:       # not the assignment of zeros
                new_state[node.input[0]] = _tensor_name(node.input[1])
        elif node.op == "NoOp" and node.name.startswith(DS_INITIALIZE_STATE):
            dropped.add(node.name)
    for i in reversed(range(len(graph_def.node))):
        node = graph_def.node[i]
        if node.name in dropped:
            del graph_def.node[i]
        elif node.name in new_state:
            node.op = "Placeholder"
            for name in set(node.attr) - {"dtype", "shape"}:
                del node.attr[name]
        else:
            if node.op == "ReadVariableOp" and node.input[0] in new_state:
                node.op = "Identity"
                node.attr["T"].type = node.attr["dtype"].type
                del node.attr["dtype"]
            kept = [name for name in node.input if _node_of(name) not in dropped]
            if len(kept) < len(node.input):
                del node.input[:]
                node.input.extend(kept)
    return new_state[DS_STATE_C], new_state[DS_STATE_H]


def _node_of(input_name):
    return input_name.lstrip("^").split(":")[0]


def _tensor_name(input_name):
    return input_name if ":" in input_name else input_name + ":0"


def _downstream_of(source, graph_def):
    """Names of the nodes that data from the node `source` reaches, itself included."""
    readers = {}
    for node in graph_def.node:
        for name in node.input:
            readers.setdefault(_node_of(name), []).append(node.name)
    reached, waiting = {source}, [source]
    while waiting:
        for reader in readers.get(waiting.pop(), []):
            if reader not in reached:
                reached.add(reader)
                waiting.append(reader)
    return reached
