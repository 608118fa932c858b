"""Storage: a bucket (Cloudflare R2, any S3), a local folder, or memory behind one port.

Enters: keys, made only by ``keys``, and files or small texts. Leaves: objects that appear whole or
not at all. ``store`` is the port and ``open_store`` its one way in; ``outputs`` knows what lies in
an output's folder (an attempt's manifest, the metadata that points at the winning attempt);
``exchange`` is the little that an order lets the computing process reach, with the worker's own
keys or with presigned links.

Conventions: sizes are in bytes. Everything is synchronous; transfers leave the interpreter to
other threads. What a store refuses is said in Stemset's own errors.
"""
