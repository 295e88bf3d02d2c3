"""utils/formats/csv_text.py: one table in all the clothes that programs put on it."""
import codecs

import pytest

from utils.common.errors import UserError
from utils.formats.csv_text import csv_header, csv_rows, number

ROWS = [["Timecode", "Count", "JawOpen"], ["00:00:00:00.000", "61", "0.5"],
        ["00:00:00:02.000", "61", "0.25"]]
PLAIN = "".join(",".join(cells) + "\n" for cells in ROWS)
GERMAN = PLAIN.replace(",", ";").replace("0.5", "0,5").replace("0.25", "0,25")

CLOTHES = {
    "plain": PLAIN.encode("ascii"),
    "byte order mark": codecs.BOM_UTF8 + PLAIN.encode("ascii"),
    "UTF-16, little": codecs.BOM_UTF16_LE + PLAIN.encode("utf-16-le"),
    "UTF-16, big": codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"),
    "UTF-16 without a mark": PLAIN.encode("utf-16-le"),
    "UTF-16, big, without a mark": PLAIN.encode("utf-16-be"),
    "carriage returns": PLAIN.replace("\n", "\r\n").encode("ascii"),
    "carriage returns alone": PLAIN.replace("\n", "\r").encode("ascii"),
    "no last line end": PLAIN.rstrip("\n").encode("ascii"),
    "quotes": "".join(",".join('"%s"' % cell for cell in cells) + "\n"
                      for cells in ROWS).encode("ascii"),
    "spaces": PLAIN.replace(",", " , ").encode("ascii"),
    "tabs": PLAIN.replace(",", "\t").encode("ascii"),
    "bars": PLAIN.replace(",", "|").encode("ascii"),
    "Excel's first line": ("sep=;\r\n" + PLAIN.replace(",", ";")).encode("ascii"),
    "index of pandas": "".join(
        "%s,%s\n" % (index, line) for index, line in zip(("", 0, 1), PLAIN.splitlines())
    ).encode("ascii"),
    "index of pandas read again": "".join(
        "%s,%s\n" % (index, line) for index, line in zip(("Unnamed: 0", 0, 1), PLAIN.splitlines())
    ).encode("ascii"),
    "index of pandas with a name": "".join(
        "%s,%s\n" % (index, line) for index, line in zip(("index", 0, 1), PLAIN.splitlines())
    ).encode("ascii"),
    "commas at the end of rows": PLAIN.replace("\n", ",,\n").encode("ascii"),
    "commas at the end of the rows below the header": (
        PLAIN.split("\n")[0] + "\n" + PLAIN.split("\n", 1)[1].replace("\n", ",\n")).encode("ascii"),
    "rows of commas": (PLAIN + ",,\n,,\n").encode("ascii"),
    "empty lines": ("\n\n" + PLAIN.replace("\n", "\n\n")).encode("ascii"),
    "Ctrl-Z": (PLAIN + "\x1a").encode("ascii"),
    "Ctrl-Z behind the last cell": (PLAIN.rstrip("\n") + "\x1a").encode("ascii"),
    "Ctrl-Z and a line end": (PLAIN + "\x1a\r\n").encode("ascii"),
    "zero bytes at the end": PLAIN.encode("ascii") + bytes(64),
}


@pytest.mark.parametrize("clothes", sorted(CLOTHES))
def test_one_table_in_all_clothes(tmp_path, clothes):
    path = tmp_path / "a.csv"
    path.write_bytes(CLOTHES[clothes])
    assert [cells for _, cells in csv_rows(str(path))] == ROWS
    assert csv_header(str(path)) == ROWS[0]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas(tmp_path, delimiter):
    path = tmp_path / "a.csv"
    path.write_text(GERMAN.replace(";", delimiter))
    rows = [cells for _, cells in csv_rows(str(path))]
    assert [number(cells[2]) for cells in rows[1:]] == [0.5, 0.25]
    path.write_text('Count,JawOpen\n61,"0,5"\n')
    assert [number(cell) for cell in list(csv_rows(str(path)))[1][1]] == [61.0, 0.5]


@pytest.mark.parametrize("cell", ["", "x", "1.234,5", "1,234,5", "0,5x"])
def test_no_numbers(cell):
    with pytest.raises(ValueError):
        number(cell)


def test_line_numbers_and_rows_of_another_length(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n\n3\n4,5,6\n")
    assert list(csv_rows(str(path))) == [
        (1, ["a", "b"]), (2, ["1", "2"]), (4, ["3"]), (5, ["4", "5", "6"])]
    path.write_text("sep=,\na,b\n1,2\n")
    assert list(csv_rows(str(path))) == [(2, ["a", "b"]), (3, ["1", "2"])]


def test_what_is_no_table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"")
    assert list(csv_rows(str(path))) == [] and csv_header(str(path)) == []
    path.write_text('a,b\n1,"' + "2" * (1 << 18) + "\n")
    with pytest.raises(UserError, match="a.csv is not a table of text"):
        list(csv_rows(str(path)))
    for missing in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(UserError, match="cannot read"):
            csv_header(str(missing))
