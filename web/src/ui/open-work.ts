/** What a person has begun in this page and would lose with it: a dialog, a file that is sent. */

export interface Work {
  isOpen(): boolean;
  /** Do not ask whether to leave: the person has said so. */
  giveUp(): void;
}

const all = new Set<Work>();

/** Say that there may be some; gives what ends that. */
export function offerWork(work: Work): () => void {
  all.add(work);
  return () => all.delete(work);
}

export function hasOpenWork(): boolean {
  return [...all].some((work) => work.isOpen());
}

export function giveUpWork(): void {
  for (const work of all) work.giveUp();
}
