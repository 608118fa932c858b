/** Calls that are refused since nobody is signed in, and when somebody is again. */

type Listener = () => void;

const refusals = new Set<Listener>();
const returns = new Set<Listener>();

/** A call was refused: whoever called is nobody, or not any more. */
export function noteNobody(): void {
  for (const listener of refusals) listener();
}

/** Whoever calls is somebody again. */
export function noteSomebody(): void {
  for (const listener of returns) listener();
}

/** Be told of refusals; gives what ends that. */
export function onNobody(listener: Listener): () => void {
  refusals.add(listener);
  return () => refusals.delete(listener);
}

/** Be told when it is worth to try again what was refused; gives what ends that. */
export function onSomebody(listener: Listener): () => void {
  returns.add(listener);
  return () => returns.delete(listener);
}
