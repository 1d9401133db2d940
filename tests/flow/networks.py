"""Machines with networks of their own, in namespaces: phones on networks apart, a router between them and the server.

A script calls enter() first: it is run again in namespaces that end with it. Every phone's program is then started in
its user's network (phone_at). Needs iproute2, nftables, and a kernel that lets us make namespaces (root, or user
namespaces).
"""

import os
import subprocess
import sys

from stage import Failed

SERVER = "10.77.0.1"  # the server's own address, which none of the networks has
INSIDE = "CONFAB_IN_NAMESPACES"


def enter():
    """The rest of the script runs in namespaces of its own."""
    if os.environ.get(INSIDE):
        return
    how = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if os.geteuid() != 0:
        how[1:1] = ["--user", "--map-root-user"]
    os.environ[INSIDE] = "1"
    sys.stdout.flush()
    os.execvp("unshare", how + [sys.executable, *sys.argv])


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip()}")


class Network:
    """One user's network, number 1 to 250: his address is 10.77.NUMBER.HOST."""

    def __init__(self, number):
        self.number = number
        # It holds the namespace, and says so when it is in it.
        self.keeper = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE)
        self.keeper.stdout.readline()
        run("ip", "link", "add", f"hub{number}", "type", "veth", "peer", "name", "phone", "netns", str(self.keeper.pid))
        run("ip", "addr", "add", f"10.77.{number}.1/24", "dev", f"hub{number}")
        run("ip", "link", "set", f"hub{number}", "up")
        self.inside("ip", "link", "set", "lo", "up")
        self.inside("ip", "link", "set", "phone", "up")
        self.host = None

    def prefix(self):
        return ["nsenter", f"--net=/proc/{self.keeper.pid}/ns/net"]

    def inside(self, *command):
        run(*self.prefix(), *command)

    def leave(self):
        """No address, no way out."""
        if self.host:
            self.inside("ip", "addr", "del", f"10.77.{self.number}.{self.host}/24", "dev", "phone")
        self.host = None

    def come(self, host):
        self.inside("ip", "addr", "add", f"10.77.{self.number}.{host}/24", "dev", "phone")
        self.inside("ip", "route", "replace", "default", "via", f"10.77.{self.number}.1")
        self.host = host

    def close(self):
        # Its namespace goes later than its keeper.
        run("ip", "link", "del", f"hub{self.number}")
        self.keeper.stdin.close()
        self.keeper.wait()
        self.keeper.stdout.close()


class Networks:
    """A network for each user, and a router that can lose packets."""

    def __init__(self, users):
        run("ip", "link", "set", "lo", "up")
        run("ip", "addr", "replace", f"{SERVER}/32", "dev", "lo")
        with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as f:
            f.write("1")
        self.of = {user: Network(i) for i, user in enumerate(users, 1)}
        for network in self.of.values():
            network.come(2)

    def lose(self, percent):
        """Of what comes to the server or through the router so much is lost, each way."""
        lines = ["add table inet loss"]
        for hook, way in (("input", "iifname"), ("forward", "iifname"), ("output", "oifname")):
            lines += [f"add chain inet loss {hook} {{ type filter hook {hook} priority 0; }}",
                      f'add rule inet loss {hook} {way} "hub*" numgen random mod 100 < {percent} drop']
        run("nft", "\n".join(lines))

    def close(self):
        for network in self.of.values():
            network.close()
        subprocess.run(["nft", "delete table inet loss"], capture_output=True, check=False)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()
