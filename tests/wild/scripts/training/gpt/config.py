from dataclasses import asdict, dataclass


@dataclass
class Config:
    vocab: int = 7
    block: int = 5
    width: int = 8
    heads: int = 2
    layers: int = 2

    def __str__(self):
        return ", ".join(f"{key}={value}" for key, value in asdict(self).items())
