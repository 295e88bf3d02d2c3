"""Sentences as people say them who think meanwhile: fillers, false starts, names, numbers."""

FILLERS = ("uh", "um", "er", "erm", "hm", "hmm", "mm", "ah", "oh", "well", "so", "like",
           "you know", "i mean", "sort of", "okay so", "let me see", "what was it")
REPLIES = ("mhm", "mm", "mmhm", "uh huh", "yeah", "yep", "no", "nope", "oh", "okay", "right",
           "sure", "really", "wow", "oh no", "hm", "hmm", "huh", "ha ha", "ha ha ha", "he he",
           "hello", "hi there", "hey", "thanks", "thank you", "good bye", "bye bye", "please",
           "maybe", "of course", "i see", "ah", "oops", "ugh", "aw", "um", "uh", "wait wait")
NAMES = ("james mary robert patricia michael jennifer david linda william barbara joseph susan "
         "thomas maria emma oliver noah sophie ahmed fatima wei mei hiroshi yuki carlos lucia "
         "pierre chloe anna peter boris olga raj priya kwame amara bob ben pam beth phoebe vivian "
         "smith johnson williams brown jones garcia miller davis martinez lopez wilson anderson "
         "moore jackson thompson white clark lewis walker young king wright hill scott green baker "
         "london paris berlin boston tokyo madrid chicago delhi cairo sydney").split()
ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def number_words(number):
    """A whole number below a million in words: 1984 -> 'one thousand nine hundred eighty four'."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return " ".join([TENS[number // 10 - 2]] + [ONES[number % 10]] * (number % 10 > 0))
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    rest = [number_words(number % size)] if number % size else []
    return " ".join([number_words(number // size), name] + rest)


def drawn(random, choices):
    return choices[random.randint(len(choices))]


def with_number(random):
    """A short sentence that holds a number."""
    number = number_words(int(10 ** random.uniform(0.0, 5.9)))
    name = drawn(random, NAMES)
    digits = " ".join(drawn(random, ONES[:10]) for _ in range(random.randint(3, 8)))
    return drawn(random, (
        "it was %s dollars" % number, "%s people came" % number, "my number is %s" % digits,
        "about %s, maybe %s" % (number, number_words(random.randint(2, 200))),
        "%s is %s years old" % (name, number_words(random.randint(2, 100))),
        "call me at %s" % digits, "%s percent of them" % number_words(random.randint(1, 101)),
        "at half past %s" % drawn(random, ONES[1:13]), "page %s" % number))


def with_name(random):
    """A short sentence that holds names."""
    one, other = drawn(random, NAMES), drawn(random, NAMES)
    return drawn(random, (
        "this is %s %s" % (one, other), "hi, i am %s" % one, "%s and %s were there" % (one, other),
        "have you met %s" % one, "%s, can you hear me" % one, "i come from %s" % one,
        "we told %s about it" % one, "was it %s or %s" % (one, other)))


def hesitant(random, sentence):
    """The sentence (commas and words) with fillers and false starts put in."""
    words, said = sentence.split(), []
    for number, word in enumerate(words):
        if random.rand() < (0.5 if number == 0 else 0.06):
            said.append(drawn(random, FILLERS) + ("," if random.rand() < 0.7 else ""))
        if random.rand() < 0.07:                # begun again, of one word or two
            again = [one.strip(",") for one in words[max(0, number - 1):number + 1]]
            said.extend(again)
            said[-1] += "," if random.rand() < 0.6 else ""
            if len(again) > 1:
                said.append(again[0])
        said.append(word)
    return " ".join(said)


def spontaneous(random, sentence):
    """What is said instead of a written sentence: it with hesitation, a reply, names or numbers."""
    kind = random.rand()
    if kind < 0.2:
        return ", ".join(drawn(random, REPLIES) for _ in range(random.randint(1, 4)))
    if kind < 0.35:
        sentence = with_number(random)
    elif kind < 0.5:
        sentence = with_name(random)
    return hesitant(random, sentence)
