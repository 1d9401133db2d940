"""Text in the cells of a terminal: wide and combining characters, wrapping, and nothing that a terminal would obey."""

import re
import unicodedata


def cells(char):
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def width_of(text):
    return sum(cells(c) for c in text)


def clean(text):
    """Nothing that a terminal would obey."""
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in "\u061c\u200e\u200f"
                   or "\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069" else c
                   for c in text.replace("\r\n", " ").replace("\n", " ").replace("\t", " "))


def clip(text, n, dots="…"):
    if width_of(text) <= n:
        return text
    out = ""
    for c in text:
        if width_of(out + c + dots) > n:
            break
        out += c
    return out + dots


def pad(text, n):
    return text + " " * max(0, n - width_of(text))


def wrap(text, n, hang=""):
    """Lines of at most n cells; broken at spaces, or anywhere where a word is too long or of a script without spaces."""
    lines, line = [], ""
    for word in re.findall(r"\S+", text):
        while True:
            begin = line + " " if line and line != hang else line
            if width_of(begin + word) <= n:
                line = begin + word
                break
            room = n - width_of(begin)
            wide = any(cells(c) == 2 for c in word)
            if line and line != hang and not (wide and room >= 4) and width_of(hang + word) <= n:
                lines.append(line)
                line = hang
                continue
            if room < 2:
                if line in ("", hang):
                    hang, line = "", ""  # Too narrow for the indent.
                    if n < 2:
                        return lines + [word]
                    continue
                lines.append(line)
                line = hang
                continue
            part = clip(word, room, "")
            lines.append(begin + part)
            word, line = word[len(part):], hang
            if not word:
                break
    if line not in ("", hang) or not lines:
        lines.append(line)
    return lines
