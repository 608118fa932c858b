"""Serving: what a process that answers HTTP has, whatever it answers.

Enters: where to listen, and an application. Leaves: an open socket, a signal to stop that is heard,
log lines of libraries in the form of our own. The worker and the API are both built on it; nothing
here knows either.
"""
