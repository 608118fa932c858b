"""Exports: a mix of an output's stems as one file, as it was heard.

Enters: an output and a mix. Leaves: a file that is kept for a day, made by a process of its own
(``audio.mixdown_process``). ``desk`` takes requests and knows what is in the making, ``making``
follows one process, ``shelf`` keeps what is finished, ``names`` says what it is called.

An export is known by what it is made of: the same mix of the same stems has the same id. It can be
made anew at any time, so nothing of it is in the database: what is in the making ends with the
service, and who asks for the same mix again gets the same id, and the file made anew. What is
finished lies in the scratch folder, and is there for every process that shares it.
"""
