"""A second listener for phones on the same network: encrypted, and for who was paired.

Enters: the service's data folder, and an address of this machine. Leaves: an open socket, a TLS
context whose certificate this machine made itself, the names that a call may be for, and a picture
of an address that a camera can read. Browsers offer what a player needs (audio worklets, keeping
the screen on) to encrypted pages only; plain HTTP counts as such on loopback alone.

``addresses`` finds where phones can reach this machine, ``certificates`` makes what they trust,
``door`` puts both together, ``qr`` draws.
"""
