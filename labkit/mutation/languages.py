"""The kinds of files that have mutants."""

LANGUAGES = (".py", ".lua", ".yml", ".yaml")
