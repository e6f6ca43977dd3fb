"""Mistakes in a YAML file that is part of an exercise: an entry is missing, or stands twice, or names something else."""

from collections.abc import Iterator

import yaml

from labkit.mutation.model import Rewrite


def rewrites(text: str) -> Iterator[Rewrite]:
    """Yield each change of a document that is made of lists, mappings and texts."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    names = sorted({node.value for node in _all(root) if isinstance(node, yaml.ScalarNode) and node.value})
    for node in _all(root):
        if isinstance(node, yaml.SequenceNode):
            yield from _entries(text, node)
        elif isinstance(node, yaml.MappingNode):
            for _, value in node.value:
                if isinstance(value, yaml.ScalarNode):
                    start, end = value.start_mark.index, value.end_mark.index
                    yield Rewrite("value changed", start, end, names[(names.index(value.value) + 1) % len(names)])


def _all(node: yaml.Node | None) -> Iterator[yaml.Node]:
    if node is None:
        return
    yield node
    children = node.value if isinstance(node, yaml.SequenceNode | yaml.MappingNode) else []
    for child in children:
        for part in child if isinstance(child, tuple) else (child,):
            yield from _all(part)


def _entries(text: str, node: yaml.SequenceNode) -> Iterator[Rewrite]:
    values = node.value
    for at, value in enumerate(values):
        start, end = value.start_mark.index, value.end_mark.index
        if node.flow_style:
            end = values[at + 1].start_mark.index if at + 1 < len(values) else end
            start = values[at - 1].end_mark.index if at and at + 1 == len(values) else start
            yield Rewrite("entry dropped", start, end, "")
        else:
            start = text.rindex("-", 0, start)
            indent = "\n" + text[text.rfind("\n", 0, start) + 1 : start]
            if at + 1 < len(values):
                end = text.rindex("-", 0, values[at + 1].start_mark.index)
                yield Rewrite("entry dropped", start, end, "")
                yield Rewrite("entry doubled", end, end, text[start:end].rstrip() + indent)
            else:
                end = start + len(text[start:end].rstrip())
                if len(values) > 1:  # an empty list is no list
                    yield Rewrite("entry dropped", start, end, "")
                yield Rewrite("entry doubled", end, end, indent + text[start:end])
