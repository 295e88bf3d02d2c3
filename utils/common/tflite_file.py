"""Whether a .tflite file is whole, and which operators it holds.

tf.lite.Interpreter reads past the end of a file that is cut off, or whose offsets lead there, and
takes the process down with it. So all of them are followed once beforehand: the tables and vectors
of TFLite's schema.fbs, version 3, as of TensorFlow 2.21.
"""
import collections
import struct

# A number: a vector of items of so many bytes. A list: a vector of such tables. A dict: a
# table, by field number. _STRING: a vector of bytes and a zero behind it. _Value: so many bytes of
# the table itself. _Union: one of several, by the number in another field. _ABSENT: what no such
# file has, as what lies in other files.
_Value = collections.namedtuple("_Value", "num_bytes")
_Union = collections.namedtuple("_Union", "type_field layouts")
_STRING, _ABSENT = "string", None
_BYTE, _INT = _Value(1), _Value(4)

_OPERATOR_CODE = {0: _BYTE, 1: _STRING, 2: _INT, 3: _INT}       # 1: custom_code
_QUANTIZATION = {0: 4, 1: 4, 2: 4, 3: 8,                        # min, max, scale, zero_point
                 4: _BYTE, 5: _Union(4, {1: {0: 1}}), 6: _INT}
_SPARSE_INDEX = {1: {0: 4}, 2: {0: 2}, 3: {0: 1}}
_DIMENSION = {0: _BYTE, 1: _INT, 2: _BYTE, 3: _Union(2, _SPARSE_INDEX), 4: _BYTE,
              5: _Union(4, _SPARSE_INDEX)}
_SPARSITY = {0: 4, 1: 4, 2: [_DIMENSION]}
_VARIANT = {0: 4, 1: _BYTE, 2: _BYTE}
_TENSOR = {0: 4, 1: _BYTE, 2: _INT, 3: _STRING, 4: _QUANTIZATION,   # 2: buffer
           5: _BYTE, 6: _SPARSITY, 7: 4, 8: _BYTE, 9: [_VARIANT], 10: _ABSENT}
# Those whose options are more than values: ConcatEmbeddings, Reshape, Squeeze, VarHandle, Bucketize.
_OPTIONS = {3: {1: 4, 2: 4}, 17: {0: 4}, 30: {0: 4}, 111: {0: _STRING, 1: _STRING},
            115: {0: 4}}
_OPERATOR = {0: _INT, 1: 4, 2: 4, 3: _BYTE, 4: _Union(3, _OPTIONS),     # inputs, outputs, options
             5: 1, 6: _BYTE, 7: 1, 8: 4, 9: _ABSENT, 10: _ABSENT, 11: _BYTE, 12: _ABSENT, 13: _INT}
_SUBGRAPH = {0: [_TENSOR], 1: 4, 2: 4, 3: [_OPERATOR], 4: _STRING, 5: _INT}
_BUFFER = {0: 1, 1: _ABSENT, 2: _ABSENT}
_METADATA = {0: _STRING, 1: _INT}                               # name, buffer
_NAMED_TENSOR = {0: _STRING, 1: _INT}
_SIGNATURE = {0: [_NAMED_TENSOR], 1: [_NAMED_TENSOR], 2: _STRING, 4: _INT}
_MODEL = {0: _INT, 1: [_OPERATOR_CODE], 2: [_SUBGRAPH], 3: _STRING, 4: [_BUFFER], 5: 4,
          6: [_METADATA], 7: [_SIGNATURE], 8: _ABSENT, 9: _ABSENT}

MOST_TABLES = 200000                    # tables and vectors; the released graph has some hundreds
# BuiltinOperator.
ADD, CONCATENATION, FULLY_CONNECTED, LOGISTIC, MUL, RESHAPE, SOFTMAX = 0, 2, 9, 14, 18, 22, 25
TANH, STRIDED_SLICE, SPLIT, MINIMUM = 28, 45, 49, 57

IDENTIFIER = b"TFL3"
IDENTIFIER_OFFSET = 4


def is_tflite(head):
    """Whether a file that begins with the bytes `head` calls itself a .tflite."""
    return head[IDENTIFIER_OFFSET:IDENTIFIER_OFFSET + len(IDENTIFIER)] == IDENTIFIER


def is_whole(content):
    """Whether every part of the .tflite file with these bytes lies inside it, and each only once.
    """
    try:
        model = _pointed_at(content, 0)
        return (_end(content, model, _MODEL, [MOST_TABLES]) <= len(content)
                and _names_what_is_there(content, model))
    except struct.error:                    # an offset that points outside
        return False


def _names_what_is_there(content, model):
    """Whether the numbers that TensorFlow Lite does not check are of parts that the file has."""
    num_buffers = len(_tables(content, model, 4))
    num_tensors = [len(_tables(content, subgraph, 0)) for subgraph in _tables(content, model, 2)]
    if any(_number(content, metadata, 1) >= num_buffers
           for metadata in _tables(content, model, 6)):
        return False
    for signature in _tables(content, model, 7):
        subgraph = _number(content, signature, 4)
        if subgraph >= len(num_tensors) or any(
                _number(content, named, 1) >= num_tensors[subgraph]
                for field in (0, 1) for named in _tables(content, signature, field)):
            return False
    return True


def _pointed_at(content, position):
    return position + struct.unpack_from("<I", content, position)[0]


def _end(content, position, layout, left):
    """Where the part at `position`, and all that hangs on it, ends at the furthest.

    left: [how many tables may still come]. Parts that lie on one another have no end of them.
    """
    left[0] -= 1
    if left[0] < 0:
        raise struct.error("too many tables")
    if layout is _STRING:
        end = _end(content, position, 1, left)
        if struct.unpack_from("<b", content, end)[0]:
            raise struct.error("a string without an end")
        return end + 1
    if isinstance(layout, int):
        return position + 4 + layout * struct.unpack_from("<I", content, position)[0]
    if isinstance(layout, list):
        length = struct.unpack_from("<I", content, position)[0]
        entries = range(position + 4, position + 4 + 4 * length, 4)
        return max([entries.stop] + [_end(content, _pointed_at(content, entry), layout[0],
                                          left) for entry in entries])
    field_list = position - struct.unpack_from("<i", content, position)[0]
    if field_list < 0:
        raise struct.error("a table without its field list")
    field_list_size, table_size = struct.unpack_from("<HH", content, field_list)
    ends = [position + table_size, field_list + field_list_size]
    for field in range((field_list_size - 4) // 2):
        offset = struct.unpack_from("<H", content, field_list + 4 + 2 * field)[0]
        if offset:                                              # 0: the field is left out
            ends.append(_end_of_field(content, position, offset, layout.get(field, _BYTE), left))
    return max(ends)


def _end_of_field(content, table, offset, layout, left):
    if layout is _ABSENT:
        raise struct.error("a part that no such file has")
    if isinstance(layout, _Value):
        return table + offset + layout.num_bytes
    if isinstance(layout, _Union):
        layout = layout.layouts.get(_byte(content, table, layout.type_field), {})
    return _end(content, _pointed_at(content, table + offset), layout, left)


def operators(content):
    """What the whole .tflite file with these bytes computes: its operators, in their order.

    Returns:
      list of (code, option, inputs, outputs): a number of schema.fbs's BuiltinOperator; the
      low byte of the first of its options, 0 if left out; and two tuples of tensor numbers.
    """
    model = _pointed_at(content, 0)
    codes = [_byte(content, table, 0) for table in _tables(content, model, 1)]
    found = []
    for table in _tables(content, _tables(content, model, 2)[0], 3):
        options = _field(content, table, 4)
        found.append((codes[_number(content, table, 0)],
                      _byte(content, _pointed_at(content, options), 0) if options else 0,
                      _numbers(content, table, 1), _numbers(content, table, 2)))
    return found


def _field(content, table, field):
    """Where a table keeps a field; None if it leaves it out."""
    field_list = table - struct.unpack_from("<i", content, table)[0]
    entry = 4 + 2 * field
    if entry >= struct.unpack_from("<H", content, field_list)[0]:
        return None
    offset = struct.unpack_from("<H", content, field_list + entry)[0]
    return table + offset if offset else None


def _byte(content, table, field):
    position = _field(content, table, field)
    return struct.unpack_from("<b", content, position)[0] if position else 0


def _number(content, table, field):
    position = _field(content, table, field)
    return struct.unpack_from("<I", content, position)[0] if position else 0


def _numbers(content, table, field):
    position = _field(content, table, field)
    if not position:
        return ()
    vector = _pointed_at(content, position)
    length = struct.unpack_from("<I", content, vector)[0]
    return struct.unpack_from("<%di" % length, content, vector + 4)


def _tables(content, table, field):
    position = _field(content, table, field)
    if not position:
        return []
    vector = _pointed_at(content, position)
    length = struct.unpack_from("<I", content, vector)[0]
    return [_pointed_at(content, vector + 4 + 4 * i) for i in range(length)]


def places_for(plan, outputs, inputs=(), renamed=None):
    """Which operators make the tensors `outputs`, where the tensors `inputs` are there.

    Args:
      plan: of operators(); outputs, inputs: tensor numbers.
      renamed: {tensor number: the tensor that is read in its place}.
    Returns:
      places in `plan`, rising.
    """
    kept, needed = [], set(outputs)
    for place in reversed(range(len(plan))):
        _, _, read, written = plan[place]
        if not needed.isdisjoint(written) and set(inputs).isdisjoint(written):
            kept.insert(0, place)
            needed.update((renamed or {}).get(number, number) for number in read)
    return kept


def part_of(content, kept, renamed, inputs, outputs):
    """The bytes of a .tflite that computes a part of what the one with the bytes `content` does.

    Args:
      kept: which of operators(content), as places in that list, rising.
      renamed: {tensor number: the tensor that the operators kept read in its place}.
      inputs, outputs: tensor numbers; no more of them than the file has.
    """
    part = bytearray(content)
    subgraph = _tables(content, _pointed_at(content, 0), 2)[0]
    vector = _pointed_at(content, _field(content, subgraph, 3))
    tables = _tables(content, subgraph, 3)
    for i, place in enumerate(kept):            # offsets count from where they stand
        entry = vector + 4 + 4 * i
        struct.pack_into("<I", part, entry, tables[place] - entry)
        numbers = [renamed.get(number, number)
                   for number in _numbers(content, tables[place], 1)]
        _overwrite_numbers(part, tables[place], 1, numbers)
    struct.pack_into("<I", part, vector, len(kept))
    _overwrite_numbers(part, subgraph, 1, inputs)
    _overwrite_numbers(part, subgraph, 2, outputs)
    return bytes(part)


def _overwrite_numbers(content, table, field, numbers):
    """Put `numbers`, no more than there are, in the place of a vector's own."""
    vector = _pointed_at(content, _field(content, table, field))
    struct.pack_into("<%di" % (1 + len(numbers)), content, vector, len(numbers), *numbers)
