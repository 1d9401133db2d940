"""Splits captured or traced bytes into SIP and MSRP messages, written apart from the programs under test."""

import re

from stage import expect


def sip_messages(stream, what):
    """The SIP messages of one direction of a TCP connection (RFC 3261 section 18.3)."""
    out, at = [], 0
    while at < len(stream):
        if stream.startswith(b"\r\n", at):  # keep-alive, RFC 5626 section 3.5.1
            at += 2
            continue
        end = stream.find(b"\r\n\r\n", at)
        expect(end >= 0, f"{what}: the head of SIP message {len(out)} does not end: {stream[at:at + 200]!r}")
        head = stream[at:end + 2]
        hit = re.search(rb"\r\n(?:Content-Length|l)[ \t]*:[ \t]*(\d+)[ \t]*\r\n", head, re.I)
        expect(hit, f"{what}: SIP message {len(out)} has no Content-Length")
        after = end + 4 + int(hit.group(1))
        expect(after <= len(stream), f"{what}: SIP message {len(out)} is cut short")
        out.append(stream[at:after])
        check_sip(out[-1], what)
        at = after
    return out


def check_sip(message, what):
    start = message.split(b"\r\n", 1)[0]
    expect(re.fullmatch(rb"SIP/2\.0 \d{3} [^\r\n]*|[A-Z]+ \S+ SIP/2\.0", start), f"{what}: start line {start!r}")


START = re.compile(rb"MSRP ([A-Za-z0-9][A-Za-z0-9.+%=-]{3,31}) ([A-Z]+|\d{3}(?: [^\r\n]*)?)\r\n")
RANGE = re.compile(rb"\r\nByte-Range: (\d+)-(\d+|\*)/(\d+|\*)\r\n")


def msrp_frames(stream, what):
    """The MSRP frames of one direction of a connection (RFC 4975 section 9)."""
    out, at = [], 0
    while at < len(stream):
        hit = START.match(stream, at)
        expect(hit, f"{what}: MSRP frame {len(out)} begins with {stream[at:at + 80]!r}")
        end_line = b"\r\n-------" + hit.group(1)
        end = stream.find(end_line, hit.end() - 2)
        expect(end >= 0, f"{what}: MSRP frame {len(out)} does not end")
        after = end + len(end_line)
        expect(re.fullmatch(rb"[$#+]\r\n", stream[after:after + 3]), f"{what}: end-line of frame {len(out)}")
        check_msrp(stream[hit.end() - 2:end + 2], f"{what}: MSRP frame {len(out)}")
        out.append(stream[at:after + 3])
        at = after + 3
    return out


def check_msrp(inside, what):
    """Headers and body, from the CRLF of the start line to the one before the end-line."""
    head, blank, body = inside.partition(b"\r\n\r\n")
    head += b"\r\n" if blank else b""
    expect(re.match(rb"\r\nTo-Path: msrps?://[^\r\n]+\r\nFrom-Path: msrps?://[^\r\n]+\r\n", head), f"{what}: paths")
    expect(all(re.fullmatch(rb"[A-Za-z][A-Za-z0-9-]*: [^\r\n]*", line) for line in head[2:-2].split(b"\r\n")),
           f"{what}: headers {head!r}")
    spread = RANGE.search(head)
    if blank and spread and spread.group(2) != b"*":
        size = int(spread.group(2)) - int(spread.group(1)) + 1
        # The body ends before the CRLF that belongs to the end-line.
        expect(len(body) - 2 == size, f"{what}: {len(body) - 2} bytes for Byte-Range {spread.group(0)!r}")
