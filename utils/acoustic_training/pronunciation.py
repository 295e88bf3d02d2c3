"""Words of many languages in the phones of PHONES, by espeak-ng's rules (Debian package espeak-ng).

Mandarin in Zhuyin (Bopomofo), which says how it is spoken, needs a table alone.

The network reads lips: a sound that English lacks goes to the one whose lips and place are
nearest (a front rounded vowel to UW, a trill to the tap in "city", which is D). Vowel length,
nasality, palatalisation and stress are dropped.
"""
import re
import subprocess
import unicodedata

from utils.common.errors import UserError

# Letters of the International Phonetic Alphabet -> PHONES, blank-separated.
IPA_PHONES = {
    "p": "P", "b": "B", "t": "T", "d": "D", "ʈ": "T", "ɖ": "D", "k": "K", "g": "G", "ɡ": "G",
    "q": "K", "c": "CH", "ɟ": "JH", "tʃ": "CH", "dʒ": "JH", "tɕ": "CH", "dʑ": "JH",
    "ʈʂ": "CH", "ɖʐ": "JH", "f": "F", "v": "V", "ʋ": "V", "β": "V", "ɸ": "F", "θ": "TH", "ð": "DH",
    "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "ɕ": "SH", "ʑ": "ZH", "ʂ": "SH", "ʐ": "ZH",
    "ç": "HH", "ʝ": "Y", "x": "HH", "ɣ": "HH", "χ": "HH", "ʁ": "HH", "h": "HH", "ɦ": "HH",
    "m": "M", "n": "N", "ɳ": "N", "ɲ": "N Y", "ŋ": "NG", "l": "L", "ɫ": "L", "ɭ": "L", "ʎ": "L Y",
    "ɴ": "NG", "r": "D", "ɾ": "D", "ɽ": "D", "ɹ": "R", "ɻ": "R", "j": "Y", "w": "W", "ɥ": "W",
    "i": "IY", "ɪ": "IH", "ɨ": "IH", "ᵻ": "IH", "e": "EH", "ɛ": "EH", "ε": "EH", "æ": "AE",
    "a": "AA", "ɑ": "AA", "ɒ": "AA", "ɐ": "AH", "ʌ": "AH", "ə": "AH", "ɵ": "UH", "ɜ": "ER",
    "ɚ": "ER", "ɔ": "AO", "o": "AO", "ʊ": "UH", "u": "UW", "ʉ": "UW", "ɯ": "UW", "y": "UW", "ø": "UH",
    "œ": "UH",
    "aɪ": "AY", "aʊ": "AW", "ɔɪ": "OY", "oɪ": "OY", "eɪ": "EY", "ɛɪ": "EY", "əʊ": "OW", "oʊ": "OW",
}
DROPPED = "ˈˌːʲʰᵝʔ?^\"':.-"
# Czech's fricative trill is heard and spoken as a ZH, not as its base letter.
FRICATIVE_TRILL = "r\N{COMBINING UP TACK BELOW}"

ZHUYIN = "zhuyin"
# A syllable is a consonant or none, then an end; tones do not show.
ZHUYIN_CONSONANTS = {
    "ㄅ": "B", "ㄆ": "P", "ㄇ": "M", "ㄈ": "F", "ㄉ": "D", "ㄊ": "T", "ㄋ": "N", "ㄌ": "L",
    "ㄍ": "G", "ㄎ": "K", "ㄏ": "HH", "ㄐ": "JH", "ㄑ": "CH", "ㄒ": "SH", "ㄓ": "JH", "ㄔ": "CH",
    "ㄕ": "SH", "ㄖ": "R", "ㄗ": "T S", "ㄘ": "T S", "ㄙ": "S",
}
SYLLABIC = set("ㄓㄔㄕㄖㄗㄘㄙ")        # these sound on where no end follows
ZHUYIN_ENDS = {
    "ㄚ": "AA", "ㄛ": "AO", "ㄜ": "AH", "ㄝ": "EH", "ㄞ": "AY", "ㄟ": "EY", "ㄠ": "AW", "ㄡ": "OW",
    "ㄢ": "AA N", "ㄣ": "AH N", "ㄤ": "AA NG", "ㄥ": "AH NG", "ㄦ": "ER",
}
ZHUYIN_ENDS.update({glide + end: spoken + " " + phones
                    for glide, spoken in (("ㄧ", "Y"), ("ㄨ", "W"), ("ㄩ", "W"))
                    for end, phones in list(ZHUYIN_ENDS.items())})
# Glides that are vowels, and those that change what they glide into.
ZHUYIN_ENDS.update({
    "ㄧ": "IY", "ㄨ": "UW", "ㄩ": "UW", "ㄧㄢ": "Y EH N", "ㄧㄣ": "IY N", "ㄧㄥ": "IY NG",
    "ㄨㄥ": "UH NG", "ㄩㄢ": "W EH N", "ㄩㄣ": "UW N", "ㄩㄥ": "Y UH NG",
})


def pronounced(text, language):
    """The phones of each word of a text: [tuple of PHONES].

    language: espeak-ng's name of it ("fr"), or ZHUYIN for Mandarin syllables in that script. Raises
    UserError where espeak-ng is missing, does not know the language, or says a sound that
    IPA_PHONES lacks, and for what is no Zhuyin.
    """
    if language == ZHUYIN:
        return [phones_of_zhuyin(syllable) for syllable in text.split()]
    try:
        said = subprocess.run(
            ["espeak-ng", "-q", "-v", language, "--ipa", "--sep=_", "--stdin"],
            input=text.encode("utf-8"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError:
        raise UserError("no espeak-ng on PATH: install the Debian package espeak-ng")
    if said.returncode != 0:
        raise UserError("espeak-ng does not say words in %r: see espeak-ng --voices" % language)
    # "(en)" marks a word that it says as of another language.
    words = re.sub(r"\([a-z-]*\)", "", said.stdout.decode("utf-8")).split()
    phones_of_words = [tuple(phone for symbol in word.split("_") for phone in phones_of_ipa(symbol))
                       for word in words]
    return [phones for phones in phones_of_words if phones]


def phones_of_ipa(symbol):
    """Phones of one of espeak-ng's IPA symbols; [] for a mark alone."""
    symbol = unicodedata.normalize("NFD", symbol).replace(FRICATIVE_TRILL, "ʒ").replace(
        unicodedata.normalize("NFD", "ç"), "ç")
    letters = "".join(letter for letter in symbol
                      if letter not in DROPPED and not unicodedata.combining(letter))
    phones = []
    while letters:
        length = 2 if letters[:2] in IPA_PHONES else 1
        if letters[:length] not in IPA_PHONES:
            raise UserError("espeak-ng says %r, which has no place in IPA_PHONES of "
                            "utils/acoustic_training/pronunciation.py; add it" % letters[:length])
        phones.extend(IPA_PHONES[letters[:length]].split())
        letters = letters[length:]
    return phones


def phones_of_zhuyin(syllable):
    """The phones of a Mandarin syllable, a tone behind it or not: "ㄅㄧㄢ4" -> (B, Y, EH, N)."""
    written = syllable.rstrip("12345")
    consonant = written[:1] if written[:1] in ZHUYIN_CONSONANTS else ""
    end = written[len(consonant):]
    if end not in ZHUYIN_ENDS and written not in SYLLABIC:
        raise UserError("%r is no syllable of Mandarin in Zhuyin" % syllable)
    return tuple((ZHUYIN_CONSONANTS.get(consonant, "") + " "
                  + ZHUYIN_ENDS.get(end, "IH")).split())
