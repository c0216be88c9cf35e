"""Train a small convolutional network on images that torch draws: as many as MNIST has, unless told otherwise."""

import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Squares(Dataset):
    """Grey images of 28x28, each with a bright square in one of ten places, which is its label."""

    def __init__(self, count, transform=None):
        generator = torch.Generator().manual_seed(1)
        self.labels = torch.randint(10, (count,), generator=generator)
        self.images = torch.randint(0, 80, (count, 28, 28), generator=generator, dtype=torch.uint8)
        for label in range(10):
            row, column = 2 + 12 * (label // 5), 1 + 5 * (label % 5)
            self.images[self.labels == label, row : row + 8, column : column + 5] += 120
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = self.images[index].float().div(255).unsqueeze(0)
        if self.transform is not None:
            image = self.transform(image)
        return image, self.labels[index]


class Normalize:
    def __init__(self, mean, std):
        self.mean, self.std = mean, std

    def __call__(self, image):
        return (image - self.mean) / self.std


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 5, stride=2)
        self.out = nn.Linear(4 * 12 * 12, 10)

    def forward(self, x):
        return self.out(torch.relu(self.conv(x)).flatten(1))


def evaluate(model, loader):
    model.eval()
    hits = 0
    with torch.no_grad():
        for images, labels in loader:
            hits += (model(images).argmax(1) == labels).sum().item()
    return hits / len(loader.dataset)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=64)
    args = parser.parse_args()
    torch.manual_seed(0)
    transform = Normalize(0.3, 0.3)
    train_loader = DataLoader(Squares(args.images, transform), batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(Squares(args.images // 10, transform), batch_size=1000)
    model = Network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(args.epochs):
        model.train()
        total = 0.0
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch}: loss {total / len(train_loader):.6f}, accuracy {evaluate(model, test_loader):.4f}")


if __name__ == "__main__":
    main()
