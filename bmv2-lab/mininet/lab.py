#!/usr/bin/python3
"""The lab's fabric in Mininet: P4 switches, hosts and cables from a topology file.

Switches are softswitch or simple_switch_grpc, whichever --switch names: both take the same
arguments. They start without a pipeline; a controller pushes one over P4Runtime.

The one who starts the script follows it by two pipes: on --ready-fd it writes a JSON object
with the process IDs of the hosts once every switch listens. The hosts' links are down then,
so that no frame comes before the switches have a pipeline. On --control-fd it reads one line:
"cli" gives the terminal to Mininet's prompt. The end of the pipe stops the fabric, whatever
else is going on.
"""

import argparse
import ctypes
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from mininet.cli import CLI
from mininet.link import Intf, Link
from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.node import Host, Switch

OFFLOADS = ["rx", "off", "tx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off",
            "rxvlan", "off", "txvlan", "off"]
CPU_PORT = 510
DROP_PORT = 511
LISTEN_TIMEOUT = 20  # seconds


PR_SET_PDEATHSIG = 1  # prctl(2)


def detach():
    """Keep the terminal's signals from a child, and let it not outlive this process."""
    os.setpgrp()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(*args):
    """Run a command; whether it succeeds is not this call's business."""
    subprocess.run(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


class P4Switch(Switch):
    """A switch process in the root namespace, with this node's interfaces as its ports."""

    def __init__(self, name, program, device_id, grpc_port, log_dir, **params):
        super().__init__(name, **params)
        self.program = program
        self.device_id = device_id
        self.grpc_port = grpc_port
        self.log_dir = log_dir
        self.process = None

    def start(self, controllers):
        args = shlex.split(self.program) + ["--device-id", str(self.device_id)]
        for number, intf in sorted(self.intfs.items()):
            if intf.name == "lo":
                continue
            run("ethtool", "-K", intf.name, *OFFLOADS)
            args += ["-i", f"{number}@{intf.name}"]
        # The Thrift server has one default port for all instances; softswitch has none.
        args += ["--thrift-port", str(self.grpc_port + 1000)]
        args += ["--no-p4", "--", "--grpc-server-addr", f"127.0.0.1:{self.grpc_port}",
                 "--cpu-port", str(CPU_PORT), "--drop-port", str(DROP_PORT)]
        if self.can_impair():
            args += ["--admin-addr", f"127.0.0.1:{self.admin_port()}"]
        with open(os.path.join(self.log_dir, f"{self.name}.log"), "wb") as log:
            self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=detach)

    def can_impair(self):
        """Whether the switch's ports can lose, delay, repeat and reorder frames on purpose."""
        return os.path.basename(shlex.split(self.program)[0]) != "simple_switch_grpc"

    def admin_port(self):
        """TCP port of the administration (docs/SOFTSWITCH.md)."""
        return self.grpc_port + 2000

    def administer(self, port, method, what, body=None):
        """Ask the administration of a port; gives the text of the answer."""
        url = f"http://127.0.0.1:{self.admin_port()}/ports/{port}{what}"
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=5) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def wait(self):
        """Wait until the P4Runtime server listens."""
        deadline = time.monotonic() + LISTEN_TIMEOUT
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with status {self.process.returncode}; "
                                   f"see {self.log_dir}/{self.name}.log")
            try:
                socket.create_connection(("127.0.0.1", self.grpc_port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} does not listen on port {self.grpc_port}") from None
                time.sleep(0.05)

    def stop(self, deleteIntfs=True):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        super().stop(deleteIntfs)


class LabIntf(Intf):
    """An interface by which the kernel does not talk IPv6 of its own where it is a switch's port.

    It may not for a moment: simple_switch_grpc keeps what comes before there is a pipeline, and
    counts it then.
    """

    def config(self, *args, **params):
        if isinstance(self.node, P4Switch):
            run("sysctl", "-qw", f"net.ipv6.conf.{self.name}.disable_ipv6=1")
        return super().config(*args, **params)


class LabHost(Host):
    """A host with one routed interface and offloads off, or its packets would not count as they cross."""

    def config(self, address=None, **params):
        result = super().config(**params)
        run_in = self.cmd
        run_in(f"ip link set {self.defaultIntf()} down")
        run_in(f"ethtool -K {self.defaultIntf()} {' '.join(OFFLOADS)}")
        # Announce the address when the link comes up (RFC 5227), as hosts' network managers do.
        run_in(f"sysctl -qw net.ipv4.conf.{self.defaultIntf()}.arp_notify=1")
        run_in(f"ip address replace {address} dev {self.defaultIntf()}")
        # The prompt writes a host's address for its name.
        self.defaultIntf().ip, self.defaultIntf().prefixLen = address.split("/")
        run_in("ip link set lo up")
        return result


class LabCLI(CLI):
    """Mininet's prompt with the operator's CLI and kubectl as commands."""

    prompt = "lab> "

    def do_fabricscope(self, line):
        """Ask Fabricscope: fabricscope pods|services|flows|timeline|diff|port|impact|switches|links [flags]"""
        subprocess.run(["fabricscope", *shlex.split(line)], check=False)

    def do_impair(self, line):
        """Let frames that a switch port sends suffer, or not any more:
        impair PORT [loss=0.02] [delay=10ms] [duplicate=0.01] [reorder=0.01], as impair leaf1-eth1 loss=0.02"""
        port, *settings = shlex.split(line) or [""]
        body = {}
        for setting in settings:
            name, _, value = setting.partition("=")
            try:
                body[name] = value if name.endswith("delay") else float(value)
            except ValueError:
                print(f"{setting!r} is not NAME=NUMBER")
                return
        self.administer(port, "PUT", "/impairment", body)

    def do_shut(self, line):
        """Take a switch port down: shut leaf1-eth1"""
        self.administer(line.strip(), "PUT", "/link", {"up": False})

    def do_unshut(self, line):
        """Take it up again: unshut leaf1-eth1"""
        self.administer(line.strip(), "PUT", "/link", {"up": True})

    def administer(self, interface, method, what, body):
        """Administer the port with an interface, or say why not."""
        name, _, number = interface.rpartition("-eth")
        if name not in self.mn or not isinstance(self.mn[name], P4Switch):
            print(f"{interface!r} is no switch port as leaf1-eth1")
        elif not self.mn[name].can_impair():
            print("only softswitch can do that")
        else:
            print(self.mn[name].administer(number, method, what, body), end="")

    def do_kubectl(self, line):
        """Ask the cluster: kubectl get pods -A -o wide"""
        subprocess.run(["kubectl", *shlex.split(line)], check=False)


def split(port):
    name, number = port.split(":")
    return name, int(number)


def clear(topology):
    """Remove the switch interfaces that an interrupted run left behind."""
    ports = [p for link in topology["links"] for p in (link["a"], link["b"])]
    ports += [host["port"] for host in topology["hosts"]]
    for port in ports:
        name, number = split(port)
        run("ip", "link", "delete", f"{name}-eth{number}")


def build(topology, program, log_dir):
    """Build the network without starting it."""
    net = Mininet(topo=None, controller=None, autoSetMacs=False, build=False, link=Link)
    for sw in topology["switches"]:
        net.addSwitch(sw["name"], cls=P4Switch, inNamespace=False, program=program, log_dir=log_dir,
                      device_id=sw["device-id"], grpc_port=sw["grpc-port"])
    for link in topology["links"]:
        (a, a_port), (b, b_port) = split(link["a"]), split(link["b"])
        net.addLink(net[a], net[b], port1=a_port, port2=b_port, intf=LabIntf)
    for number, host in enumerate(topology["hosts"], 1):
        sw, port = split(host["port"])
        net.addHost(host["name"], cls=LabHost, ip=None, mac=f"02:00:0a:00:00:{number:02x}",
                    address=host["address"])
        net.addLink(net[host["name"]], net[sw], port1=0, port2=port, intf=LabIntf)
    return net


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--topology", required=True, help="topology file (JSON)")
    parser.add_argument("--switch", required=True, help="command of the switch: softswitch or simple_switch_grpc")
    parser.add_argument("--log-dir", required=True, help="where the switches' logs go")
    parser.add_argument("--ready-fd", type=int, required=True)
    parser.add_argument("--control-fd", type=int, required=True)
    args = parser.parse_args()

    with open(args.topology, encoding="utf-8") as text:
        topology = json.load(text)
    setLogLevel("warning")
    # Interrupts are for whoever started the script; it stops by the control pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    clear(topology)
    net = build(topology, args.switch, args.log_dir)
    try:
        net.build()
        net.start()
        for sw in net.switches:
            sw.wait()
        with os.fdopen(args.ready_fd, "w") as ready:
            json.dump({host.name: host.pid for host in net.hosts}, ready)
        if os.read(args.control_fd, 16) == b"cli\n":
            prompt(net, args.control_fd)
    except RuntimeError as error:
        sys.exit(f"lab.py: {error}")
    finally:
        net.stop()


def prompt(net, control_fd):
    """Give the terminal to Mininet's prompt until the user leaves it or the pipe ends."""
    def stop(_signal, _frame):
        sys.exit(0)

    def watch():
        os.read(control_fd, 16)
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, stop)
    setLogLevel("output")  # what commands print
    threading.Thread(target=watch, daemon=True).start()
    try:
        LabCLI(net)
    finally:
        setLogLevel("warning")
        # Nothing may interrupt what takes the fabric down.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
