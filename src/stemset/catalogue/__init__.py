"""What there is: models, their licences, their weights. No engine lives here.

Enters: the name of a model. Leaves: its facts (``entries``), and the path of its weights, fetched
on this machine, checked and in the form that the engine loads (``weights``).

Conventions:

* Weights are never part of Stemset. ``weights.install`` fetches them into the *model cache*, a
  folder with one sub-folder per installed model; nothing else here reaches for the network.
* Whatever is fetched is known by its SHA-256 beforehand and is data: it is read, never imported
  or run.
* Sizes are in bytes, rates in Hz, lengths in frames of audio at the model's own rate.
"""
