"""Predict the next character of a file that lies beside the script."""

import pathlib
import sys

import torch
from torch import nn

text = pathlib.Path(__file__).with_name("names.txt").read_text()
symbols = sorted(set(text))
number = {symbol: index for index, symbol in enumerate(symbols)}
print(f"{len(text)} characters, {len(symbols)} different", file=sys.stderr)


class RNN(nn.Module):
    def __init__(self, size, hidden):
        super().__init__()
        self.hidden = hidden
        self.embed = nn.Embedding(size, 4)
        self.cell = nn.GRUCell(4, hidden)
        self.head = nn.Linear(hidden, size)

    def forward(self, symbol, state):
        state = self.cell(self.embed(symbol), state)
        return self.head(state), state

    def start(self):
        return torch.zeros(1, self.hidden)


torch.manual_seed(3)
model = RNN(len(symbols), 6)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
names = text.split()
for epoch in range(2):
    total = 0.0
    for name in names[:3]:
        state, loss = model.start(), 0.0
        for here, after in zip(name, name[1:] + "\n"):
            scores, state = model(torch.tensor([number[here]]), state)
            loss = loss + nn.functional.cross_entropy(scores, torch.tensor([number[after]]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"{epoch}: {total:.4f}")


@torch.no_grad()
def sample(first):
    state, out = model.start(), first
    symbol = torch.tensor([number[first]])
    for _ in range(5):
        scores, state = model(symbol, state)
        symbol = torch.multinomial(scores.softmax(1), 1)[0]
        if symbols[symbol.item()] == "\n":
            break
        out += symbols[symbol.item()]
    return out


print([sample(letter) for letter in "ad"])
