"""(f) Python without tensors: tokenise COUNT thousand characters, count pairs, nested loops, a recursive function."""

import os

count = int(os.environ.get("COUNT", "30"))
text = ("the quick brown fox jumps over the lazy dog; pack my box with five dozen jugs! " * (count * 13))[: count * 1000]


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
    for a, b in zip(tokens, tokens[1:]):
        counts[a, b] = counts.get((a, b), 0) + 1
    return counts


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


tokens = tokenise(text)
counts = pairs(tokens)
vocabulary = {token: index for index, token in enumerate(sorted(set(tokens)))}
ids = [vocabulary[token] for token in tokens]
total = 0
for i in range(count * 3):
    for j in range(100):
        total += (i * j) % 7
last = fibonacci(12)
