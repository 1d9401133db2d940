"""Strangers: what they send is broken, late, or nothing at all. All of it comes from an address that is not trusted."""

import asyncio
import glob
import os
import random
import re
import secrets
import socket

from server import DOMAIN, HOST, STRANGER

TORTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "rfc4475", "*.dat")


def seeds():
    """Whole messages to be damaged: SIP that is well-formed or not, and MSRP."""
    out = []
    for path in sorted(glob.glob(TORTURE)):
        with open(path, "rb") as f:
            out.append(f.read())
    out.append(f"INVITE sip:conference-factory@{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/TCP {STRANGER};branch=z9hG4bKx\r\n"
               f"From: <sip:u0@{DOMAIN}>;tag=1\r\nTo: <sip:x@{DOMAIN}>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
               "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode())
    return out


def frames():
    head = f"To-Path: msrp://{HOST}:1/aa-{'a' * 28};tcp\r\nFrom-Path: msrp://{STRANGER}:9/guess;tcp\r\n"
    return [f"MSRP abcdefgh SEND\r\n{head}Message-ID: x\r\nByte-Range: 1-5/5\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
            "-------abcdefgh$\r\n".encode(),
            f"MSRP abcdefgh REPORT\r\n{head}Message-ID: x\r\nByte-Range: 1-5/5\r\nStatus: 000 200 OK\r\n-------abcdefgh$\r\n".encode(),
            f"MSRP abcdefgh NICKNAME\r\n{head}Use-Nickname: \"x\"\r\n-------abcdefgh$\r\n".encode(),
            f"MSRP abcdefgh 200 OK\r\n{head}-------abcdefgh$\r\n".encode()]


def damaged(message, rng):
    data = bytearray(message)
    kind = rng.randrange(5)
    if kind == 0:
        return bytes(data[:rng.randrange(len(data) + 1)])
    if kind == 1:
        for _ in range(rng.randrange(1, 9)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return bytes(data)
    if kind == 2:
        at = rng.randrange(len(data))
        return bytes(data[:at] + rng.randbytes(rng.randrange(1, 3000)) + data[at:])
    if kind == 3:
        return rng.randbytes(rng.randrange(1, 5000))
    return bytes(data)


def bound(kind, host=STRANGER):
    sock = socket.socket(socket.AF_INET, kind)
    sock.setblocking(False)
    sock.bind((host, 0))
    return sock


async def connected(port, timeout=5, host=STRANGER):
    """A socket from the stranger's address, or another one's, or None."""
    sock = bound(socket.SOCK_STREAM, host)
    try:
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, (HOST, port)), timeout)
        return sock
    except (OSError, asyncio.TimeoutError):
        sock.close()
        return None


async def garbage(server, until, counts, seed):
    """Damaged messages to every port, a few hundred a second."""
    rng, loop = random.Random(seed), asyncio.get_running_loop()
    sip, msrp, udp = seeds(), frames(), bound(socket.SOCK_DGRAM)
    while loop.time() < until:
        try:
            udp.sendto(damaged(rng.choice(sip), rng)[:60000], (HOST, server.port))
            counts["bad inputs"] += 1
        except OSError:
            pass
        ports = [(server.port, sip), (server.msrp_port + rng.randrange(2), msrp)]
        for port, kind in ports:
            sock = await connected(port)
            if not sock:
                continue
            try:
                for _ in range(rng.randrange(1, 5)):
                    await asyncio.wait_for(loop.sock_sendall(sock, damaged(rng.choice(kind), rng)), 2)
                    counts["bad inputs"] += 1
            except (OSError, asyncio.TimeoutError):
                pass
            sock.close()
        await asyncio.sleep(0.01)
    udp.close()


async def slowloris(server, until, counts, n=20):
    """A byte now and then, of a head that never ends; and connections that never say anything."""
    loop, socks = asyncio.get_running_loop(), []
    text = frames()[0]
    for i in range(n):
        sock = await connected(server.msrp_port if i % 2 else server.port)
        if sock:
            socks.append(sock)
            counts["slow and half-open"] += 1
    at = 0
    while loop.time() < until:
        for sock in socks[::2]:
            try:
                sock.send(text[at:at + 1])
            except OSError:
                pass
        at = (at + 1) % 30
        await asyncio.sleep(0.3)
    for sock in socks:
        sock.close()


async def flood(server, until, counts, pause=0.0):
    """Connections that are made and left at once, as fast as they go."""
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        for port in (server.port, server.msrp_port, server.msrp_port + 1):
            sock = await connected(port)
            if sock:
                counts["flooding connections"] += 1
                sock.close()
        await asyncio.sleep(pause)


async def claim(room, member, counts):
    """Shows a session id that another connection holds. The status of the answer."""
    m = re.match(r"msrp://([^:/]+):(\d+)/", member.remote)
    sock = await connected(int(m.group(2)))
    if not sock:
        return None
    loop, tid = asyncio.get_running_loop(), "claim" + secrets.token_hex(4)
    counts["stolen session ids"] += 1
    try:
        body = member.body(100)
        await loop.sock_sendall(sock, f"MSRP {tid} SEND\r\nTo-Path: {member.remote}\r\nFrom-Path: {member.path}\r\n"
                                      f"Message-ID: {tid}\r\nByte-Range: 1-{len(body)}/{len(body)}\r\n"
                                      "Content-Type: message/cpim\r\n\r\n".encode() + body +
                                f"\r\n-------{tid}$\r\n".encode())
        answer = await asyncio.wait_for(loop.sock_recv(sock, 4096), 10)
        return int(answer.split()[2])
    except (OSError, asyncio.TimeoutError, IndexError, ValueError):
        return None
    finally:
        sock.close()


async def idle_crowd(server, n):
    """Connections that say nothing, alternately to SIP and MSRP, until n are open or no more are taken. They come from
    many addresses: what one may have is capped."""
    socks = []
    for i in range(n):
        sock = await connected((server.port, server.msrp_port, server.msrp_port + 1)[i % 3], 2,
                               f"127.9.0.{1 + i // 300}")
        if not sock:
            break
        socks.append(sock)
    return socks
