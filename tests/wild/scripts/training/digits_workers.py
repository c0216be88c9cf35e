"""Classify made-up digits: argparse, logging, a DataLoader with workers, a checkpoint that is saved and loaded."""

import argparse
import logging
import os
import sys
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, random_split

log = logging.getLogger("train")


class Digits(Dataset):
    def __init__(self, count):
        generator = torch.Generator().manual_seed(1)
        self.labels = torch.randint(0, 4, (count,), generator=generator)
        self.images = torch.rand(count, 1, 8, 8, generator=generator) * 0.1
        for index, label in enumerate(self.labels.tolist()):
            self.images[index, 0, label * 2 : label * 2 + 2] += 1.0

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.images[index], self.labels[index]


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.drop = nn.Dropout(0.1)
        self.fc = nn.Linear(width * 16, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        return self.fc(self.drop(x.flatten(1)))


def run(args):
    torch.manual_seed(args.seed)
    data = Digits(48)
    train, held_out = random_split(data, [32, 16], generator=torch.Generator().manual_seed(2))
    loader = DataLoader(train, args.batch_size, shuffle=True, num_workers=args.workers)
    model = Net(args.width)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    for epoch in range(args.epochs):
        model.train()
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        scheduler.step()
        log.info("epoch %d loss %.4f lr %g", epoch, loss.item(), scheduler.get_last_lr()[0])
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.pt")
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
        again = Net(args.width)
        again.load_state_dict(torch.load(path)["model"])
    again.eval()
    correct = 0
    with torch.no_grad():
        for images, labels in DataLoader(held_out, 8):
            correct += (again(images).argmax(1) == labels).sum().item()
    print(f"correct: {correct}/{len(held_out)}")
    return correct


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--width", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(name)s %(levelname)s %(message)s")
    run(parser.parse_args())
