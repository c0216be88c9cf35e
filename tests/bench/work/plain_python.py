"""Plain Python only: split COUNT thousand characters into tokens, count pairs, a nested loop of ints, a recursion."""

import os

COUNT = int(os.environ.get("EPOCHS", "30"))
text = ("the quick brown fox jumps over the lazy dog; pack my box with five dozen jugs! " * (COUNT * 13))[
    : COUNT * 1000
]


def tokenise(text):
    tokens, word = [], ""
    for character in text:
        if character.isalpha():
            word += character
        else:
            if word:
                tokens.append(word)
                word = ""
            if not character.isspace():
                tokens.append(character)
    return tokens


def pairs(tokens):
    counts = {}
    for left, right in zip(tokens, tokens[1:], strict=False):
        counts[left, right] = counts.get((left, right), 0) + 1
    return counts


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


tokens = tokenise(text)
counts = pairs(tokens)
vocabulary = {token: number for number, token in enumerate(sorted(set(tokens)))}
numbers = [vocabulary[token] for token in tokens]
total = 0
for i in range(COUNT * 3):
    for j in range(100):
        total += (i * j) % 7
depth = fibonacci(12)
