"""utils/deepspeech/acoustic_graph.py: both containers, explicit state, and every wrong file."""
from concurrent.futures import ThreadPoolExecutor
import gc
import os
import shutil
import struct

import numpy as np
import pytest

from utils.common.child_trial import death_of
from utils.common.constants import DS_METADATA_NODE, NUM_LETTERS
from utils.common.errors import UserError
from utils.common.files import sha256_of_file
from utils.common.quiet_tensorflow import tf, tflite_chatter_dropped
from utils.common.tflite_file import is_whole
from utils.common.tflite_interpreter import run_once
from utils.deepspeech import acoustic_graph, tflite_pipeline, tflite_single_step
from utils.deepspeech.acoustic_graph import acoustic_release_sha256, load_acoustic_graph
from utils.deepspeech.mfcc import mfcc_of_samples
from utils.deepspeech.tflite_pipeline import three_parts
from utils.deepspeech.tflite_single_step import single_step_file


def contexts_of(samples, num_steps):
    vectors = mfcc_of_samples(samples)[20:]
    return np.stack([vectors[i:i + 19] for i in range(num_steps)])


def run_in_pieces(graph, contexts, sizes):
    state, rows, at = graph.zero_state(), [], 0
    for size in sizes:
        probabilities, state = graph.run(contexts[at:at + size], state)
        rows.append(probabilities)
        at += size
    assert at == len(contexts)
    return np.concatenate(rows), state


def test_sizes_come_from_the_file(acoustic_files):
    pb, tflite = load_acoustic_graph(acoustic_files.pb), load_acoustic_graph(acoustic_files.tflite)
    assert pb.num_hidden == tflite.num_hidden > 0
    assert pb.num_steps == tflite.num_steps == 16
    for graph in (pb, tflite):
        assert [part.shape for part in graph.zero_state()] == [(1, graph.num_hidden)] * 2
        assert graph.sha256 == sha256_of_file(graph.path)


def test_containers_agree(acoustic_files):
    contexts = contexts_of(acoustic_files.samples, 48)
    pb = run_in_pieces(load_acoustic_graph(acoustic_files.pb), contexts, [16] * 3)[0]
    tflite = run_in_pieces(load_acoustic_graph(acoustic_files.tflite), contexts, [16] * 3)[0]
    assert pb.shape == tflite.shape == (48, NUM_LETTERS)
    np.testing.assert_allclose(pb.sum(axis=1), 1.0, atol=1e-5)
    # 8-bit weights move log-probabilities about alike at every size of probability.
    likely = pb > 1e-3
    assert np.abs(np.log(tflite[likely] / pb[likely])).mean() < 0.12


def test_pb_runs_any_number_of_steps(acoustic_files):
    graph = load_acoustic_graph(acoustic_files.pb)
    contexts = contexts_of(acoustic_files.samples, 32)
    expected, expected_state = run_in_pieces(graph, contexts, [16, 16])
    for sizes in ([1] * 32, [5] * 6 + [2], [3, 16, 1, 12]):
        found, state = run_in_pieces(graph, contexts, sizes)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        np.testing.assert_allclose(state, expected_state, atol=1e-5)


def test_tflite_runs_step_by_step(acoustic_files):
    """The file's own operators: not a bit differs, nor in the state."""
    graph = load_acoustic_graph(acoustic_files.tflite)
    contexts = contexts_of(acoustic_files.samples, 32)
    expected, expected_state = run_in_pieces(graph, contexts, [16, 16])
    state, rows = graph.zero_state(), []
    for size in (1, 2, 5, 8):
        found, state = graph.run_any(contexts[sum(map(len, rows)):][:size], state)
        rows.append(found)
    found, state = graph.run(contexts[16:], state)
    np.testing.assert_allclose(np.concatenate(rows + [found]), expected, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(state, expected_state)


def test_a_step_that_differs_is_not_used(acoustic_files, monkeypatch):
    def crosswise(*arguments):
        part, inputs, (probabilities, new_c, new_h) = single_step_file(*arguments)
        return part, inputs, [probabilities, new_h, new_c]

    monkeypatch.setattr(tflite_single_step, "single_step_file", crosswise)
    graph = load_acoustic_graph(acoustic_files.tflite)
    assert graph.run_any is None
    rows, _ = graph.run(contexts_of(acoustic_files.samples, 16), graph.zero_state())
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-5)


def test_only_an_unrolled_lstm_is_cut(acoustic_files):
    with open(acoustic_files.tflite, "rb") as stream:
        content = stream.read()
    assert single_step_file(content, 16, 0, (1, 2), 5, (3, 4)) is None
    assert three_parts(content, 16, 0, (1, 2), 5, (3, 4)) is None


@pytest.mark.parametrize("container", ["pb", "tflite"])
def test_several_runs_are_the_runs_one_by_one(acoustic_files, container):
    """To the last bit; of a .tflite on two cores, which few runs do not pay for."""
    graph = load_acoustic_graph(getattr(acoustic_files, container))
    contexts = contexts_of(acoustic_files.samples, 160)
    for num_steps in (16, 48, 160):
        state = tuple(np.full_like(part, 0.1) for part in graph.zero_state())
        found, found_state = graph.run_several(contexts[:num_steps], state)
        expected = []
        for first in range(0, num_steps, 16):
            rows, state = graph.run(contexts[first:first + 16], state)
            expected.append(rows)
        np.testing.assert_array_equal(found, np.concatenate(expected))
        np.testing.assert_array_equal(found_state, state)
        is_made = graph._run_pipeline.made is not None
        assert is_made == (container == "tflite" and num_steps == 160)


def test_streams_that_begin_at_once_make_one_pipeline(acoustic_files, monkeypatch):
    made = []
    make = acoustic_graph.pipeline_function
    monkeypatch.setattr(acoustic_graph, "pipeline_function",
                        lambda *args, **kwargs: made.append(1) or make(*args, **kwargs))
    graph = load_acoustic_graph(acoustic_files.tflite)
    contexts = contexts_of(acoustic_files.samples, 160)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: graph.run_several(contexts, graph.zero_state())[0],
                              range(4)))
    assert len(made) == 1
    for rows in found[1:]:
        np.testing.assert_array_equal(rows, found[0])


def test_parts_that_differ_are_not_used(acoustic_files, monkeypatch):
    def crosswise(*arguments):
        before, (part, inputs, (hidden, new_c, new_h)), behind = three_parts(*arguments)
        return [before, (part, inputs, [hidden, new_h, new_c]), behind]

    monkeypatch.setattr(tflite_pipeline, "three_parts", crosswise)
    graph = load_acoustic_graph(acoustic_files.tflite)
    contexts = contexts_of(acoustic_files.samples, 160)
    rows, _ = graph.run_several(contexts, graph.zero_state())
    assert graph._run_pipeline.made is None
    np.testing.assert_array_equal(rows, run_in_pieces(graph, contexts, [16] * 10)[0])


def test_pb_gives_what_its_own_variables_give(acoustic_files):
    contexts = contexts_of(acoustic_files.samples, 32)
    graph_def = tf.GraphDef()
    with open(acoustic_files.pb, "rb") as stream:
        graph_def.ParseFromString(stream.read())
    for i in reversed(range(len(graph_def.node))):
        if graph_def.node[i].name == DS_METADATA_NODE:
            del graph_def.node[i]
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        session.run("initialize_state")
        expected = np.concatenate([
            session.run("logits:0", {"input_node:0": contexts[np.newaxis, at:at + 16],
                                     "input_lengths:0": [16]})[:, 0] for at in (0, 16)])
    found = run_in_pieces(load_acoustic_graph(acoustic_files.pb), contexts, [16, 16])[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_order_of_a_pbs_nodes_is_free(acoustic_files, tmp_path):
    def reverse(graph_def):
        nodes = list(graph_def.node)[::-1]
        del graph_def.node[:]
        graph_def.node.extend(nodes)

    path = edited_pb(acoustic_files.pb, tmp_path / "reversed.pb", reverse)
    contexts = contexts_of(acoustic_files.samples, 32)
    expected, found = [run_in_pieces(load_acoustic_graph(str(name)), contexts, [16, 16])[0]
                       for name in (acoustic_files.pb, path)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("container", ["pb", "tflite"])
def test_streams_on_one_graph_do_not_disturb_each_other(acoustic_files, container):
    graph = load_acoustic_graph(getattr(acoustic_files, container))
    one = contexts_of(acoustic_files.samples, 32)
    other = contexts_of(acoustic_files.samples[8000:], 32)
    alone = [run_in_pieces(graph, contexts, [16, 16])[0] for contexts in (one, other)]
    states = [graph.zero_state(), graph.zero_state()]
    for at in (0, 16):
        for k, contexts in enumerate((one, other)):
            before = [part.copy() for part in states[k]]
            rows, after = graph.run(contexts[at:at + 16], states[k])
            np.testing.assert_array_equal(rows, alone[k][at:at + 16])
            np.testing.assert_array_equal(states[k], before)
            states[k] = after


def test_a_tflite_stream_ends_with_a_part_filled_run(acoustic_files):
    graph = load_acoustic_graph(acoustic_files.tflite)
    contexts = contexts_of(acoustic_files.samples, 16)
    whole = graph.run(contexts, graph.zero_state())[0]
    part, state = graph.run(contexts[:5], graph.zero_state())
    np.testing.assert_array_equal(part, whole[:5])
    assert state is None
    with pytest.raises(ValueError, match="ended"):
        graph.run(contexts, state)


@pytest.mark.parametrize("num_steps", [0, 17])
def test_wrong_number_of_steps(acoustic_files, num_steps):
    graph = load_acoustic_graph(acoustic_files.pb)
    with pytest.raises(ValueError, match="1 to 16 steps"):
        graph.run(np.zeros((num_steps, 19, 26), np.float32), graph.zero_state())


def test_the_name_does_not_decide_the_container(acoustic_files, tmp_path):
    renamed = str(tmp_path / "graph.bin")
    shutil.copy(acoustic_files.tflite, renamed)
    assert load_acoustic_graph(renamed).needs_full_runs


def test_release_names_every_container(acoustic_files, tmp_path):
    shutil.copy(acoustic_files.pb, str(tmp_path / "output_graph.pb"))
    shutil.copy(acoustic_files.tflite, str(tmp_path / "output_graph.tflite"))
    (tmp_path / "alphabet.txt").write_text(u"a\n")
    assert acoustic_release_sha256(str(tmp_path / "output_graph.tflite")) == {
        "output_graph.pb": sha256_of_file(acoustic_files.pb),
        "output_graph.tflite": sha256_of_file(acoustic_files.tflite)}


# Files that are something else

def message_of(path):
    with pytest.raises(UserError) as caught:
        load_acoustic_graph(str(path))
    message = str(caught.value)
    assert "\n" not in message.strip() and os.path.basename(str(path)) in message
    return message


def written(path, content):
    path.write_bytes(content)
    return path


def read(path):
    with open(path, "rb") as stream:
        return stream.read()


def edited_pb(source, target, edit):
    graph_def = tf.GraphDef()
    graph_def.ParseFromString(read(source))
    edit(graph_def)
    return written(target, graph_def.SerializeToString())


def test_absent_files(tmp_path):
    assert "is not there" in message_of(tmp_path / "output_graph.pb")
    published = tmp_path / "deepspeech-0.5.0-models" / "output_graph.tflite"
    message = message_of(published)
    assert "deepspeech-0.5.0-models.tar.gz" in message and "--ds_fname" in message


@pytest.mark.parametrize("name, content, expected", [
    ("empty.tflite", b"", "is empty"),
    ("output_graph.tflite", b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "LFS"),
    ("output_graph.pbmm", b"\0" * 100, "output_graph.tflite or output_graph.pb beside it"),
    # What exactly they are taken for depends on protobuf's version.
    ("notes.pb", b"these are my notes, no graph", "not a DeepSpeech 0.5.0 graph"),
    ("noise.pb", np.random.RandomState(0).bytes(5000), "not a DeepSpeech 0.5.0 graph"),
    ("noise.tflite", b"\x20\0\0\0TFL3" + np.random.RandomState(0).bytes(5000), "cut off"),
], ids=lambda value: value if str(value).isprintable() and len(value) < 30 else "content")
def test_not_a_graph(tmp_path, name, content, expected):
    assert expected in message_of(written(tmp_path / name, content))


def test_a_folder(tmp_path):
    assert "is a folder" in message_of(tmp_path)


def test_a_saved_model(tmp_path):
    folder = str(tmp_path / "saved")
    with tf.Graph().as_default(), tf.Session() as session:
        inputs = tf.placeholder(tf.float32, [1])
        tf.saved_model.simple_save(session, folder, {"x": inputs}, {"y": inputs + 1.0})
    assert "not a DeepSpeech 0.5.0 graph" in message_of(tmp_path / "saved" / "saved_model.pb")


def test_another_frozen_graph(tmp_path):
    with tf.Graph().as_default() as graph:
        tf.identity(tf.placeholder(tf.float32, [1]), "logits")
    path = written(tmp_path / "other.pb", graph.as_graph_def().SerializeToString())
    assert "it has no input_node" in message_of(path)


def test_cut_off_tflite(acoustic_files, tmp_path):
    content = read(acoustic_files.tflite)
    assert is_whole(content)
    # Up to three bytes at the end are filling.
    lengths = list(range(8, len(content) - 3, len(content) // 50)) + [len(content) - 4]
    assert not any(is_whole(content[:length]) for length in lengths)
    assert "cut off" in message_of(written(tmp_path / "cut.tflite", content[:len(content) // 2]))


def test_tflite_with_a_part_outside(acoustic_files):
    content = bytearray(read(acoustic_files.tflite))
    length_of_a_name = content.index(b"new_state_h") - 4
    content[length_of_a_name:length_of_a_name + 4] = struct.pack("<I", len(content))
    assert not is_whole(content)


def test_cut_off_pb(acoustic_files, tmp_path):
    content = read(acoustic_files.pb)
    for length in range(1000, len(content), len(content) // 5):
        message = message_of(written(tmp_path / "cut.pb", content[:length]))
        assert "not a DeepSpeech 0.5.0 graph" in message


def test_later_releases(acoustic_files, tmp_path):
    def as_0_6(graph_def):
        node = graph_def.node.add()
        node.name, node.op = "metadata_version", "NoOp"

    assert "0.6 or later" in message_of(edited_pb(acoustic_files.pb, tmp_path / "6.pb", as_0_6))
    # As long as a name that is there, so that the offsets stay.
    content = read(acoustic_files.tflite).replace(b"previous_state_c", b"metadata_version")
    assert "0.6 or later" in message_of(written(tmp_path / "6.tflite", content))


def test_a_tflite_of_other_tensors(acoustic_files, tmp_path):
    content = read(acoustic_files.tflite).replace(b"new_state_h", b"old_state_h")
    assert "it has no new_state_h" in message_of(written(tmp_path / "x.tflite", content))


def test_other_sample_rate(acoustic_files, tmp_path):
    def at_8_khz(graph_def):
        node = next(node for node in graph_def.node if node.name == DS_METADATA_NODE)
        node.attr["sample_rate"].i = 8000

    path = edited_pb(acoustic_files.pb, tmp_path / "8k.pb", at_8_khz)
    assert "sample_rate is 8000, expected 16000" in message_of(path)


def test_other_context(acoustic_files, tmp_path):
    def with_context_5(graph_def):
        node = next(node for node in graph_def.node if node.name == "input_node")
        node.attr["shape"].shape.dim[2].size = 11

    path = edited_pb(acoustic_files.pb, tmp_path / "11.pb", with_context_5)
    assert "not a DeepSpeech 0.5.0 graph" in message_of(path)


def test_only_info_lines_are_dropped(capfd):
    with tflite_chatter_dropped():
        os.write(2, b"INFO: Created a delegate.\nERROR: something real\n")
    assert capfd.readouterr().err == "ERROR: something real\n"


def test_a_good_graph_is_let_in_where_graphs_run_already(acoustic_files):
    """Tried in a fork, it hung where garbage was collected on the way: what ended an interpreter
    of TensorFlow 2.x there waited for its threads, which no fork has.
    """
    with tflite_chatter_dropped():
        interpreter = acoustic_graph._interpreter(acoustic_files.tflite, with_delegates=True)
        run_once(interpreter)
    garbage = [interpreter]
    garbage.append(garbage)
    del interpreter, garbage
    for function, args in ((gc.collect, ()), (acoustic_graph._run_file_once,
                                              (acoustic_files.tflite, {"with_delegates": True}))):
        assert death_of(function, *args, most_bytes=1 << 30, longest_s=20) is None
