"""Media: the bytes of stems, to play and to download.

Enters: a key of the store and a request's headers. Leaves: an answer whose body is read from the
store as fast as the client takes it, in memory that does not grow with it, and no further once the
client is gone. ``links`` signs the addresses that need no token, ``ranges`` reads what part is
asked for, ``body`` sends it, ``archive`` packs an output, ``waveform`` shrinks its peaks to what a
list draws, ``names`` says what files are called.
"""
