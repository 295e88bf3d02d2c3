"""Text tables as programs write them: pandas' index column, Excel's semicolons, tabs, UTF-16.

What csv_rows takes: cells in quotes; commas, semicolons, tabs or bars between cells (the header
says which); decimal commas; UTF-8 with or without a byte order mark, UTF-16 of either byte order;
any line ending; Excel's first line `sep=;`; a Ctrl-Z or zero bytes at the end. Columns without a
name (pandas calls them `Unnamed: 0`), a first column `index` and rows of empty cells are left out.
"""
import csv
import itertools
import re

from utils.common.errors import UserError

DELIMITERS = (",", ";", "\t", "|")
DELIMITER_LINE = re.compile(r"\s*\"?sep=(.)\"?\s*$", re.IGNORECASE)
UNNAMED = re.compile(r"(unnamed: \d+(_level_\d+)?)?$", re.IGNORECASE)
INDEX = re.compile(r"(index|level_0)$", re.IGNORECASE)
MAX_LINE = 1 << 20              # letters; what is longer comes as several lines, and fits no header
LINE_END = "\r\n\0\x1a"         # zero bytes of a file cut off, and DOS's end of file, among them


def csv_rows(path):
    """Yield (line number, cells) of a table, its header first.

    Cells are strings without spaces around them, those of columns with a name only. A row may be
    shorter or longer than the header; its reader says what is wrong then. Raises UserError for a
    file that cannot be opened, or whose quotes do not end.
    """
    try:
        with open(path, encoding=text_encoding(path), errors="replace", newline="") as stream:
            # Python 3.7's csv knows no zero byte; a cell with one is no number anyway.
            lines = (line.rstrip(LINE_END).replace("\0", "\ufffd")
                     for line in iter(lambda: stream.readline(MAX_LINE), ""))
            first = next((line for line in lines if line.strip()), "")
            said = DELIMITER_LINE.match(first)
            if said:
                first = next(lines, "")
            delimiter = said.group(1) if said else _delimiter(first)
            reader = csv.reader(itertools.chain([first], lines), delimiter=delimiter)
            for row in _named_columns(reader, 2 if said else 1):
                yield row
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))
    except csv.Error as error:
        raise UserError("%s is not a table of text: %s" % (path, error))


def csv_header(path):
    """The names of the columns, as they stand there; [] of an empty file; errors as csv_rows."""
    rows = csv_rows(path)
    cells = next(rows, (1, []))[1]
    rows.close()
    return cells


def number(cell):
    """A cell as float, with a decimal point or a decimal comma; ValueError where it is neither."""
    try:
        return float(cell)
    except ValueError:
        return float(cell.replace(",", "."))


def text_encoding(path):
    """The encoding of a text file, by its first bytes: "utf-16...", else "utf-8-sig"."""
    with open(path, "rb") as stream:
        start = stream.read(4)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if len(start) == 4 and start[1:2] == start[3:4] == b"\0" != start[:1]:
        return "utf-16-le"
    if len(start) == 4 and start[:1] == start[2:3] == b"\0" != start[1:2]:
        return "utf-16-be"
    return "utf-8-sig"


def _delimiter(header):
    """What stands between the cells of a header: no column's name holds one of them."""
    outside = re.sub(r'"[^"]*"', "", header)
    return max(DELIMITERS, key=outside.count)       # the first, where none is there


def _named_columns(reader, first_line):
    columns, kept = None, []
    for cells in reader:
        cells = [cell.strip() for cell in cells]
        if columns is None:
            columns = [" ".join(cell.split()) for cell in cells]    # lines quote them one by one
            kept = [place for place, name in enumerate(columns)
                    if not UNNAMED.match(name) and not (place == 0 and INDEX.match(name))]
        while len(cells) > len(columns) and not cells[-1]:
            cells.pop()
        row = cells
        if len(kept) < len(columns):
            row = [cells[place] for place in kept if place < len(cells)] + cells[len(columns):]
        if any(row):
            yield reader.line_num + first_line - 1, row
