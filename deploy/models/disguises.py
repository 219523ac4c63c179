"""Words as they are written by mistake or in disguise, so that a person still reads them: what the adversarial recipe
of train_sentiment.py trains on. An edit takes a random.Random and a word that is_able."""

import string

DISGUISED_SHARE = 0.5  # of the words that are able

# Letters of Cyrillic that look like Latin ones in most fonts (Unicode's confusables.txt).
ALIKE = dict(zip("acdehijlopsxyACEHKMOPTXBSJI", "асԁеһіјӏорѕхуАСЕНКМОРТХВЅЈІ", strict=True))


def is_able(word):
    """A shorter word, disguised, is another one."""
    return len(word) >= 3 and any(map(str.isalpha, word))


def swap(chance, word):
    place = chance.randrange(len(word) - 1)
    return word[:place] + word[place + 1] + word[place] + word[place + 2:]


def drop(chance, word):
    place = chance.randrange(len(word))
    return word[:place] + word[place + 1:]


def insert(chance, word):
    place = chance.randrange(len(word) + 1)
    return word[:place] + chance.choice(string.ascii_lowercase) + word[place:]


def replace(chance, word):
    place = chance.randrange(len(word))
    return word[:place] + chance.choice(string.ascii_lowercase) + word[place + 1:]


def shuffle(chance, word):
    """All letters but the first and the last."""
    return word[0] + "".join(chance.sample(word[1:-1], len(word) - 2)) + word[-1]


def look_alike(chance, word):
    """A letter or several, in another script."""
    places = [place for place, letter in enumerate(word) if letter in ALIKE]
    chosen = chance.sample(places, chance.randint(1, len(places))) if places else []
    return "".join(ALIKE[letter] if place in chosen else letter for place, letter in enumerate(word))


EDITS = (swap, drop, insert, replace, shuffle, look_alike)


def disguised(chance, text):
    """A text whose words are apart by spaces, with about DISGUISED_SHARE of them edited."""
    return " ".join(chance.choice(EDITS)(chance, word) if is_able(word) and chance.random() < DISGUISED_SHARE else word
                    for word in text.split(" "))
