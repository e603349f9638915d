"""What holds for keys, clients and families of tokens, whoever asks."""
