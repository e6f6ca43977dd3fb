"""The help of each command, in a file of its name: options, arguments and text. The command itself is in labkit/commands."""
