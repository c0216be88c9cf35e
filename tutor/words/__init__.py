"""The interface in other languages: by the English text what stands for it. One module per room and language."""
