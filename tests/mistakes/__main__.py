"""Print what cornu and Keras say of each mistake, with the ratings and their averages.

python -m tests.mistakes              # all
python -m tests.mistakes softmax      # those with a word in their name
"""

import sys

import keras

import cornu
from tests.mistakes.table import MISTAKES, said


def main() -> None:
    """Run them."""
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    for name in filter(lambda name: word in name, MISTAKES):
        for library, rating in ((cornu, MISTAKES[name].ours), (keras, MISTAKES[name].theirs)):
            print(f"{name}: {library.__name__} {rating}\n    {said(library, name)[:1500] or 'nothing'}", flush=True)
    for library, ratings in (
        ("cornu", [m.ours for m in MISTAKES.values()]),
        ("Keras", [m.theirs for m in MISTAKES.values()]),
    ):
        print(f"{library}: {sum(ratings) / len(ratings):.2f} on average, {ratings.count(0)} at 0, of {len(ratings)}")


if __name__ == "__main__":
    main()
