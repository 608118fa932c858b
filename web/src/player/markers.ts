/** Places in a recording that somebody named, in order of time. */

export interface Marker {
  readonly atS: number;
  readonly name: string;
}

/** Two markers nearer than this are one. */
const SAME_S = 0.05;
/** "Previous" goes further back than the marker that was just passed. */
const JUST_PASSED_S = 1;
export const MOST_MARKERS = 500;
export const LONGEST_NAME = 80;

export class Markers {
  #all: readonly Marker[] = [];
  readonly #listeners = new Set<() => void>();

  /** The same array until something changes. */
  get all(): readonly Marker[] {
    return this.#all;
  }

  /** Add one, unless there is one already. */
  add(atS: number): void {
    const isThere = this.#all.some((each) => Math.abs(each.atS - atS) < SAME_S);
    if (isThere || this.#all.length >= MOST_MARKERS) return;
    this.replace([...this.#all, { atS, name: `Marker ${this.#all.length + 1}` }]);
  }

  rename(marker: Marker, name: string): void {
    const renamed = { ...marker, name: name.slice(0, LONGEST_NAME) };
    this.replace(this.#all.map((each) => (each === marker ? renamed : each)));
  }

  remove(marker: Marker): void {
    this.replace(this.#all.filter((each) => each !== marker));
  }

  replace(markers: readonly Marker[]): void {
    this.#all = markers.toSorted((a, b) => a.atS - b.atS);
    for (const listener of this.#listeners) listener();
  }

  after(atS: number): Marker | undefined {
    return this.#all.find((each) => each.atS > atS + SAME_S);
  }

  before(atS: number): Marker | undefined {
    return this.#all.findLast((each) => each.atS < atS - JUST_PASSED_S);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}
