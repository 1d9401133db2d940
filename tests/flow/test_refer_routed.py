#!/usr/bin/env python3
"""PF-9.1.1-8: a REFER outside a dialog to a served user is routed on like an INVITE, and checked like one; with the real
server and phones of bytes."""
# timeout: 120

import subprocess

from phone import Phone
from stage import BIN, DOMAIN, Cases, Stage, expect

ANN, BO, CHARLES = ("sip:" + n + "@example.com" for n in ("ann", "bo", "charles"))


def refer(phone, to, fields="", caps=None):
    """A REFER of the phone's outside any dialog; its final response, the phone's credentials given where asked for."""
    head = phone.identity(to) + phone.tagged_contact() + (phone.caps() if caps is None else caps)
    return phone.request("REFER", to, head + f"Refer-To: <{CHARLES};method=INVITE>\r\n" + fields)


def referred(phone, n=1):
    """The n-th REFER that the phone got."""
    return phone.until(lambda: ([r for r in phone.requests if r.method == "REFER"][n - 1:] or [None])[0], "REFER")


def routed(mode):
    with Stage(settings=[f"participating.mode = {mode}"]) as stage:
        ann, bo = Phone(stage, "ann"), Phone(stage, "bo")
        answer = refer(ann, BO, f"Referred-By: <{ANN}>\r\n")
        expect(answer.status == 200, f"{answer.first}")
        got = referred(bo)
        expect(got.get("Refer-To") == f"<{CHARLES};method=INVITE>", got.get("Refer-To"))
        expect(got.get("Referred-By") == f"<{ANN}>", "Referred-By")
        expect(f"<{ANN}>" in got.get("P-Asserted-Identity"), got.get("P-Asserted-Identity"))
        # A proxy's, in either mode: nothing of it is relayed.
        expect(got.contact == ann.contact and got.get("Record-Route"), got.get("Contact"))
        expect("g.oma.sip-im" in got.get("Accept-Contact"), "Accept-Contact")
        notify(ann, bo, got, answer)
        # Nobody is referred in another's name.
        answer = refer(ann, BO, f"Referred-By: <{CHARLES}>\r\n")
        expect(answer.status == 403, f"Referred-By of another: {answer.first}")


def notify(ann, bo, got, answer):
    """The implicit subscription's NOTIFY comes back the way that the REFER went."""
    routes = "".join(f"Route: {r}\r\n" for r in got.all("Record-Route"))
    head = (f"From: {answer.get('To')}\r\nTo: {got.get('From')}\r\nCall-ID: {got.get('Call-ID')}\r\n{routes}"
            f"{bo.tagged_contact()}Event: refer\r\nSubscription-State: terminated;reason=noresource\r\n")
    final = bo.request("NOTIFY", got.contact, head, body=b"SIP/2.0 200 OK\r\n", content_type="message/sipfrag")
    expect(final.status == 200, f"NOTIFY: {final.first}")
    ann.until(lambda: any(r.method == "NOTIFY" for r in ann.requests), "NOTIFY")


def checked(mode):
    with Stage(settings=[f"participating.mode = {mode}"]) as stage:
        ann, bo = Phone(stage, "ann"), Phone(stage, "bo")
        answer = refer(ann, BO, caps="")
        expect(answer.status == 403, f"without the feature tag: {answer.first}")
        answer = refer(ann, BO, caps="Accept-Contact: *;+g.example.other\r\n")
        expect(answer.status == 403, f"with another: {answer.first}")
        expect(refer(ann, "sip:nobody@example.com").status == 404, "404 expected")
        expect(refer(ann, CHARLES).status == 480, "480 expected")
        expect(not any(r.method == "REFER" for r in bo.requests), "Bo got one that was refused")
        expect(refer(ann, BO).status == 200, "200 expected")
        referred(bo)


def assumed():
    """R-12: whose phone knows no tag is served all the same, where his setting says so."""
    with Stage() as stage:
        for user in ("ann", "bo"):
            subprocess.run([f"{BIN}/confabctl", "--store", stage.store, "user", "im", f"sip:{user}@{DOMAIN}", "assume"],
                           check=True, capture_output=True)
        ann, bo, charles = (Phone(stage, name, im=False) for name in ("ann", "bo", "charles"))
        expect(refer(ann, BO).status == 200, "200 expected")
        referred(bo)
        expect(refer(charles, BO).status == 403, "403 expected")


def unwilling():
    """A client that takes no REFER says so itself, and the one who asked is told."""
    with Stage() as stage:
        ann, bo = Phone(stage, "ann"), stage.client("bo")
        answer = refer(ann, bo.uri)
        expect(answer.status == 405 and "INVITE" in answer.get("Allow"), f"{answer.first} {answer.get('Allow')}")


def main():
    cases = Cases()
    for mode in ("proxy", "b2bua"):
        cases.run(f"REFER to a served user, {mode}: routed on, NOTIFY comes back", ["PF-9.1.1-8", "R-13"], routed, mode)
        cases.run(f"REFER to a served user, {mode}: checked", ["PF-9.1.1-8", "PF-9.1.2-1", "PF-9.1.2-6"], checked, mode)
    cases.run("REFER to a user whose phone knows no tag", ["PF-9.1.1-8", "R-12"], assumed)
    cases.run("REFER to a client that takes none", ["PF-9.1.1-8", "PF-9.1.2-6"], unwilling)
    cases.done()


if __name__ == "__main__":
    main()
