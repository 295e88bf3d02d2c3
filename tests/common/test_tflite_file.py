"""Which .tflite files are whole: what the format's own writer makes, until an offset leads out."""
import os
import struct

import pytest

from utils.common import tflite_file
from utils.common.constants import REPOSITORY
from utils.common.tflite_file import is_whole

GRAPH = os.path.join(REPOSITORY, "tests", "reference_vectors", "deepspeech_64",
                     "output_graph.tflite")
FAR = 0x1efe2308                            # half a gigabyte: there may be memory, or none
METADATA, METADATA_NAME, METADATA_BUFFER = 6, 0, 1
MODEL_BUFFERS = 4


@pytest.fixture
def content():
    with open(GRAPH, "rb") as stream:
        return bytearray(stream.read())


@pytest.fixture
def written():
    """written(change) is the graph's begin as TensorFlow's schema writes it after change(model)."""
    schema = pytest.importorskip("tensorflow.lite.python.schema_py_generated",
                                 reason="TensorFlow 1.15 has no writer of the format")
    flatbuffers = pytest.importorskip("flatbuffers")

    def write(change):
        with open(GRAPH, "rb") as stream:
            model = schema.ModelT.InitFromPackedBuf(stream.read(), 0)
        graph = model.subgraphs[0]
        graph.operators, graph.tensors = graph.operators[:5], graph.tensors[:20]
        change(model, schema)
        builder = flatbuffers.Builder(0)
        builder.Finish(model.Pack(builder), file_identifier=tflite_file.IDENTIFIER)
        return bytes(builder.Output())

    return write


def _metadata(content):
    return tflite_file._tables(content, tflite_file._pointed_at(content, 0), METADATA)[0]


def test_metadata_elsewhere(content):
    """The graph, one byte changed, that TensorFlow 2.21 read half a gigabyte behind its end."""
    model = tflite_file._pointed_at(content, 0)
    vector = tflite_file._pointed_at(content, tflite_file._field(content, model, METADATA))
    assert is_whole(content)
    struct.pack_into("<I", content, vector + 4, FAR)
    assert not is_whole(content)


def test_metadata_of_no_buffer(content):
    model = tflite_file._pointed_at(content, 0)
    num_buffers = len(tflite_file._tables(content, model, MODEL_BUFFERS))
    place = tflite_file._field(content, _metadata(content), METADATA_BUFFER)
    for number, is_there in ((num_buffers - 1, True), (num_buffers, False), (2 ** 32 - 1, False)):
        struct.pack_into("<I", content, place, number)
        assert is_whole(content) == is_there


def test_a_name_without_its_end(content):
    name = tflite_file._pointed_at(content, tflite_file._field(content, _metadata(content),
                                                               METADATA_NAME))
    length = struct.unpack_from("<I", content, name)[0]
    content[name + 4 + length] = 1
    assert not is_whole(content)


def test_a_field_behind_the_end(content):
    """Also one that no version of the format has."""
    num_fields, table_bytes = 12, 32
    field_list = len(content)
    content += struct.pack("<%dH" % (2 + num_fields), 4 + 2 * num_fields, table_bytes,
                           *[0] * num_fields)
    model = len(content)
    content += struct.pack("<i", model - field_list) + bytes(table_bytes - 4)
    struct.pack_into("<I", content, 0, model)
    for offset, is_inside in ((0, True), (table_bytes - 1, True), (table_bytes, False)):
        struct.pack_into("<H", content, model - 2, offset)
        assert is_whole(content) == is_inside


def _signed(tensor=0, subgraph=0):
    def change(model, schema):
        named = schema.TensorMapT()
        named.name, named.tensorIndex = b"x", tensor
        signature = schema.SignatureDefT()
        signature.inputs, signature.outputs = [named], [named]
        signature.signatureKey, signature.subgraphIndex = b"serve", subgraph
        model.signatureDefs = [signature]
    return change


def test_signatures_name_what_is_there(written):
    assert is_whole(written(_signed()))
    assert not is_whole(written(_signed(tensor=100000)))
    assert not is_whole(written(_signed(subgraph=1)))


def _sparse(model, schema):
    indices = schema.Uint8VectorT()
    indices.values = [1, 2, 3]
    dimension = schema.DimensionMetadataT()
    dimension.arraySegmentsType = dimension.arrayIndicesType = schema.SparseIndexVector.Uint8Vector
    dimension.arraySegments = dimension.arrayIndices = indices
    sparsity = schema.SparsityParametersT()
    sparsity.traversalOrder, sparsity.blockMap, sparsity.dimMetadata = [0], [0], [dimension]
    model.subgraphs[0].tensors[0].sparsity = sparsity


def _option(model, schema, kind, name, value):
    options = getattr(schema, kind + "T")()
    setattr(options, name, value)
    operator = model.subgraphs[0].operators[0]
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
    operator.builtinOptions = options


CHANGES = {
    "unchanged": lambda model, schema: None,
    "sparse": _sparse,
    "signature": _signed(),
    "old metadata": lambda model, schema: setattr(model, "metadataBuffer", [0]),
    "reshape": lambda model, schema: _option(model, schema, "ReshapeOptions", "newShape", [1]),
    "squeeze": lambda model, schema: _option(model, schema, "SqueezeOptions", "squeezeDims", [1]),
    "bucketize": lambda model, schema: _option(
        model, schema, "BucketizeOptions", "boundaries", [1.0]),
    "variable": lambda model, schema: _option(
        model, schema, "VarHandleOptions", "sharedName", b"a")}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_what_the_formats_own_writer_makes(written, name):
    content = written(CHANGES[name])
    assert is_whole(content)
    assert not is_whole(content[:len(content) // 2])


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_no_offset_is_forgotten(written, name):
    """Each place that the writer made an offset, moved far out, is found."""
    content = written(CHANGES[name])
    found = 0
    for place in _offsets(content):
        moved = bytearray(content)
        struct.pack_into("<I", moved, place, FAR)
        assert not is_whole(moved), place
        found += 1
    assert found > 150


def _offsets(content):
    """Where the format's own reader asks for an offset, as it reads the whole file."""
    import flatbuffers.table
    schema = pytest.importorskip("tensorflow.lite.python.schema_py_generated")
    places = set()

    class Watched(flatbuffers.table.Table):
        def Indirect(self, place):
            places.add(place)
            return super().Indirect(place)

        def Vector(self, field):
            places.add(self.Pos + field)
            return super().Vector(field)

        def String(self, place):
            places.add(place)
            return super().String(place)

        def Union(self, other, field):
            places.add(self.Pos + field)
            return super().Union(other, field)

    before = flatbuffers.table.Table
    flatbuffers.table.Table = Watched
    try:
        schema.ModelT.InitFromPackedBuf(content, 0)
    finally:
        flatbuffers.table.Table = before
    return places


@pytest.mark.parametrize("part", ["offset", "external", "options2", "custom"])
def test_what_lies_elsewhere_is_refused(written, part):
    def change(model, schema):
        if part == "offset":
            model.buffers[1].offset, model.buffers[1].size = 4, 4
        elif part == "external":
            model.subgraphs[0].tensors[0].externalBuffer = 1
        elif part == "custom":
            model.subgraphs[0].operators[0].largeCustomOptionsOffset = 4
        else:
            model.subgraphs[0].operators[0].builtinOptions2 = schema.StablehloPadOptionsT()
            model.subgraphs[0].operators[0].builtinOptions2Type = (
                schema.BuiltinOptions2.StablehloPadOptions)
    assert not is_whole(written(change))
