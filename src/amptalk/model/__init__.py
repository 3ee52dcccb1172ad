"""The nouns of the library. They import nothing of ours but each other."""
