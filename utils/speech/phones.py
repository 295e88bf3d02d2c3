"""The phone set that every synthesiser's phones are spelt in."""

SILENCE = "sil"
PHONES = tuple(
    "AA AE AH AO AW AX AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH "
    "UH UW V W Y Z ZH".split()) + (SILENCE,)
STOPS = frozenset("B D G P T K CH JH".split())
