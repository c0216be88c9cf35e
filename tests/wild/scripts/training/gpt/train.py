"""Train it: `python -m gpt.train --steps 2`."""

import argparse

import torch

from .config import Config
from .model import GPT


def main():
    parser = argparse.ArgumentParser(prog="gpt.train")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--accumulate", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(1)
    config = Config()
    print(config)
    model = GPT(config)
    decay = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], lr=0.01)
    data = torch.randint(0, config.vocab, (40,))
    for step in range(args.steps):
        for _ in range(args.accumulate):
            starts = torch.randint(0, len(data) - config.block, (3,)).tolist()
            x = torch.stack([data[i : i + config.block] for i in starts])
            y = torch.stack([data[i + 1 : i + 1 + config.block] for i in starts])
            _, loss = model(x, y)
            (loss / args.accumulate).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        print(f"step {step} loss {loss.item():.5f}")


if __name__ == "__main__":
    main()
