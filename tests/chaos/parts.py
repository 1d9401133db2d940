"""The parts of ./run chaos: each a function of (context, report)."""

import asyncio
import itertools
import os
import random
import re
import resource
import signal
import socket
import statistics
import time

import attack
from crowd import Crowd
from ledger import Ledger, percentile
from press import CALLEES, CALLERS, press
from room import TAG, Lone, Room, header, settled
from server import DOMAIN, HOST, Failed, Server, free_ports

ANSWER_S = 30       # msrp: how long the switch waits for an answer (RFC 4975 §7.1.1)


class Context:
    def __init__(self, build, quick, seed):
        self.binaries, self.benches = os.path.join(build, "bin"), os.path.join(build, "bench")
        self.quick, self.random = quick, random.Random(seed)
        self.limit_s = 120 if quick else 400

    def pick(self, quick, full):
        return quick if self.quick else full


class Stage:
    """A server, rooms that talk, and one ledger."""

    def __init__(self, context, report, n_rooms, n_members, n_pairs=0, settings=(), extra=(), end_policy="creator",
                 served=()):
        """served: those others in whose media path the server is, too."""
        self.context, self.report, self.ledger = context, report, Ledger()
        rooms = [[f"u{r}x{i}" for i in range(n_members)] for r in range(n_rooms)]
        pairs = [[f"p{r}x{i}" for i in range(2)] for r in range(n_pairs)]
        self.plan = [(users, True) for users in rooms] + [(users, False) for users in pairs]
        everybody = [u for users, _ in self.plan for u in users]
        # Other parts are not about how busy the machine is with other things.
        if not any(s.startswith("overload.limit") for s in settings):
            settings = [*settings, "overload.limit = 100"]
        self.server = Server(context.binaries, everybody + ["lone", "spare", *extra],
                             [f"conference.end_policy = {end_policy}", "msrp.max_connections = 100000",
                              "sip.max_connections = 100000", *settings],
                             b2bua=[u for users in pairs for u in users] + list(served))
        self.rooms, self.talks, self.ends = [], [], 0.0

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, value, trace):
        for task in self.talks:
            task.cancel()
        for room in self.rooms:
            room.drop()
        bad = await self.server.close()
        if bad:
            self.report.problems.append(bad)
        self.report.add(self.ledger)
        return False

    async def start(self, limits=()):
        await self.server.start(limits)
        await self.fill()

    async def fill(self):
        self.rooms = [Room(self.server, self.ledger, users, cpim) for users, cpim in self.plan]
        for room in self.rooms:
            await room.start()

    def talk(self, seconds, sizes=(160,), pause=0.0):
        self.ends = time.monotonic() + seconds
        self.talks = [asyncio.get_running_loop().create_task(room.talk(lambda: self.ends, sizes, pause))
                      for room in self.rooms]

    async def silence(self):
        """Everybody has said his last word."""
        self.ends = 0
        for room in self.rooms:
            room.resumed.set()
        for result in await asyncio.gather(*self.talks, return_exceptions=True):
            if isinstance(result, Exception):
                self.report.problems.append(f"a talk broke off: {result!r}")
        self.talks = []

    def held(self, seconds):
        counts = self.ledger.counts()
        self.report.load = (f"{len(self.plan)} sessions of {sum(len(u) for u, _ in self.plan)} phones, "
                            f"{counts['copies'] / seconds:.0f} deliveries/s")


MIXED = (160, 160, 160, 2000, 160, 30000, 160, 160, 150000)


async def come_back(member, seconds):
    await asyncio.sleep(seconds)
    await member.connect()


async def hurt(stage, room, kind):
    """One receiver of a room is stalled, cut off for a moment, or gone for good."""
    rng, report = stage.context.random, stage.report
    there = [m for m in room.members if m.in_session and m.bound.is_set()]
    if len(there) < 2:
        return
    victim = rng.choice(there)
    report.faults[kind] += 1
    if kind == "receivers stalled":
        victim.stall()
        await asyncio.sleep(rng.uniform(0.5, 3))
        victim.resume()
    elif kind == "receivers reset, and back":
        victim.reset()
        await come_back(victim, rng.uniform(0.05, 0.5))
    elif kind == "receivers killed":
        victim.reset()
        # Whether a message of this moment was for him could not be told: nobody speaks until he is out.
        await asyncio.sleep(0.2)
        room.resumed.clear()
        await asyncio.wait_for(victim.over.wait(), 20)
        room.resumed.set()


async def trouble(stage, room, until):
    """One fault after the other, until that time."""
    kinds = itertools.cycle(stage.context.random.sample(["receivers stalled", "receivers reset, and back"], 2))
    while time.monotonic() < until:
        await hurt(stage, room, next(kinds))
        if room.cpim and room.members[1].bound.is_set():
            status = await attack.claim(room, room.members[1], stage.report.inputs)
            stage.report.expect(status == 506, f"a second connection to a session got {status}, not 506")
        await asyncio.sleep(stage.context.random.uniform(0, 2))


async def media(context, report):
    """Receivers that stall, break and die; strangers at every port; and each message accounted for."""
    seconds = context.pick(5, 40)
    async with Stage(context, report, context.pick(3, 8), 4, context.pick(2, 6),
                     ["msrp.rebind_grace_ms = 1500", "msrp.seat_backlog = 256K"]) as stage:
        await stage.start()
        began = time.monotonic()
        until = began + seconds
        stage.talk(seconds, MIXED)
        strangers = [asyncio.get_running_loop().create_task(t) for t in (
            attack.garbage(stage.server, until, report.inputs, context.random.random()),
            attack.slowloris(stage.server, until, report.inputs),
            attack.flood(stage.server, until, report.faults, 0.02))]
        await asyncio.gather(*(trouble(stage, room, until - 2) for room in stage.rooms))
        for room in stage.rooms[:context.pick(1, 4)]:
            await hurt(stage, room, "receivers killed")
        await asyncio.gather(*strangers)
        await stage.silence()
        stage.held(time.monotonic() - began)
        left = await settled(stage.ledger, ANSWER_S + 8)
        report.expect(left == 0, f"{left} messages open")
        report.expect(stage.server.alive(), f"the server died: {stage.server.words()}")
        for room in stage.rooms:
            await room.end()


async def idle(context, report):
    """As many idle connections as the descriptor limit allows do not slow those who talk."""
    limit = context.pick(400, 4000)
    async with Stage(context, report, 3, 4) as stage:
        await stage.start([(resource.RLIMIT_NOFILE, limit)])
        seconds, pause = context.pick(2, 6), 0.01
        stage.talk(seconds, (160,), pause)
        await asyncio.gather(*stage.talks)
        before, n = percentile(stage.ledger.delays, 0.99), len(stage.ledger.delays)
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        crowd = await attack.idle_crowd(stage.server, limit + 200)
        await asyncio.sleep(0.5)
        held = stage.server.descriptors()
        report.faults["idle connections"] += len(crowd)
        report.expect(held >= limit - 20, f"only {held} of {limit} descriptors are in use")
        cpu = stage.server.cpu()
        stage.talk(seconds, (160,), pause)
        await asyncio.gather(*stage.talks)
        spent = (stage.server.cpu() - cpu) / seconds
        after = percentile(stage.ledger.delays[n:], 0.99)
        report.note(f"{held} of {limit} descriptors in use: 99 % of deliveries within {after * 1000:.1f} ms "
                    f"(without the crowd {before * 1000:.1f} ms), the server {spent * 100:.0f} % of a core")
        # Times are of no meaning where a few seconds are looked at beside other work.
        report.expect(context.quick or after < before + 0.05,
                      f"the crowd slows them: {before * 1000:.1f} to {after * 1000:.1f} ms")
        report.expect(context.quick or spent < 0.7, "the server spins")
        report.expect(stage.server.logged("cannot accept a connection") > 0, "no log line about descriptors")
        for sock in crowd:
            sock.close()
        stage.held(2 * seconds)
        room = Room(stage.server, stage.ledger, ["lone", "spare"])
        stage.rooms.append(room)
        await room.start()
        report.expect(await room.members[0].say() == 200, "no new session after the crowd is gone")
        report.expect(await settled(stage.ledger, 5) == 0, "messages open")
        for room in stage.rooms:
            await room.end()


async def resume(stage, killed):
    """Conferences are joined again, while those who are back talk already; relayed chats are called anew."""
    everybody, rooms = [], []
    for room in stage.rooms:
        if room.cpim:
            pauses = [stage.context.random.uniform(0, 0.3) for _ in room.members]
            room.gone = False
            everybody.append(room.back(pauses))
            rooms.append(room)
        else:
            room.drop()
            rooms.append(Room(stage.server, stage.ledger, [m.user for m in room.members], False))
            everybody.append(rooms[-1].start())
    stage.rooms = rooms
    stage.talk(60, MIXED)
    await asyncio.gather(*everybody)
    return time.monotonic() - killed


async def death(context, report):
    """kill -9 in the middle of load: who was registered still is, and everybody talks again within seconds, in the same
    conferences: what is said before all are back waits for them."""
    async with Stage(context, report, context.pick(2, 6), 4, context.pick(1, 4)) as stage:
        await stage.start()
        lone, spare = Lone(stage.server, "lone"), Lone(stage.server, "spare")
        await lone.open()
        await spare.open()
        await lone.register()
        began, recovered, uris = time.monotonic(), [], {room.uri for room in stage.rooms if room.cpim}
        stage.talk(60, MIXED)
        for life in range(context.pick(2, 6)):
            await asyncio.sleep(context.random.uniform(0.5, context.pick(1, 5)))
            await stage.server.kill()
            report.faults["kill -9 of the server"] += 1
            killed = time.monotonic()
            await asyncio.sleep(0.2)
            for room in stage.rooms:
                room.forget_line()
            await stage.silence()
            for room in stage.rooms:
                room.drop()
            await stage.server.start()
            status = await spare.page("lone", f"life {life}")
            report.expect(status == 200 and lone.pages[-1] == f"life {life}",
                          f"who was registered is not after kill -9: MESSAGE got {status}")
            status, _ = await spare.ask("SUBSCRIBE", min(uris), ["Event: conference", "Expires: 60"])
            report.expect(status == 403, f"a stranger who watches a conference of before gets {status}, not 403")
            recovered.append(await resume(stage, killed))
        report.expect({room.uri for room in stage.rooms if room.cpim} == uris, "other conferences than before")
        await asyncio.sleep(0.5)
        await stage.silence()
        stage.held(time.monotonic() - began)
        report.note(f"all sessions again within {max(recovered):.1f} s of the kill at most")
        report.expect(await settled(stage.ledger, ANSWER_S + 5) == 0, "messages open")
        # One that ends, ends for the next life too.
        over = stage.rooms[0]
        await over.end()
        await until(lambda: stage.server.logged(f"{over.uri} ends"), 5, "the end of a conference")
        await asyncio.sleep(0.3)
        await stage.server.kill()
        await stage.server.start()
        status, _ = await spare.ask("INVITE", over.uri, [f"Accept-Contact: *;{TAG};require;explicit"])
        report.expect(status == 410, f"a conference that had ended before answers {status}, not 410")
        for phone in (lone, spare):
            phone.close()


async def drain(context, report):
    """SIGTERM under load: new sessions are refused, running ones go on, are told, and lose nothing."""
    grace = context.pick(2, 5)
    async with Stage(context, report, context.pick(2, 6), 4, context.pick(1, 4),
                     [f"shutdown.grace = {grace}s"]) as stage:
        await stage.start()
        lone = Lone(stage.server, "lone")
        await lone.open()
        stage.talk(60, MIXED)
        await asyncio.sleep(context.pick(1, 5))
        began, before = time.monotonic(), len(stage.ledger.messages)
        stage.server.signal(signal.SIGTERM)
        report.faults["SIGTERM under load"] += 1
        await asyncio.sleep(0.2)
        late = Room(stage.server, stage.ledger, ["lone", "spare"])
        stage.rooms.append(late)
        status, fields = await late.try_to_start()
        wait_s = header(fields, "retry-after")
        report.expect(status == 503 and wait_s.isdigit(), f"a new session while draining got {status}, Retry-After {wait_s!r}")
        await lone.register()
        await asyncio.sleep(grace / 2)
        report.expect(len(stage.ledger.messages) > before + 20, "running sessions do not go on")
        # Silence before the farewell, so that nothing is half said when it comes.
        await stage.silence()
        left = await settled(stage.ledger, grace)
        report.expect(left == 0, f"{left} messages open")
        status = await stage.server.ended(grace + 10)
        report.expect(status == 0, f"the server ended with {status}: {stage.server.words()}")
        told = sum(m.over.is_set() for room in stage.rooms[:-1] for m in room.members)
        everybody = sum(len(room.members) for room in stage.rooms[:-1])
        report.expect(told == everybody, f"only {told} of {everybody} got a BYE")
        report.expect(all(m.reason for room in stage.rooms[:-1] for m in room.members), "a BYE without a Reason")
        report.expect(context.quick or time.monotonic() - began < grace + 5, "it took too long")
        report.note(f"{time.monotonic() - began:.1f} s from SIGTERM to the end, {told} BYEs with a Reason")
        stage.held(time.monotonic() - began)
        # Once more, impatiently: the second signal ends it at once.
        await stage.server.start()
        await stage.fill()
        began = time.monotonic()
        stage.server.signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        report.expect(stage.server.alive(), "the first SIGTERM ends it at once")
        stage.server.signal(signal.SIGTERM)
        report.expect(await stage.server.ended(3) == 0, "the second SIGTERM does not end it")
        lone.close()


CLOSES_S = 0.1      # a phone closes its line so long after it got BYE


async def ill(stage, room, kind):
    """One member of a room goes on badly; the room is to end while he does. None: nothing is wrong with anybody."""
    victim = room.members[1 if room.cpim else stage.context.random.randrange(2)]
    if kind == "nobody":
        return
    stage.report.faults[f"ends with a receiver {kind}"] += 1
    victim.was_hurt = True
    if kind == "slow":
        victim.stall()
        asyncio.get_running_loop().call_later(stage.context.random.uniform(0.1, 0.6), victim.resume)
        return
    victim.hurt = True
    if kind == "stalled":
        victim.stall()
    else:
        victim.reset()
    if kind == "reset and back":
        try:
            await come_back(victim, stage.context.random.uniform(0.05, 0.5))
            victim.hurt = False
        except (Failed, OSError, asyncio.TimeoutError):
            pass        # there is nothing any more to come back to


async def fall(stage, room, kind, end):
    """A room whose members all talk at once, and which ends in the middle of it; everybody hears BYE."""
    for m in room.members:
        m.closes_s = CLOSES_S
    talks = [asyncio.get_running_loop().create_task(room.chatter(m, MIXED)) for m in room.members]
    rng = stage.context.random
    await asyncio.sleep(rng.uniform(0.1, 0.5))
    sick = asyncio.get_running_loop().create_task(ill(stage, room, kind))
    await asyncio.sleep(rng.uniform(0, 0.5))
    began = time.monotonic()
    await end(stage, room)
    for m in room.members:
        if not m.hurt or m.closes_s is None:
            await asyncio.wait_for(m.over.wait(), 20)
    await sick
    stage.slowest = max(stage.slowest, time.monotonic() - began)
    room.hang_up()
    for result in await asyncio.gather(*talks, return_exceptions=True):
        if isinstance(result, Exception):
            stage.report.problems.append(f"a talk broke off: {result!r}")
    for m in room.members:
        # Stalled until his line was closed: what he was told of his words lies there.
        if m.hurt:
            stage.ledger.deaf(m.user)
    left = stage.ledger.open_of({m.user for m in room.members})
    hurt = ", ".join(m.user for m in room.members if m.hurt or m.was_hurt)
    stage.report.expect(not left, f"{end.__name__} with {hurt or 'nobody'} {kind}: {left}")


async def first_leaves(stage, room):
    """The creator of a conference, who ends it by that; of a chat, who had called."""
    status = await room.hang_up_as(room.members[0])
    stage.report.expect(status == 200, f"BYE got {status}")


async def last_leaves(stage, room):
    """Of a chat, who was called. Of a conference all but one, and the last one is told."""
    for member in room.members[:1:-1] if room.cpim else room.members[1:]:
        await room.hang_up_as(member)
    if room.cpim and room.members[0].in_session:
        await room.hang_up_as(room.members[0])


ILLS = ("stalled", "killed", "slow", "reset and back", "nobody")


async def ended_by(stage, number, end, rounds):
    users, cpim = stage.plan[number]
    room = None
    for n in range(rounds):
        room = Room(stage.server, stage.ledger, users, cpim, after=room)
        stage.rooms.append(room)
        await room.start()
        await fall(stage, room, ILLS[(n + number) % len(ILLS)], end)
        stage.rooms.remove(room)
    room.drop()


async def ending(context, report):
    """Sessions end in the middle of load, with receivers that are stalled, killed, reset or slow: by one who leaves, by
    the last but one, by SIGTERM. Who is told BYE closes his line at once: by then he knows what became of his words."""
    rounds = context.pick(5, 20)
    for policy, ways in (("creator", (first_leaves,)), ("below-two", (last_leaves, first_leaves))):
        n_rooms, n_pairs = context.pick(2, 4), context.pick(2, 4)
        async with Stage(context, report, n_rooms, 4, n_pairs,
                         ["msrp.rebind_grace_ms = 1500", "msrp.seat_backlog = 8M", "msrp.drain_ms = 1000",
                          "shutdown.grace = 0"], end_policy=policy, served=["u1x1", "u1x2"]) as stage:
            stage.slowest = 0.0
            await stage.server.start()
            began = time.monotonic()
            await asyncio.gather(*(ended_by(stage, i, ways[i % len(ways)] if not cpim else ways[0], rounds)
                                   for i, (_, cpim) in enumerate(stage.plan)))
            report.faults["sessions ended in mid-load"] += rounds * len(stage.plan)
            report.note(f"{policy}: from the first BYE to the last {stage.slowest:.1f} s at most")
            # And all at once.
            await stage.fill()
            for room in stage.rooms:
                for m in room.members:
                    m.closes_s = CLOSES_S
            told = asyncio.Event()

            async def terminated(_, room):
                await asyncio.sleep(0.5)
                if not told.is_set():
                    told.set()
                    stage.server.signal(signal.SIGTERM)
                    report.faults["SIGTERM in mid-load"] += 1

            await asyncio.gather(*(fall(stage, room, ILLS[i % 2], terminated) for i, room in enumerate(stage.rooms)))
            report.expect(await stage.server.ended(10) == 0, f"the server does not end: {stage.server.words()}")
            left = len(stage.ledger.open())
            report.expect(left == 0, f"{left} messages open after {policy}")
            stage.held(time.monotonic() - began)


async def until(condition, seconds, text):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"{text} did not come")
        await asyncio.sleep(0.05)


async def poor(context, report):
    """A disk that is full, a machine that stops for seconds, DNS that is gone: one log line each, and it goes on."""
    deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    deaf.bind((HOST, 0))
    async with Stage(context, report, 2, 4, 1, [f"dns.servers = {HOST}:{deaf.getsockname()[1]}"]) as stage:
        server = stage.server
        # Nothing may be written beyond what the store has already; the server's log goes on for a few lines.
        await server.start([(resource.RLIMIT_FSIZE, 40000)])
        await stage.fill()
        phones = [Lone(server, user) for user in ("lone", "spare")]
        for phone in phones:
            await phone.open()
        seconds = context.pick(3, 10)
        began = time.monotonic()
        stage.talk(seconds + 10, MIXED, 0.01)
        report.faults["disk full"] += 1
        for i in range(200):
            await phones[i % 2].register()
            if server.logged("registrations cannot be kept"):
                break
        report.expect(server.logged("registrations cannot be kept") == 1, "no log line about the full disk, or several")
        report.expect(await phones[1].page("lone", "on a full disk") == 200, "nobody is found while the disk is full")
        late = Room(server, stage.ledger, ["lone", "spare"])
        stage.rooms.append(late)
        await late.start()
        await until(lambda: server.logged("conferences cannot be kept"), 10, "the log line about conferences on the full disk")
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await until(lambda: server.logged("registrations are kept again"), 10, "the log line that there is room again")
        report.expect(server.logged("conferences cannot be kept") == 1, "several log lines about conferences on the full disk")
        await until(lambda: server.logged("conferences are kept again"), 10, "the log line that conferences are kept again")
        # The machine was suspended.
        report.faults["stops of the process"] += 1
        server.signal(signal.SIGSTOP)
        await asyncio.sleep(context.pick(1, 4))
        server.signal(signal.SIGCONT)
        # Nobody answers for names; those who are known are served meanwhile.
        report.faults["DNS gone"] += 1
        abroad = asyncio.get_running_loop().create_task(phones[0].page_uri("sip:someone@nowhere.example", "hello"))
        report.expect(await phones[1].page("lone", "meanwhile") == 200, "DNS that is gone stops everybody")
        status = await abroad
        report.expect(server.logged("no DNS server answers") == 1, "no log line about DNS")
        report.expect(status in (404, 408, 480, 500, 503), f"a name that cannot be looked up got {status}")
        await asyncio.sleep(max(0, began + seconds - time.monotonic()))
        await stage.silence()
        stage.held(time.monotonic() - began)
        report.expect(await settled(stage.ledger, ANSWER_S + 5) == 0, "messages open")
        report.expect(server.alive(), f"the server died: {server.words()}")
        # What came while the disk was full was written later.
        await server.kill()
        report.faults["kill -9 of the server"] += 1
        for room in stage.rooms:
            room.drop()
        await server.start()
        report.expect(await phones[1].page("lone", "after") == 200, "a registration of the full disk is lost")
        await late.back([0, 0])
        report.expect(await late.members[0].say() == 200, "a conference of the full disk is lost")
        for phone in phones:
            phone.close()
    deaf.close()


async def lives(stage, rooms, number, n, period):
    """Conferences of three, one after the other: made, spoken in, ended; one in so many seconds at most. The phones stay
    where they are from one call to the next: their old places may be others' meanwhile, and are still registered."""
    room, users, began = rooms.get(number), [f"g{number}x{i}" for i in range(3)], time.monotonic()
    for done in range(n):
        await asyncio.sleep(max(0, began + done * period - time.monotonic()))
        room = Room(stage.server, stage.ledger, users, after=room)
        await room.start()
        if await room.members[0].say() != 200:
            raise Failed("a new conference refuses its first message")
        await settled(stage.ledger, 10)
        await room.leave(room.members[0])       # its creator: it ends
        for m in room.members[1:]:
            await asyncio.wait_for(m.over.wait(), 20)
        room.hang_up()
        stage.ledger.forget_delivered()
    rooms[number] = room


async def growth(context, report):
    """Conferences made and ended in a loop: no growth in memory, descriptors or seats."""
    total, at_once, rate = context.pick(200, 10000), 8, 80
    async with Stage(context, report, 0, 0, 0,
                     # More seats or conferences than are in use at a time are not there to be leaked.
                     [f"conference.max = {at_once + 4}", "msrp.rebind_grace_ms = 1000", "log.level = warn"],
                     extra=[f"g{i}x{k}" for i in range(at_once) for k in range(3)]) as stage:
        await stage.server.start()
        began, rooms, samples, idle_files = time.monotonic(), {}, [], stage.server.descriptors()
        for n in (total // 2, total - total // 2):
            await asyncio.gather(*(lives(stage, rooms, i, n // at_once, at_once / rate) for i in range(at_once)))
            # A connection that no session claims any more is kept for half a minute.
            await until(lambda: stage.server.descriptors() <= idle_files + at_once, 40, "the end of all its descriptors")
            samples.append(stage.server.resident())
        for room in rooms.values():
            room.drop()
        await until(lambda: stage.server.descriptors() <= idle_files, 40, "the end of the phones' connections")
        memory, memory_end = samples
        made = total // at_once * at_once
        report.load = f"{made / (time.monotonic() - began):.0f} conferences/s, {at_once} at a time"
        report.faults["conferences made and ended"] += made
        report.note(f"{made} conferences: {memory / 1e6:.1f} MB half way, {memory_end / 1e6:.1f} MB at the end, "
                    f"{idle_files} descriptors as before")
        # Transactions linger for 32 s (RFC 6026), so memory follows the rate of the last half minute: that is the same
        # in both halves. The unit tests count to the byte. A short run is over before it levels out.
        report.expect(context.quick or memory_end < 1.25 * memory + 2e6, f"memory grows: {memory} to {memory_end}")


async def overload(context, report):
    """Twice what the server can carry: the rest is refused early, what it can carry is served, who talks goes on.

    The server is given a tenth of its thread (overload.limit), so that what presses it fits beside it on a small machine.
    """
    share = 10
    async with Stage(context, report, 2, 4, 0, [f"overload.limit = {share}", "log.level = warn", "conference.max_per_user = 0"],
                     extra=["crowd0", "crowd1"]) as stage:
        await stage.start()
        crowd = Crowd(stage.server, ["crowd0", "crowd1"])
        await crowd.open()
        stage.talk(300, (160,), 0.02)
        began, seconds = time.monotonic(), context.pick(2, 6)
        # Up to where it begins to refuse: that is what it can carry.
        rate, peak = context.pick(100, 30), 0.0
        while rate < 5000:
            served, refused = await crowd.press(rate, seconds)
            peak = max(peak, served)
            if refused > 0.05 * (served + refused):
                break
            rate *= context.pick(2, 1.25)
        report.expect(rate < 5000, "nothing is ever refused")
        report.faults["times twice the load"] += 1
        served, refused = await crowd.press(2 * peak, 2 * seconds)
        report.expect(refused > 0, "nothing is refused under twice the load")
        report.note(f"it carries {peak:.0f} conferences/s in {share} % of its thread; under twice that, {served:.0f}/s are "
                    f"served ({100 * served / peak:.0f} %) and {refused:.0f}/s refused; 99 % of those served wait "
                    f"{percentile(crowd.waits, 0.99) * 1000:.0f} ms at most")
        report.expect(context.quick or served >= 0.9 * peak, f"{served:.0f} of {peak:.0f} conferences/s are served")
        report.expect(crowd.failed == 0, f"{crowd.failed} conferences failed")
        report.expect(crowd.without_retry_after == 0, "503 without Retry-After")
        await stage.silence()
        stage.held(time.monotonic() - began)
        report.load += f" beside {peak:.0f} new conferences/s"
        report.expect(await settled(stage.ledger, ANSWER_S + 5) == 0, "messages open")
        # Soon all are taken again.
        for _ in range(100):
            before = crowd.done
            await crowd.one()
            if crowd.done > before:
                break
            await asyncio.sleep(0.1)
        report.expect(crowd.done > before, "new sessions are refused when all is quiet again")
        report.expect(stage.server.logged("new sessions are refused") > 0, "no log line about the overload")
        crowd.close()


async def peak_rate(context, stage, base, tcp, windows):
    """What it carries: up to where it begins to refuse."""
    rate = context.pick(50, 400)
    while rate < 20000:
        windows.append(await press(context, stage.server, base, rate, context.pick(2, 3), context.pick(1, 2), tcp))
        if windows[-1].refused > 0.05 * (windows[-1].completed + windows[-1].refused):
            return max(w.served_rate for w in windows)
        rate *= context.pick(2, 1.4)
    raise Failed("no call is ever refused")


async def calls(context, report, kind, tcp, relayed):
    """Peak and twice the peak, turn by turn, so that both see the same machine.

    Judged is what is served for a second of the SIP thread's CPU: the rates alone say as much only where nobody else takes
    the processor away, for the server holds that for load.
    """
    share = context.pick(10, 20)
    async with Stage(context, report, 1, 4, 0,
                     [f"overload.limit = {share}", "log.level = warn", "participating.max_sessions_per_user = 0",
                      # A call lingers for 32 s: what fills up is to be the time, not the table.
                      "sip.max_transactions = 2000000", "sip.max_connections_per_address = 0"],
                     extra=CALLERS + CALLEES, served=CALLERS if relayed else ()) as stage:
        await stage.start()
        stage.talk(1000, (160,), 0.05)
        began, base, windows, rates, yields = time.monotonic(), free_ports(2), [], [], []
        peak = await peak_rate(context, stage, base, tcp, windows)
        for _ in range(context.pick(1, 3)):
            at = await press(context, stage.server, base, peak, context.pick(2, 5), context.pick(1, 3), tcp)
            twice = await press(context, stage.server, base, 2 * peak, context.pick(4, 6), context.pick(2, 4), tcp)
            windows += [at, twice]
            report.faults["times twice the load"] += 1
            rates.append(twice.served_rate / max(at.served_rate, 0.1))
            yields.append(twice.served_per_cpu_s / at.served_per_cpu_s)
            report.expect(context.quick or twice.refused, f"{kind}: nothing is refused under twice the load")
        # So many that next to none of them can be served: what a refusal costs.
        flood = await press(context, stage.server, base, context.pick(1000, 16000), context.pick(2, 5), context.pick(2, 8), tcp)
        report.expect(flood.refused, f"{kind}: nothing is refused in a flood")
        cost = 1 / max(w.served_per_cpu_s for w in windows)
        refusal = max(0, flood.cpu_s - flood.completed * cost) / max(flood.refused, 1)
        ratio, gained = statistics.median(rates), statistics.median(yields)
        report.note(f"{kind}: {peak:.0f}/s in {share} % of the SIP thread, {cost * 1e6:.0f} µs of it per call and "
                    f"{refusal * 1e6:.1f} µs per refusal; under twice that {gained * 100:.0f} % of the calls at the peak are "
                    f"served for the same time of it ({(cost - 2 * refusal) / (cost - refusal) * 100:.0f} % by these costs), "
                    f"{ratio * 100:.0f} % by the clock")
        report.expect(context.quick or gained >= 0.9, f"{kind}: {gained * 100:.0f} % of the calls at the peak are served")
        report.expect(not sum(w.whole["bare"] for w in windows + [flood]), f"{kind}: 503 without Retry-After")
        for w in windows:
            report.expect(not w.whole["failed"], f"{kind}: {w.whole['failed']} calls failed otherwise than by 503: {w.words}")
        await stage.silence()
        stage.held(time.monotonic() - began)
        report.expect(await settled(stage.ledger, ANSWER_S + 5) == 0, "messages open")


async def overload_calls(context, report):
    """The same with calls of two, that cost a server little more than it costs to refuse them."""
    for kind, tcp, relayed in (("calls through the proxy", False, False), ("the same by TCP", True, False),
                               ("calls through the B2BUA", False, True)):
        await calls(context, report, kind, tcp, relayed)


ALL = {"media": media, "idle": idle, "death": death, "drain": drain, "ending": ending, "poor": poor, "growth": growth,
       "overload": overload, "overload-calls": overload_calls}
