"""A word with one typo, as a regular expression of PostgreSQL."""

import re

# In a shorter word nearly everything is one typo away; a longer one would make an expression of megabytes.
SHORTEST_FORGIVEN, LONGEST_FORGIVEN = 3, 32


def one_typo_pattern(word: str) -> str:
    """A pattern that finds `word` as a whole word, or one that is at most one edit away from it.

    An edit is a letter wrong, missing or too many, or two neighbours swapped (the optimal string alignment distance).
    The pattern is for `~` on folded text.
    """
    letters = [re.sub(r"(\W)", r"\\\1", letter) for letter in word]
    forms = {"".join(letters)}
    if SHORTEST_FORGIVEN <= len(letters) <= LONGEST_FORGIVEN:
        forms.add("".join([*letters, "."]))
        for i, letter in enumerate(letters):
            before, after = letters[:i], letters[i + 1 :]
            forms.add("".join([*before, ".?", *after]))  # wrong, or too many
            forms.add("".join([*before, ".", letter, *after]))  # missing
            forms.add("".join([*before, *after[:1], letter, *after[1:]]))  # swapped
    return rf"(^|[^a-z0-9])({'|'.join(sorted(forms))})($|[^a-z0-9])"
