/** Speed and time left, smoothed, so that figures can be read and do not jump. */

/** Within so many seconds a change of speed is followed by two thirds. */
const SMOOTHING_S = 5;
/** Nothing is said before so much was seen. */
const FIRST_S = 1.5;

export class Estimate {
  private last: { bytes: number; atS: number } | null = null;
  private seenS = 0;
  private speed = 0;

  /**
   * @param bytes All bytes that are sent by now.
   * @param atS The time, in seconds of any clock that does not jump.
   */
  observe(bytes: number, atS: number): void {
    const { last } = this;
    this.last = { bytes, atS };
    if (!last || atS <= last.atS) return;
    const elapsedS = atS - last.atS;
    // What broke off is sent again: that is time without progress, not a negative speed.
    const now = Math.max(0, bytes - last.bytes) / elapsedS;
    this.seenS += elapsedS;
    const weight = 1 - Math.exp(-elapsedS / Math.min(SMOOTHING_S, this.seenS));
    this.speed += (this.seenS === elapsedS ? 1 : weight) * (now - this.speed);
  }

  /** Begin anew after a pause. */
  reset(): void {
    this.last = null;
    this.seenS = 0;
    this.speed = 0;
  }

  /** Bytes per second, null as long as too little was seen. */
  bytesPerSecond(): number | null {
    return this.seenS >= FIRST_S ? this.speed : null;
  }

  /** Seconds that so many bytes will take, null if nobody can know. */
  secondsFor(bytes: number): number | null {
    const speed = this.bytesPerSecond();
    return speed === null || speed < 1 ? null : bytes / speed;
  }
}
