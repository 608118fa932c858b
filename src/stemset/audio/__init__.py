"""Audio files: decode, resample, encode, and what is measured on the way.

Enters: the path of a recording. Leaves: blocks of samples; encoded stems; loudness and peaks.

Conventions, everywhere in Stemset:

* A block is an array of shape ``(channels, frames)``, ``float32``, ±1.0 full scale. Only the mix
  of a recording with 32-bit integer or 64-bit float samples travels as ``float64``, so that
  nothing of it is lost.
* Quantised samples are ``int32``, right-aligned: a 16-bit sample is −32768…32767.
* Rates are in Hz, one *frame* is one sample of every channel, positions are frame numbers that
  start at 0.
* Channels are in the order of FFmpeg's layouts (``FL``, ``FR``, ``FC``, ``LFE``, …).
"""
