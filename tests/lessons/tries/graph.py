"""What a learner might try in the exercises about the graph."""

from __future__ import annotations

from tests.lessons.plainly import Tries

TRIES: Tries = {
    "dynamic/distance": [
        ("", "name 'distance' is not defined"),
        ("def distance(x):\n    return x", "The distance of -3 is 3, and you give -3"),
        ("def distance(x):\n    return abs(x.item())", "it has left the graph"),
        ("def distance(x):\n    return torch.tensor(abs(x.item()))", "it has left the graph"),
        ("def distance(x):\n    if x > 0:\n        return x", "For -3 nothing is returned"),
        ("def distance(x):\n    return -x", "The distance of 3 is 3, and you give -3"),
        ("def distance(x):\n    return x + (x.abs() - x).detach()", "The derivative at -3 is -1, and yours is 1"),
    ],
    "saved/lighter": [
        ("", "name 'triple' is not defined"),
        ("def triple(x):\n    return 3 * x", "The second pass failed"),
        ("def triple(x):\n    return x.detach() * 3", "it has left the graph"),
        ("def triple(x):\n    return 15.0", "should return a tensor"),
        ("def triple(x):\n    return x + x", "Three times 5 is 15, and you give 10"),
        ("def triple(x):\n    return x + (x + x).detach()", "brought 2"),
    ],
    "two-paths/by-hand": [
        ("", "Nothing is typed yet for z, d, c, p, q"),
        ('gradients = {"z": 1, "d": -3, "c": -3, "p": 9, "q": -10}', "on one of its two paths"),
        ('gradients = {"z": 1, "d": -3, "c": -3, "p": 6, "q": -4}', "on one of its two paths"),
        ('gradients = {"z": 12, "d": -3, "c": -3, "p": 6, "q": -10}', "12 is the value of z"),
        ('gradients = {"z": 1, "d": 3, "c": -3, "p": 6, "q": -10}', "Only the sign is wrong at d"),
        ('gradients = {"z": 1, "d": -3, "c": 9, "p": 6, "q": -10}', "9 does not reach c"),
    ],
}
