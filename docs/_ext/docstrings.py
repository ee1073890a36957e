"""A docstring as Markdown: its sections, the arguments as a list, the example as code."""

import inspect
import re
import textwrap

_SECTION = re.compile(r"^([A-Z][A-Za-z ]*):\n((?: {4}.*(?:\n|$)|\n)+)", re.MULTILINE)
_ENTRY = re.compile(r"\n(?=[\w*`\"][^\n]*?:(?: |\n))")
LISTS = {"Args", "Call arguments", "Attributes", "Raises"}
CODE = {"Example", "Examples"}


def markdown(obj: object) -> str:
    """The docstring of a public object.

    Args:
        obj: a class, function or module. One without a docstring raises ValueError, which fails the build.
    """
    text = inspect.cleandoc(obj.__doc__ or "")
    if not text:
        raise ValueError(f"{getattr(obj, '__module__', '')}.{getattr(obj, '__qualname__', obj)} has no docstring.")
    return _SECTION.sub(lambda found: _section(found[1], textwrap.dedent(found[2]).strip("\n")), text + "\n").strip()


def example(text: str) -> str:
    """The example in a docstring as Markdown, or nothing where there is none."""
    return "".join(
        _section(found[1], textwrap.dedent(found[2]).strip("\n"))
        for found in _SECTION.finditer(text + "\n")
        if found[1] in CODE
    )


def _section(name: str, text: str) -> str:
    if name in CODE:
        return f"**{name}**\n\n```python\n{text}\n```\n\n"
    if name in LISTS:
        text = "\n".join(map(_entry, _ENTRY.split(text)))
    return f"**{name}**\n\n{text}\n\n"


def _entry(text: str) -> str:
    names, _, what = text.partition(":")
    names = ", ".join(f"`{name.strip()}`" for name in names.replace("`", "").split(","))
    return f"- {names}: {textwrap.dedent(what).strip()}".replace("\n", "\n  ")
