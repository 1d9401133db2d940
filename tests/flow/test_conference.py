#!/usr/bin/env python3
"""FL-4, FL-6, IC-7.1.3, CF-9.3, CF-X-2 … -5: conferences that people are added to, removed from, and come back to; with the
real programs."""
# timeout: 300

import re

from raw_phone import RawPhone
from stage import Cases, Stage, expect, read_trace
from test_chat import joined

ANN, BO, CHARLES, DORA = ("sip:" + n + "@example.com" for n in ("ann", "bo", "charles", "dora"))
FOUR = ("ann", "bo", "charles", "dora")


def sip(path, pattern, where=lambda t: True):
    """The SIP messages of a trace whose start line matches."""
    texts = (m["bytes"].decode("utf-8", "replace") for m in read_trace(path) if m.get("protocol", "sip") == "sip")
    return [t for t in texts if re.match(pattern, t) and where(t)]


def field(text, name):
    m = re.search(rf"^{name}:[ \t]*(.*?)\r?$", text, re.M | re.I)
    return m.group(1) if m else None


def conference(stage, host, *uris, **more):
    """host opens a conference with these; its number and its URI."""
    host.calls += 1
    tag = f"conference-{host.calls}"
    host.send(cmd="chat", to=list(uris), conference=True, tag=tag, **more)
    chat = host.wait("calling", tag=tag)["conversation"]
    return chat, host.wait("open", conversation=chat, conference=True)["uri"]


def all_hear(people):
    """Everybody says one thing, and everybody else gets it once. people: {client: conversation}."""
    mark = f"#{sum(len(c.events) for c in people)}"
    for c, chat in people.items():
        c.send(cmd="send", conversation=chat, text=f"{c.name} {mark}")
    for c in people:
        want = sorted(f"{o.name} {mark}" for o in people if o is not c)
        c.until(lambda x, w=want: sorted(t for t in x.texts() if t.endswith(mark)) == w, f"{want}")


def conferencing_model():
    with Stage() as stage:
        ann, bo, charles = (stage.client(n) for n in ("ann", "bo", "charles"))
        chat, uri = conference(stage, ann, BO, subject="lunch")
        there = bo.wait("open", conference=True)["conversation"]
        all_hear({ann: chat, bo: there})
        ann.send(cmd="add", conversation=chat, users=[CHARLES])
        done = ann.wait("progress", user=CHARLES, status=200)
        expect(done["remove"] is False, f"{done}")
        expect(ann.find("progress", user=CHARLES, status=100) >= 0, "no 100 was told")
        third = charles.wait("open", conference=True)["conversation"]
        expect(charles.wait("invited")["text"] == "lunch" if charles.find("invited") >= 0 else True, "subject")
        all_hear({ann: chat, bo: there, charles: third})
        joined(ann, chat, 3)
        refer = sip(ann.trace, "REFER ")
        expect(len(refer) >= 1, "no REFER")
        expect(refer[-1].split()[1].split(";")[0] == uri, f"REFER goes to {refer[-1].split()[1]}, not to {uri}")
        expect("tag=" in field(refer[-1], "To"), "the REFER is outside the dialog")
        expect(field(refer[-1], "Refer-To") == f"<{CHARLES}>", field(refer[-1], "Refer-To"))
        answers = sip(ann.trace, r"SIP/2.0 2", lambda t: "REFER" in (field(t, "CSeq") or ""))
        expect(answers and all(t.startswith("SIP/2.0 200") for t in answers), "REFER is answered 200")
        notes = sip(ann.trace, "NOTIFY ", lambda t: (field(t, "Event") or "").startswith("refer"))
        expect(all(field(t, "Content-Type").startswith("message/sipfrag") for t in notes), "sipfrag")
        expect(field(notes[0], "Subscription-State").startswith("active"), "first NOTIFY is active")
        expect(field(notes[-1], "Subscription-State") == "terminated;reason=noresource", "last NOTIFY ends it")
        expect(notes[-1].rstrip().endswith("SIP/2.0 200 OK"), notes[-1])
        invite = sip(charles.trace, "INVITE ")[0]
        expect(field(invite, "Referred-By") == f"<{ANN}>", field(invite, "Referred-By"))
        expect(field(invite, "Subject") == "lunch", "Subject reaches who is invited later")
        expect(field(invite, "Contribution-ID"), "Contribution-ID reaches who is invited later")


def several():
    with Stage(users=FOUR) as stage:
        ann, bo, charles, dora = (stage.client(n) for n in FOUR)
        chat, uri = conference(stage, ann, BO)
        people = {ann: chat, bo: bo.wait("open")["conversation"]}
        # Bo adds, not the one who made it.
        bo.send(cmd="add", conversation=people[bo], users=[CHARLES, DORA])
        for c in (charles, dora):
            people[c] = c.wait("open", conference=True)["conversation"]
        all_hear(people)
        joined(bo, people[bo], 4)
        refer = sip(bo.trace, "REFER ")[-1]
        expect(refer.split()[1].split(";")[0] == uri, "to the IM Session Identity")
        expect(re.fullmatch(r"<cid:\S+>", field(refer, "Refer-To")), field(refer, "Refer-To"))
        expect(field(refer, "Content-ID")[1:-1] == field(refer, "Refer-To")[5:-1], "cid")
        expect(field(refer, "Require") == "multiple-refer, norefersub", field(refer, "Require"))
        expect(field(refer, "Refer-Sub") == "false", "no subscription is wanted")
        answer = sip(bo.trace, "SIP/2.0 200", lambda t: "REFER" in (field(t, "CSeq") or ""))[-1]
        expect(field(answer, "Refer-Sub") == "false", "the answer says that there is none")
        expect(not sip(bo.trace, "NOTIFY ", lambda t: (field(t, "Event") or "").startswith("refer")), "a NOTIFY came")
        expect(field(sip(dora.trace, "INVITE ")[0], "Referred-By") == f"<{BO}>", "Referred-By is Bo")


def refused():
    with Stage(users=FOUR) as stage:
        ann, bo = stage.client("ann"), stage.client("bo")
        charles = stage.client("charles", auto_accept=False)
        chat, _ = conference(stage, ann, BO)
        there = bo.wait("open")["conversation"]
        ann.send(cmd="add", conversation=chat, users=[CHARLES])
        ann.wait("progress", user=CHARLES, status=180)
        charles.send(cmd="decline", conversation=charles.wait("invited")["conversation"], status=603)
        ann.wait("progress", user=CHARLES, status=603)
        ann.send(cmd="add", conversation=chat, users=[DORA])
        ann.wait("progress", user=DORA, status=480)
        ann.send(cmd="add", conversation=chat, users=["sip:nobody@example.com"])
        ann.wait("progress", user="sip:nobody@example.com", status=404)
        all_hear({ann: chat, bo: there})


def removal():
    with Stage(users=FOUR) as stage:
        ann, bo, charles = (stage.client(n) for n in ("ann", "bo", "charles"))
        chat, uri = conference(stage, ann, BO, CHARLES)
        people = {ann: chat, bo: bo.wait("open")["conversation"], charles: charles.wait("open")["conversation"]}
        all_hear(people)
        # Bo may not: he did not make it.
        bo.send(cmd="kick", conversation=people[bo], users=[CHARLES])
        bo.wait("progress", user=CHARLES, status=403, remove=True)
        ann.send(cmd="kick", conversation=chat, users=[CHARLES])
        ann.wait("progress", user=CHARLES, status=200, remove=True)
        charles.wait("ended", conversation=people.pop(charles))
        expect(bo.wait("left", peer=CHARLES)["text"] == "booted", "the others are told")
        ann.send(cmd="kick", conversation=chat, users=[DORA])
        ann.wait("progress", user=DORA, status=404, remove=True)
        all_hear(people)
        # By himself he does not come back; asked back, he does.
        charles.send(cmd="chat", rejoin=uri, tag="again")
        again = charles.wait("calling", tag="again")["conversation"]
        expect(charles.wait("ended", conversation=again)["status"] == 403, "403 expected")
        since = len(charles.events)
        ann.send(cmd="add", conversation=chat, users=[CHARLES])
        people[charles] = charles.wait("open", since=since)["conversation"]
        all_hear(people)
        # Everybody may take himself out.
        bo.send(cmd="kick", conversation=people[bo], users=[BO])
        bo.wait("ended", conversation=people.pop(bo))
        all_hear(people)


def removal_policy(policy):
    with Stage(settings=[f"conference.remove = {policy}"]) as stage:
        ann, bo, charles = (stage.client(n) for n in ("ann", "bo", "charles"))
        chat, _ = conference(stage, ann, BO, CHARLES)
        there = bo.wait("open")["conversation"]
        charles.wait("open")
        who, conversation = (bo, there) if policy == "anyone" else (ann, chat)
        joined(ann, chat, 3)
        who.send(cmd="kick", conversation=conversation, users=[CHARLES])
        who.wait("progress", user=CHARLES, status=200 if policy == "anyone" else 403, remove=True)


def rejoin():
    with Stage(users=FOUR) as stage:
        ann, bo, charles, dora = (stage.client(n) for n in FOUR)
        chat, uri = conference(stage, ann, BO, CHARLES, subject="plans")
        people = {ann: chat, bo: bo.wait("open")["conversation"], charles: charles.wait("open")["conversation"]}
        all_hear(people)
        charles.send(cmd="leave", conversation=people.pop(charles))
        ann.wait("left", peer=CHARLES)
        all_hear(people)
        since = len(ann.events)
        charles.send(cmd="chat", rejoin=uri, tag="again")
        people[charles] = charles.wait("calling", tag="again")["conversation"]
        charles.wait("open", conversation=people[charles], conference=True)
        ann.wait("joined", since=since, peer=CHARLES)
        all_hear(people)
        # Dora was never asked.
        dora.send(cmd="chat", rejoin=uri, tag="in")
        expect(dora.wait("ended", conversation=dora.wait("calling", tag="in")["conversation"])["status"] == 403, "403")
        # Who comes a second time gives up his first seat.
        second = stage.client("charles")
        second.send(cmd="chat", rejoin=uri, tag="again")
        at = second.wait("calling", tag="again")["conversation"]
        second.wait("open", conversation=at)
        charles.wait("ended", conversation=people.pop(charles))
        people[second] = at
        all_hear(people)
        expect(len(joined(ann, chat, 3)) == 3, "Charles is in once")


def rejoin_gone():
    with Stage() as stage:
        ann, bo = stage.client("ann"), stage.client("bo")
        chat, uri = conference(stage, ann, BO)
        there = bo.wait("open")["conversation"]
        bo.send(cmd="leave", conversation=there)
        ann.wait("left", peer=BO)
        ann.send(cmd="leave", conversation=chat)
        ann.wait("ended", conversation=chat)
        ann.send(cmd="chat", rejoin=uri, tag="gone")
        gone = ann.wait("calling", tag="gone")["conversation"]
        expect(ann.wait("ended", conversation=gone)["status"] == 410, "410 expected")
        ann.send(cmd="chat", rejoin=uri.replace("conf-", "conf-x"), tag="unknown")
        unknown = ann.wait("calling", tag="unknown")["conversation"]
        expect(ann.wait("ended", conversation=unknown)["status"] == 404, "404 expected")
        # With people to call, a new conference is made of it, under the same Contribution-ID.
        since = len(bo.events)
        ann.send(cmd="chat", rejoin=uri, to=[BO], contribution="abc123", tag="anew")
        anew = ann.wait("calling", tag="anew")["conversation"]
        opened = ann.wait("open", conversation=anew, conference=True)
        expect(opened["uri"] != uri, "a new conference")
        all_hear({ann: anew, bo: bo.wait("open", since=since)["conversation"]})
        invites = sip(ann.trace, "INVITE ", lambda t: field(t, "Contribution-ID") == "abc123")
        expect({i.split()[1] for i in invites} == {uri, "sip:conference-factory@example.com"}, "both INVITEs say it")


def dial_in(policy):
    with Stage(settings=[f"conference.dial_in = {policy}"]) as stage:
        ann, bo, charles = (stage.client(n) for n in ("ann", "bo", "charles"))
        chat, uri = conference(stage, ann, BO)
        there = bo.wait("open")["conversation"]
        charles.send(cmd="chat", rejoin=uri, tag="in")
        at = charles.wait("calling", tag="in")["conversation"]
        if policy == "anyone":
            charles.wait("open", conversation=at, conference=True)
            ann.wait("joined", peer=CHARLES)
            all_hear({ann: chat, bo: there, charles: at})
        else:
            expect(charles.wait("ended", conversation=at)["status"] == 403, "403 expected")


def end_policy(policy):
    with Stage(settings=[f"conference.end_policy = {policy}"]) as stage:
        ann, bo, charles = (stage.client(n) for n in ("ann", "bo", "charles"))
        chat, _ = conference(stage, ann, BO, CHARLES)
        people = {ann: chat, bo: bo.wait("open")["conversation"], charles: charles.wait("open")["conversation"]}
        all_hear(people)
        ann.send(cmd="leave", conversation=people.pop(ann))
        if policy == "creator":
            bo.wait("ended", conversation=people[bo])
            charles.wait("ended", conversation=people[charles])
            return
        bo.wait("left", peer=ANN)
        all_hear(people)
        charles.send(cmd="leave", conversation=people.pop(charles))
        if policy == "below-two":
            bo.wait("ended", conversation=people[bo])
            return
        bo.wait("left", peer=CHARLES)
        expect(bo.find("ended") < 0, "it goes on for the last one")
        bo.send(cmd="leave", conversation=people.pop(bo))
        bo.wait("ended")


def events():
    with Stage(users=FOUR) as stage:
        ann, bo, charles = (stage.client(n) for n in ("ann", "bo", "charles"))
        chat, uri = conference(stage, ann, BO, subject="state & versions")
        bo.wait("open")
        ann.wait("joined", peer=BO)
        ann.send(cmd="add", conversation=chat, users=[CHARLES])
        ann.wait("joined", peer=CHARLES)
        third = charles.wait("open")["conversation"]
        joined(charles, third, 3)
        charles.send(cmd="leave", conversation=third, anonymous=True)
        ann.wait("left", where=lambda e: "anonymous" in e["peer"])
        expect(ann.find("left", peer=CHARLES) < 0, "his name is not said")
        people = joined(ann, chat, 2)
        expect(not any(p["uri"] == CHARLES for p in people), f"his name is not said: {people}")
        notes = sip(ann.trace, "NOTIFY ", lambda t: field(t, "Event") == "conference")
        docs = [re.search(r"<conference-info[^>]*>", t).group(0) for t in notes]
        versions = [int(re.search(r'version="(\d+)"', d).group(1)) for d in docs]
        states = [re.search(r'state="(\w+)"', d).group(1) for d in docs]
        expect(versions == list(range(1, len(versions) + 1)), f"versions {versions}")
        expect(states[0] == "full" and "partial" in states, f"states {states}")
        expect("state &amp; versions" in notes[0], "the subject is in the full state")
        gone = [t for t in notes if "anonymous.invalid" in t]
        expect(gone and not any(CHARLES in t for t in gone), "who left without a name is not named")
        small = [t for t, s in zip(notes, states) if s == "partial"]
        expect(all(t.count("<user ") < 3 for t in small), "partial state holds what changed")
        expect(uri in docs[0], "entity is the conference")


def progress(phone):
    """The statuses that a REFER's NOTIFYs tell, up to the last."""
    got = []
    while True:
        text = phone.wait("NOTIFY ", lambda t: (field(t, "Event") or "").startswith("refer"))
        expect(field(text, "Content-Type").startswith("message/sipfrag"), "sipfrag")
        got.append(int(text.rsplit("SIP/2.0 ", 1)[1][:3]))
        if field(text, "Subscription-State").startswith("terminated"):
            return got


def factory_phone():
    """sipsimple: no feature tag; SUBSCRIBE before the ACK and REFER outside the dialog, both to the URI it called; the
    method behind the brackets."""
    factory = "sip:conference-factory@example.com"
    with Stage(settings=["im.feature_tag = assume", "auth.algorithms = MD5"]) as stage:
        bo, charles = stage.client("bo"), stage.client("charles")
        ann = RawPhone(stage, "ann")
        expect(ann.ask("REGISTER", "sip:example.com", to=f"<{ANN}>").startswith("SIP/2.0 200"), "REGISTER")
        sdp = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
               "m=message 9 TCP/MSRP *\r\na=accept-types:message/cpim text/* image/*\r\n"
               "a=accept-wrapped-types:text/* image/*\r\na=path:msrp://127.0.0.1:9/raw;tcp\r\na=setup:active\r\n")
        body = (f"--b\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b\r\n"
                "Content-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n"
                '<p1:resource-lists xmlns:p1="urn:ietf:params:xml:ns:resource-lists"><p1:list>'
                f'<p1:entry uri="{BO}"/></p1:list></p1:resource-lists>\r\n--b--\r\n')
        ok = ann.ask("INVITE", factory, "Require: recipient-list-invite\r\n"
                     "Content-Type: multipart/mixed;boundary=b\r\n", body)
        expect(ok.startswith("SIP/2.0 200"), ok)
        uri = re.search(r"<(.*?)>", field(ok, "Contact")).group(1)
        answer = ann.ask("SUBSCRIBE", factory, "Event: conference\r\nExpires: 600\r\n")
        expect(answer.startswith("SIP/2.0 200"), answer)
        first = ann.wait("NOTIFY ", lambda t: field(t, "Event") == "conference")
        expect(f'entity="{uri}"' in first and 'version="1"' in first, first)
        ann.acknowledge(ok, uri)
        bo.wait("open", conference=True)
        answer = ann.ask("REFER", factory, f"Refer-To: <{CHARLES}>;method=INVITE\r\n")
        expect(answer.startswith("SIP/2.0 200"), answer)
        there = charles.wait("open", conference=True)["conversation"]
        got = progress(ann)
        expect(got[0] == 100 and got[-1] == 200, f"{got}")
        ann.wait("NOTIFY ", lambda t: field(t, "Event") == "conference" and 'state="partial"' in t and CHARLES in t)
        answer = ann.ask("REFER", factory, f"Refer-To: <{CHARLES}>;method=BYE\r\n")
        expect(answer.startswith("SIP/2.0 200"), answer)
        charles.wait("ended", conversation=there)
        expect(progress(ann)[-1] == 200, "removed")
        # The other form: to the conference's URI, the method inside the brackets.
        answer = ann.ask("REFER", uri, f"Refer-To: <{BO};method=BYE>;text\r\nRefer-Sub: false\r\n")
        expect(answer.startswith("SIP/2.0 200") and field(answer, "Refer-Sub") == "false", answer)
        bo.wait("ended")
        ann.close()


cases = Cases()
cases.run("the conferencing model: two by the factory, a third by REFER",
          ["FL-4", "IC-7.1.3-2a", "IC-7.1.3-2b", "IC-7.1.3-2c", "IC-7.1.3-2e", "CF-9.3-2", "CF-9.3-3", "CF-9.3-4", "CF-9.3-5", "R-4",
           "CF-9.3.1-3"], conferencing_model)
cases.run("several added by one REFER", ["FL-6", "IC-7.1.3-2d", "CF-9.3-2", "R-5"], several)
cases.run("who is added declines, is away, is unknown", ["IC-7.1.3-2c", "CF-9.3-3", "CF-9.3-4"], refused)
cases.run("removal by the creator, and not by others", ["CF-X-3", "CF-X-5"], removal)
for p in ("anyone", "nobody"):
    cases.run(f"removal policy {p}", ["CF-X-3"], removal_policy, p)
cases.run("leaving and coming back; a second seat replaces the first", ["CF-X-5"], rejoin)
cases.run("coming back to a conference that is no more", ["CF-X-5", "CF-X-2"], rejoin_gone)
for p in ("anyone", "nobody"):
    cases.run(f"dial-in policy {p}", ["CF-X-5"], dial_in, p)
for p in ("last", "below-two", "creator"):
    cases.run(f"end policy {p}", ["CF-X-2"], end_policy, p)
cases.run("conference events: full, partial, anonymous", ["CF-X-4", "IC-7.1.5-3"], events)
cases.run("a phone that asks the factory's URI for everything", ["CF-9.3-2", "CF-9.3-3", "CF-9.3-4", "CF-X-3", "CF-X-4"],
          factory_phone)
cases.done()
