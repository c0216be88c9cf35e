"""The usual module of PyTorch Lightning."""

import logging
import tempfile
import warnings

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

warnings.filterwarnings("ignore")
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


class Fit(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def training_step(self, batch, index):
        x, y = batch
        loss = nn.functional.mse_loss(self.layer(x), y)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


torch.manual_seed(0)
x = torch.randn(8, 2)
loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=4)
module = Fit()
with tempfile.TemporaryDirectory() as folder:
    trainer = pl.Trainer(
        max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu",
        enable_model_summary=False, default_root_dir=folder,
    )
    trainer.fit(module, loader)
print(trainer.global_step, f"{trainer.callback_metrics['loss'].item():.5f}", module.layer.weight.tolist())
