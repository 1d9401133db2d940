#!/usr/bin/env python3
"""Many conferences at a time on several switch threads, with people who come and go: what is said in each is heard by
its own, once and in order, whatever thread it runs on. Under ./run tsan this is where threads would meet."""
# timeout: 300

import signal
import threading

from phone import Cpim, cpim, room
from stage import Cases, Stage, expect

ROOMS, SEATS, EACH = 6, 3, 30
SHARDS = 4


def names_of(number):
    return [f"u{number}{letter}" for letter in "abc"[:SEATS]]


def talk(calls, number):
    """Everybody says EACH messages; returns what they said."""
    said = {}
    for i in range(EACH):
        for name, call in calls.items():
            text = f"{name} {i} of room {number} " + "x" * (i * 97 % 3000)
            said.setdefault(name, []).append(text)
            expect(call.msrp.send(cpim(call.msrp.phone.uri, None, text)) == 200, f"{name}'s message was refused")
    return said


def heard(calls, said):
    for name, call in calls.items():
        for other, texts in said.items():
            if other == name:
                continue
            call.msrp.wait_text(texts[-1])
            got = [Cpim(body).text for _, _, body in call.msrp.messages]
            got = [text for text in got if text.startswith(other + " ")]
            expect(got == texts, f"{name} has {len(got)} of {len(texts)} of {other}, or changed ones")
        strangers = [text for text in (Cpim(body).text for _, _, body in call.msrp.messages)
                     if text.split(" ")[0] not in calls]
        expect(not strangers, f"{name} heard {strangers[:1]}")


def all_rooms_at_once():
    users = [name for number in range(ROOMS) for name in names_of(number)]
    failures = []

    with Stage(users=users, threads=SHARDS, trace=False) as stage:
        def live(number):
            try:
                for _ in range(2):
                    calls = room(stage, names_of(number))
                    heard(calls, talk(calls, number))
                    for call in calls.values():
                        call.bye()
                        call.msrp.close()
            except Exception as error:  # pylint: disable=broad-except
                failures.append(f"room {number}: {error!r}")

        rooms = [threading.Thread(target=live, args=(number,)) for number in range(ROOMS)]
        for thread in rooms:
            thread.start()
        while any(thread.is_alive() for thread in rooms):
            for thread in rooms:
                thread.join(0.2)
            # Settings are read anew while it works.
            stage.process.send_signal(signal.SIGHUP)
        expect(not failures, "; ".join(failures[:3]))


def ended_in_the_middle():
    """SIGTERM while messages are on their way on every thread."""
    users = [name for number in range(ROOMS) for name in names_of(number)]

    with Stage(users=users, threads=SHARDS, trace=False) as stage:
        rooms = [room(stage, names_of(number)) for number in range(ROOMS)]
        for number, calls in enumerate(rooms):
            for call in calls.values():
                call.msrp.send(cpim(call.msrp.phone.uri, None, f"first of {number}"))
        stage.process.terminate()
        expect(stage.process.wait(90) == 0, "it did not end well")


cases = Cases()
cases.run("conferences on four threads, with people who come and go", ["SW-1"], all_rooms_at_once)
cases.run("ended while messages are under way on four threads", [], ended_in_the_middle)
cases.done()
