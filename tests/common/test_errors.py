"""What a UserError makes of words that it quotes."""
from utils.common.errors import LONGEST_LINE, UserError, print_warning


def test_a_message_is_a_line_of_bounded_length_that_controls_no_terminal(capsys):
    hostile = "a.csv: \x1b]0;title\x07 is\nno   number" + "9" * 5000 + "; export it again"
    text = str(UserError(hostile))
    assert text.startswith("a.csv: ?]0;title? is no number9") and text.endswith("; export it again")
    assert len(text) <= LONGEST_LINE and "\n" not in text
    print_warning(hostile)
    assert capsys.readouterr().err == "warning: %s\n" % text
    assert str(UserError(u"\u58f0.wav is empty")) == u"\u58f0.wav is empty"
