import torch
from torch.utils.data import DataLoader, TensorDataset

if __name__ == "__main__":
    torch.manual_seed(0)
    data = TensorDataset(torch.arange(12.0).reshape(6, 2), torch.arange(6))
    seen = []
    for xb, yb in DataLoader(data, batch_size=2, shuffle=True, num_workers=2):
        seen.append(yb.tolist())
    print(seen)
    for xb, yb in DataLoader(data, batch_size=3):
        total = xb.sum()
    print(total)
