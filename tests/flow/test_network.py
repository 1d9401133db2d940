#!/usr/bin/env python3
"""Phones on real networks: one that goes to another network in the middle of a chat, and networks that lose packets."""
# timeout: 420

from networks import SERVER, Networks, enter
from stage import Cases, Failed, Stage, expect

BO, CHARLES = "sip:bo@example.com", "sip:charles@example.com"
N = 10


class Talk:
    """What is said in a conversation, by whom, and what came of it."""

    def __init__(self, people, about="to"):
        self.people = people  # Client -> its conversation
        self.about = about
        self.said = {client: [] for client in people}

    def say(self, client, n=N):
        for _ in range(n):
            text = f"{client.name} {self.about} {len(self.said[client])}"
            self.said[client].append(text)
            client.send(cmd="send", conversation=self.people[client], text=text)

    def failed(self, client):
        """Those of the client's texts that it was told were not delivered to somebody."""
        ids = [e["id"] for e in client.events if e["event"] == "queued"]
        bad = {e["id"] for e in client.events if e["event"] == "sent" and e["state"] == "failed"}
        return {text for text, id_ in zip(self.said[client], ids) if id_ in bad}

    def settle(self, may_be_told=()):
        """Everybody has everything once, in order. To those named a message may be told as undelivered instead."""
        for reader in self.people:
            for writer in self.people:
                if writer is not reader:
                    self._settle(reader, writer, reader in may_be_told)

    def _settle(self, reader, writer, may_be_told):
        def missing():
            # Whatever the writer is told meanwhile.
            writer.pump(0)
            have = set(reader.texts())
            return [t for t in self.said[writer] if t not in have and not (may_be_told and t in self.failed(writer))]

        try:
            reader.until(lambda _: not missing(), "all that was said", timeout=60)
        except Failed as problem:
            raise Failed(f"{reader.name} lacks of {writer.name}: {missing()}, who was told of {self.failed(writer)}; "
                         f"{problem}") from problem
        got = [t for t in reader.texts() if t in self.said[writer]]
        expect(len(got) == len(set(got)), f"{reader.name} was shown twice: {got}")
        expect(got == sorted(got, key=self.said[writer].index), f"{reader.name} got out of order: {got}")


def client(stage, networks, name, transport):
    return stage.client(name, transport=transport, within=networks.of[name].prefix(), extra=["--keepalive", "5"])


def two(stage, networks, transport):
    ann, bo = (client(stage, networks, name, transport) for name in ("ann", "bo"))
    chat = ann.chat(BO)
    ann.wait("open", conversation=chat)
    return ann, bo, Talk({ann: chat, bo: bo.wait("open")["conversation"]})


def roams(networks, mover, talk, others, may_be_told=()):
    for person in talk.people:
        talk.say(person)
    networks.of[mover.name].leave()
    for person in talk.people:
        talk.say(person)
    networks.of[mover.name].come(3)
    mover.wait("connection", where=lambda e: e["state"] == "moved")
    for person in talk.people:
        talk.say(person)
    talk.settle(may_be_told)
    expect(all(e["event"] not in ("ended", "invited") or e["conversation"] == talk.people[other]
               for other in others for e in other.events), "it is another conversation now")


def another_network(transport, mode, who):
    with Networks(("ann", "bo")) as networks, Stage(host=SERVER, settings=[f"participating.mode = {mode}"]) as stage:
        ann, bo, talk = two(stage, networks, transport)
        mover = {"ann": ann, "bo": bo}[who]
        roams(networks, mover, talk, [bo if mover is ann else ann])


def another_network_in_a_conference(transport):
    with Networks(("ann", "bo", "charles")) as networks, Stage(host=SERVER) as stage:
        ann, bo, charles = (client(stage, networks, name, transport) for name in ("ann", "bo", "charles"))
        chat = ann.chat(BO, CHARLES)
        ann.wait("open", conversation=chat)
        talk = Talk({ann: chat, **{c: c.wait("open")["conversation"] for c in (bo, charles)}})
        for c in talk.people:
            c.until(lambda c: sum(e["event"] == "joined" for e in c.events) >= 2, "the others")
        roams(networks, bo, talk, [ann, charles], may_be_told=[bo])


def packets_lost(transport, percent):
    with Networks(("ann", "bo", "charles")) as networks, Stage(host=SERVER) as stage:
        ann, bo, talk = two(stage, networks, transport)
        charles = client(stage, networks, "charles", transport)
        networks.lose(percent)
        talk.say(ann)
        talk.say(bo)
        ann.send(cmd="add", conversation=talk.people[ann], users=[CHARLES])
        talk.say(ann)
        talk.say(bo)
        there = charles.wait("open", timeout=90)["conversation"]
        for c in (ann, bo):
            c.wait("moved", timeout=90)
        talk.settle()
        group = Talk({**talk.people, charles: there}, "to all")
        for c in group.people:
            group.say(c)
        group.settle()


if __name__ == "__main__":
    enter()
    cases = Cases()
    for how in ("tcp", "udp"):
        cases.run(f"who called goes to another network, {how}", ["FL-10"], another_network, how, "proxy", "ann")
        cases.run(f"who was called goes to another network, {how}", ["FL-10"], another_network, how, "proxy", "bo")
        cases.run(f"a participant goes to another network, {how}", ["FL-10"], another_network_in_a_conference, how)
        cases.run(f"a chat becomes a conference while packets are lost, {how}", ["FL-2", "FL-10", "R-10"], packets_lost,
                  how, 10)
    cases.run("through the media path to another network", ["FL-10", "PF-X-1"], another_network, "tcp", "b2bua", "ann")
    cases.done()
