"""What the HTML pages share: their style sheet and their tables."""
import html

STYLE = """
body { font: 15px/1.45 sans-serif; color: #20262d; max-width: 70em; margin: 2em auto;
       padding: 0 1em; }
table { border-collapse: collapse; margin: 0 0 2em; }
th, td { padding: .15em .9em; text-align: right; border-bottom: 1px solid #e3e7ec; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid #20262d; }
img { max-width: 100%; }
.facts { color: #5b6670; }
"""


def html_table(header, rows):
    head = "".join("<th>%s</th>" % html.escape(cell) for cell in header)
    body = "\n".join("<tr>%s</tr>" % "".join(
        "<td>%s</td>" % html.escape(cell).replace("-", "&minus;") if cell != "-"
        else "<td>&ndash;</td>" for cell in row) for row in rows)
    return "<table><thead><tr>%s</tr></thead><tbody>\n%s\n</tbody></table>" % (head, body)
