"""Plain Python without tensors: tokenise, count pairs, a nested loop of ints, a recursion; an epoch is 1,000
characters."""

import os

N = int(os.environ.get("EPOCHS", "30"))
text = ("the quick brown fox jumps over the lazy dog; pack my box with five dozen jugs! " * (N * 13))[: N * 1000]


def tokenise(text):
    tokens, word = [], ""
    for ch in text:
        if ch.isalpha():
            word += ch
        else:
            if word:
                tokens.append(word)
                word = ""
            if not ch.isspace():
                tokens.append(ch)
    return tokens


def pairs(tokens):
    counts = {}
    for a, b in zip(tokens, tokens[1:]):
        counts[a, b] = counts.get((a, b), 0) + 1
    return counts


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


tokens = tokenise(text)
counts = pairs(tokens)
vocab = {t: i for i, t in enumerate(sorted(set(tokens)))}
ids = [vocab[t] for t in tokens]
total = 0
for i in range(N * 3):
    for j in range(100):
        total += (i * j) % 7
depth = fib(12)
