"""The API: what pages and scripts call, over HTTP.

Enters: requests of the local user or of whoever holds a token (``access``). Leaves: JSON, media,
and one stream of events. ``app`` puts the routes together, ``routes`` holds one file per subject;
what they do is done in ``jobs``. Nothing here loads a network or a decoder.
"""
