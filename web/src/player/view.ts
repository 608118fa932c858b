/** What is shown now: one span for the ruler and all waveforms, told to whoever draws. */

import { fitted, type Span, whole } from "./span";

const GLIDE_MS = 220;

export class View {
  readonly durationS: number;
  #span: Span;
  #gliding = 0;
  readonly #listeners = new Set<() => void>();

  constructor(durationS: number) {
    this.durationS = durationS;
    this.#span = whole(durationS);
  }

  get span(): Span {
    return this.#span;
  }

  show(span: Span): void {
    cancelAnimationFrame(this.#gliding);
    this.#set(span);
  }

  /** Show another span of the same length: smoothly, for who does not mind motion. */
  glideTo(target: Span): void {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.show(target);
      return;
    }
    cancelAnimationFrame(this.#gliding);
    const from = this.#span.start;
    const began = performance.now();
    const step = (now: number) => {
      const share = Math.min(1, Math.max(0, (now - began) / GLIDE_MS));
      const eased = share * (2 - share);
      this.#set({ start: from + (target.start - from) * eased, length: target.length });
      if (share < 1) this.#gliding = requestAnimationFrame(step);
    };
    this.#gliding = requestAnimationFrame(step);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #set(span: Span): void {
    this.#span = fitted(span, this.durationS);
    for (const listener of this.#listeners) listener();
  }
}
