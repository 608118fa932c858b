/**
 * Deletions that can still be taken back.
 *
 * A recording that is deleted is hidden at once, and the service is told when the time to change
 * one's mind is over, or the page is left. Until the service has agreed, nothing is lost.
 */

export class Deletions {
  private readonly pending = new Set<string>();
  private readonly listeners = new Set<() => void>();
  private shown: ReadonlySet<string> = new Set();

  /** What is hidden: waiting, or on its way; a new set with each change. */
  get hidden(): ReadonlySet<string> {
    return this.shown;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Hide a recording; `send` must follow, or `undo`. */
  add(id: string): void {
    this.pending.add(id);
    this.show(new Set(this.shown).add(id));
  }

  /** Show it again. Returns whether it was in time. */
  undo(id: string): boolean {
    if (!this.pending.delete(id)) return false;
    this.reveal(id);
    return true;
  }

  /** Tell the service now, unless that was done or undone; it is shown again if that fails. */
  async send(id: string, tell: () => Promise<void>): Promise<void> {
    if (!this.pending.delete(id)) return;
    try {
      await tell();
    } finally {
      this.reveal(id);
    }
  }

  private reveal(id: string): void {
    const shown = new Set(this.shown);
    shown.delete(id);
    this.show(shown);
  }

  private show(hidden: ReadonlySet<string>): void {
    this.shown = hidden;
    for (const listener of this.listeners) listener();
  }
}
