"""The networks of this machine."""

import psutil


def gloo_network(address: str) -> dict[str, str]:
    """The variable that lets gloo use the network of an address of this machine; empty where none has it.

    Without it gloo takes the network of the host's name, which may lead nowhere, or to everyone.
    """
    names = [name for name, ones in psutil.net_if_addrs().items() if address in {one.address for one in ones}]
    return {"GLOO_SOCKET_IFNAME": names[0]} if names else {}
