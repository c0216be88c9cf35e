"""A small BERT, trained by the trainer of Hugging Face."""

import tempfile

import torch
from transformers import BertConfig, BertForSequenceClassification, PrinterCallback, Trainer, TrainingArguments, logging

logging.set_verbosity_error()


class Sentences(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        words = torch.tensor([1, 2 + index % 3, 3 + index % 2, 2])
        return {"input_ids": words, "attention_mask": torch.ones(4, dtype=torch.long), "labels": torch.tensor(index % 2)}


torch.manual_seed(0)
model = BertForSequenceClassification(BertConfig(
    vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
    max_position_embeddings=8,
))
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder, max_steps=2, per_device_train_batch_size=4, report_to=[], disable_tqdm=True, use_cpu=True,
        save_strategy="no", logging_strategy="no", seed=1, dataloader_pin_memory=False,
    )
    trainer = Trainer(model, arguments, train_dataset=Sentences())
    trainer.pop_callback(PrinterCallback)  # it prints how long it took
    result = trainer.train()
print(result.global_step, f"{result.training_loss:.5f}", model.classifier.bias.tolist())
