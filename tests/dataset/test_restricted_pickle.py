"""utils/dataset/restricted_pickle.py: what the published files hold is read, all else is named."""
import collections
import os
import pickle
import pickletools
import tracemalloc

import numpy as np
import pytest

from utils.common.errors import UserError
from utils.dataset.restricted_pickle import load_pickle

_frombuffer = (np.zeros(1).__reduce_ex__(5)[0] if pickle.HIGHEST_PROTOCOL >= 5 else None)

CONTENT = {
    "1.mp4": {"audio": np.arange(-5, 5, dtype=np.int16), "sample_rate": 22050,
              "scalar": np.float64(0.25), "order": np.asfortranarray(np.eye(3, dtype="f4")),
              "rows": {0: 7, np.int64(1): np.int64(8)}, "mixed": [1, (2.5, u"\u00e9"), {3}, None]},
    "ordered": collections.OrderedDict([("b", 1), ("a", frozenset([2]))]),
    "empty": np.zeros(0, np.int16), "bytes": [b"", b"a\xff"],
    "text": np.array([u"jawOpen"]), "object": np.array([{"a": 1}, None], dtype=object),
}


def assert_same(read, written):
    assert type(read) is type(written)
    if isinstance(written, dict):
        assert list(read) == list(written)
        for key in written:
            assert_same(read[key], written[key])
    elif isinstance(written, np.ndarray):
        assert read.dtype == written.dtype
        np.testing.assert_array_equal(read, written)
    else:
        assert read == written


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_containers_come_back(tmp_path, protocol):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(CONTENT, protocol))
    assert_same(load_pickle(path), CONTENT)


@pytest.mark.parametrize("layout", [b"numpy.core", b"numpy._core"])
def test_both_layouts_of_numpy(tmp_path, layout):
    """A pickle of numpy 1.x and one of 2.x differ in this name; text protocol 0 shows it."""
    payload = pickle.dumps({"a": np.arange(4.0), "b": np.float32(2)}, 0)
    own = b"numpy._core" if b"numpy._core" in payload else b"numpy.core"
    (tmp_path / "a.pkl").write_bytes(payload.replace(own, layout))
    read = load_pickle(tmp_path / "a.pkl")
    np.testing.assert_array_equal(read["a"], np.arange(4.0))
    assert read["b"] == 2


# What Python 2.7 with numpy 1.16 writes for {'1.mp4': {'audio': np.array([1, -2, 300],
# np.int16), 'sample_rate': 22050}}, protocol 0 and 2, assembled by hand: its bytes are text.
PYTHON2_PROTOCOL_0 = (
    b"(dp0\nS'1.mp4'\np1\n(dp2\nS'sample_rate'\np3\nI22050\nsS'audio'\np4\n"
    b"cnumpy.core.multiarray\n_reconstruct\np5\n(cnumpy\nndarray\np6\n(I0\ntp7\nS'b'\np8\n"
    b"tp9\nRp10\n(I1\n(I3\ntp11\ncnumpy\ndtype\np12\n(S'i2'\np13\nI0\nI1\ntp14\nRp15\n"
    b"(I3\nS'<'\np16\nNNNI-1\nI-1\nI0\ntp17\nbI00\nS'\\x01\\x00\\xfe\\xff,\\x01'\np18\ntp19\nbss.")
PYTHON2_PROTOCOL_2 = (
    b"\x80\x02}q\x00U\x051.mp4q\x01}q\x02(U\x0bsample_rateq\x03M\x22VU\x05audioq\x04"
    b"cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87R"
    b"(K\x01K\x03\x85cnumpy\ndtype\nU\x02i2K\x00K\x01\x87R(K\x03U\x01<NNN"
    b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x06\x01\x00\xfe\xff,\x01tbus.")


@pytest.mark.parametrize("payload", [PYTHON2_PROTOCOL_0, PYTHON2_PROTOCOL_2])
def test_python_2_pickles(tmp_path, payload):
    (tmp_path / "a.pkl").write_bytes(payload)
    entry = load_pickle(tmp_path / "a.pkl")["1.mp4"]
    np.testing.assert_array_equal(entry["audio"], np.array([1, -2, 300], np.int16))
    assert entry["sample_rate"] == 22050


# ---- what is refused

class Hostile(object):
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("function, arguments, named", [
    (os.system, ("touch hacked",), "system"),
    (eval, ("open('hacked', 'w')",), "eval"),
    (getattr, ("text", "join"), "getattr"),
    (np.load, ("x",), "load"),
    (np.fromfile, ("/etc/hostname",), "fromfile"),
    (bytearray, (1 << 40,), "bytearray"),
    (bytes, (1 << 40,), "no_bytes"),
])
@pytest.mark.parametrize("protocol", [0, 2, pickle.HIGHEST_PROTOCOL])
def test_functions_are_named_and_not_called(tmp_path, monkeypatch, function, arguments, named,
                                            protocol):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.pkl").write_bytes(
        pickle.dumps({"a": [np.zeros(2), Hostile(function, *arguments)]}, protocol))
    with pytest.raises(UserError) as caught:
        load_pickle(tmp_path / "bad.pkl")
    assert named in str(caught.value) and "bad.pkl" in str(caught.value)
    assert not (tmp_path / "hacked").exists()


class OfTheUsersOwn(object):
    pass


def test_classes_are_named(tmp_path):
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(OfTheUsersOwn()))
    with pytest.raises(UserError, match="OfTheUsersOwn|_reconstructor"):
        load_pickle(tmp_path / "bad.pkl")


def test_another_codec_is_refused(tmp_path):
    (tmp_path / "bad.pkl").write_bytes(b"c_codecs\nencode\n(Va\nVrot13\ntR.")
    with pytest.raises(UserError, match="rot13"):
        load_pickle(tmp_path / "bad.pkl")


def test_dotted_names_reach_nothing(tmp_path):
    payload = b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93."
    pickletools.dis(payload, out=open(os.devnull, "w"))                 # well formed
    (tmp_path / "bad.pkl").write_bytes(payload)
    with pytest.raises(UserError, match="ndarray.__init__"):
        load_pickle(tmp_path / "bad.pkl")


def test_truncated_anywhere(tmp_path):
    payload = pickle.dumps(CONTENT, 2)
    for size in list(range(0, len(payload) - 1, 37)) + [len(payload) - 1]:
        (tmp_path / "cut.pkl").write_bytes(payload[:size])
        with pytest.raises(UserError, match="cut.pkl is truncated or no pickle"):
            load_pickle(tmp_path / "cut.pkl")


@pytest.mark.parametrize("content, told", [
    (b"", "truncated"), (b"These are only words.\n", "no pickle"),
    (bytes(bytearray(range(256))), "no pickle"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git-LFS"),
    (b"\x80\x63.", "no pickle")])
def test_no_pickle(tmp_path, content, told):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(UserError, match=told):
        load_pickle(tmp_path / "a.pkl")


def test_missing(tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        load_pickle(tmp_path / "none.pkl")


class Crafted(object):
    """What numpy's own reader makes of bytes where a dtype says that they are pointers."""

    def __init__(self, function, arguments, state=None):
        self.made = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.made


def _crafted_dtype():
    return Crafted(np.dtype, ("V8", False, True),
                   (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0))


@pytest.mark.parametrize("content", [
    lambda: Crafted(np.ndarray, ((1,), _crafted_dtype(), b"A" * 8)),
    lambda: Crafted(np.ndarray, ((1,), "O", b"A" * 8)),
    lambda: Crafted(np.zeros(1).__reduce__()[0], (np.ndarray, (0,), b"b"),
                    (1, (1,), _crafted_dtype(), False, b"A" * 8)),
    lambda: Crafted(np.zeros(1).__reduce__()[0], (np.ndarray, (0,), b"b"),
                    (1, (1,), np.dtype("O"), False, b"A" * 8)),
    lambda: Crafted(np.zeros(1).__reduce__()[0], (np.ndarray, (0,), b"b"),
                    (1, (2 ** 40,), np.dtype("i1"), False, b"A" * 8)),
    lambda: Crafted(np.float64(0).__reduce__()[0], (np.dtype("O"), b"A" * 8)),
    lambda: Crafted(np.float64(0).__reduce__()[0], (_crafted_dtype(), b"A" * 8)),
    lambda: Crafted(np.dtype, ("S2000000000",)),
    lambda: Crafted(collections.OrderedDict, (), {"a": 1}),
    lambda: Crafted(set, ([1],), {"a": 1})])
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_no_bytes_become_pointers_and_no_state_is_set(tmp_path, content, protocol):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"a": content()}, protocol))
    with pytest.raises(UserError, match="a.pkl is truncated or no pickle"):
        load_pickle(path)


class Copied(object):
    def __init__(self, function, argument):
        self.made = (function, argument)

    def __reduce__(self):
        return self.made


@pytest.mark.parametrize("copy", [
    lambda: (list, ([1] * 200000,)), lambda: (_frombuffer, (bytearray(10 ** 6), np.dtype("i1"),
                                                            (10 ** 6,), "C"))])
def test_the_same_bytes_are_not_copied_over_and_over(tmp_path, copy):
    """A file of a megabyte or two would take gigabytes."""
    function, arguments = copy()
    if function is None:
        pytest.skip("protocol 5 is Python 3.8's")
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps([Copied(function, arguments) for _ in range(5000)],
                                  pickle.HIGHEST_PROTOCOL))
    assert path.stat().st_size < 2 << 20
    with pytest.raises(UserError, match="the same bytes over and over"):
        load_pickle(path)


@pytest.mark.skipif(pickle.HIGHEST_PROTOCOL < 5, reason="protocol 5 is Python 3.8's")
def test_no_room_is_made_for_bytes_that_are_not_there(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps([bytearray(b"abc"), 1], 5))
    assert load_pickle(path) == [bytearray(b"abc"), 1]
    path.write_bytes(b"\x80\x05" + pickle.BYTEARRAY8 + (1 << 30).to_bytes(8, "little") + b"abc.")
    tracemalloc.start()
    with pytest.raises(UserError, match="ends in the middle"):
        load_pickle(path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 10 << 20


def test_dtypes_of_every_plain_kind_come_back(tmp_path):
    content = {code: np.array([1, 0, 2]).astype(code) for code in (
        "?", "i1", ">i2", "<u4", "i8", "f2", ">f4", "f8", "g", "c8", "c16", "S3", "U3", ">U2")}
    content["whole"] = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    content["scalars"] = [np.str_("a"), np.bytes_(b"ab"), np.bool_(True), np.float32(1.5)]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / "a.pkl"
        path.write_bytes(pickle.dumps(content, protocol))
        # numpy, too, gives the computer's own byte order.
        assert_same(load_pickle(path), pickle.loads(path.read_bytes()))
