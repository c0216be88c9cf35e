"""(d) A GPT of two blocks, COUNT steps of AdamW with the gradients clipped; what each step prints is recorded too."""

import math
import os

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(4)
VOCABULARY, CHANNELS, TIME = 11, 16, 8


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(CHANNELS), nn.LayerNorm(CHANNELS)
        self.qkv, self.proj = nn.Linear(CHANNELS, 3 * CHANNELS), nn.Linear(CHANNELS, CHANNELS)
        self.mlp = nn.Sequential(nn.Linear(CHANNELS, 2 * CHANNELS), nn.GELU(), nn.Linear(2 * CHANNELS, CHANNELS))
        self.register_buffer("mask", torch.tril(torch.ones(TIME, TIME)))

    def forward(self, x):
        q, k, v = self.qkv(self.ln1(x)).chunk(3, dim=-1)
        attention = (q @ k.transpose(-2, -1)) / math.sqrt(CHANNELS)
        attention = attention.masked_fill(self.mask == 0, float("-inf")).softmax(-1)
        x = x + self.proj(attention @ v)
        return x + self.mlp(self.ln2(x))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok, self.pos = nn.Embedding(VOCABULARY, CHANNELS), nn.Embedding(TIME, CHANNELS)
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.head = nn.Linear(CHANNELS, VOCABULARY, bias=False)
        self.head.weight = self.tok.weight

    def forward(self, tokens):
        x = self.tok(tokens) + self.pos(torch.arange(TIME))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


net = GPT()
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
data = torch.randint(0, VOCABULARY, (4, TIME + 1))
x, y = data[:, :-1], data[:, 1:].reshape(-1)
for step in range(int(os.environ.get("COUNT", "100"))):
    logits = net(x)
    loss = F.cross_entropy(logits.reshape(-1, VOCABULARY), y)
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    print(step, f"{loss.item():.4f} {norm.item():.4f}")
