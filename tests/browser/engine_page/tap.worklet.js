/**
 * Records what goes through, for tests: the last frames of all channels, and when sound begins.
 *
 * A busy browser may leave a node out for a moment; what it then did not see is NaN.
 *
 * Sound begins with the first sample other than zero after a silence; noise has no such silence.
 */
class Tap extends AudioWorkletProcessor {
  constructor({ processorOptions: { channels, frames } }) {
    super();
    this.ring = Array.from({ length: channels }, () => new Float32Array(frames));
    this.silentFrames = 0;
    this.next = currentFrame;
    this.port.onmessage = () => this.port.postMessage({ end: currentFrame, ring: this.ring });
  }

  process([input]) {
    const frames = this.ring[0].length;
    const at = currentFrame % frames;
    for (; this.next < currentFrame; this.next += 128) {
      const missed = this.next % frames;
      for (const ring of this.ring) ring.fill(Number.NaN, missed, missed + 128);
    }
    this.next = currentFrame + 128;
    let first = 128;
    this.ring.forEach((ring, number) => {
      const samples = input[number];
      if (samples === undefined) {
        ring.fill(0, at, at + 128);
        return;
      }
      ring.set(samples, at);
      const loud = samples.findIndex((sample) => sample !== 0);
      if (loud >= 0) first = Math.min(first, loud);
    });
    const isSilent = first === 128;
    if (!isSilent && this.silentFrames > 0) this.port.postMessage({ sound: currentFrame + first });
    this.silentFrames = isSilent ? this.silentFrames + 128 : 0;
    return true;
  }
}

registerProcessor("tap", Tap);
