"""Text of others, made harmless for a terminal."""


def indented(text: str) -> str:
    """Return the same with the spaces at its beginning, by which lines of ours stand below each other."""
    return (" " * (len(text) - len(text.lstrip(" "))) + plain(text)).rstrip()


def plain(text: str) -> str:
    """Return a text in one line, with control characters escaped: an image may have chosen them."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text.strip()
    )
