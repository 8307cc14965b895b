"""A page as a conforming parser has it: its parse errors, what it refers to, and what a screen reader needs of it."""
import collections
import json
import sys

import html5lib

with open(sys.argv[1], "rb") as file:
    text = file.read()
parser = html5lib.HTMLParser(namespaceHTMLElements=False)
page = parser.parse(text, transport_encoding="utf-8")
tag = lambda element: element.tag.split("}")[-1] if isinstance(element.tag, str) else ""
elements = [element for element in page.iter() if tag(element)]
of = lambda name: [element for element in elements if tag(element) == name]
ids = collections.Counter(element.get("id") for element in elements if element.get("id"))
links = [element.get(name) for element in elements for name in ("href", "src") if element.get(name) is not None]


def is_named(svg):
    if svg.get("aria-hidden") == "true" or svg.get("aria-label"):
        return True
    names = (svg.get("aria-labelledby") or "").split()
    return bool(names) and all(name in ids for name in names)


INLINE = {"span", "b", "strong", "a", "code", "time", "mark"}


def words(element):
    """The text as it is read: with a space where another block begins."""
    if tag(element) in ("script", "style"):
        return ""
    parts = [element.text or ""]
    for child in element:
        space = "" if tag(child) in INLINE else " "
        parts += [space, words(child) if tag(child) else "", space, child.tail or ""]
    return "".join(parts)


def outer(svg):
    return svg.get("role") or svg.get("aria-hidden") or svg.get("viewBox") is None


print(json.dumps({
    "bytes": len(text),
    "errors": [f"{error[0]}: {error[1]} {error[2]}" for error in parser.errors],
    "twice": [name for name, count in ids.items() if count > 1],
    "dead": [link for link in links if link.startswith("#") and link[1:] not in ids],
    "outside": [link for link in links if not link.startswith("#")],
    "elements": dict(collections.Counter(tag(element) for element in elements)),
    "handlers": [name for element in elements for name in element.attrib if str(name).startswith("on") or name == "style"],
    "untitled_tables": sum(1 for table in of("table") if not any(tag(child) == "caption" for child in table)),
    "heads_without_scope": sum(1 for head in of("th") if head.get("scope") not in ("col", "row")),
    "nameless_drawings": sum(1 for svg in of("svg") if outer(svg) and not is_named(svg)),
    "language": of("html")[0].get("lang"),
    "title": of("title")[0].text,
    "text": " ".join(words(of("body")[0]).split()),
}))
