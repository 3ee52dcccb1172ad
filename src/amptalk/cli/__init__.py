"""The `amptalk` command: `main` is the parser, every other module one verb."""
