/** What keys do, and which keystrokes are somebody else's. */

export type Action =
  | { readonly kind: "play" }
  | { readonly kind: "move"; readonly byS: number }
  | { readonly kind: "start" }
  | { readonly kind: "end" }
  | { readonly kind: "page"; readonly by: -1 | 1 }
  /** Of the stem with this index, or of the one that has the focus. */
  | { readonly kind: "mute"; readonly stem: number | null }
  | { readonly kind: "solo"; readonly stem: number | null }
  | { readonly kind: "louder"; readonly byDb: number }
  | { readonly kind: "loop" }
  | { readonly kind: "loop-start" }
  | { readonly kind: "loop-end" }
  | { readonly kind: "loop-clear" }
  | { readonly kind: "speed"; readonly by: number }
  | { readonly kind: "speed-reset" }
  | { readonly kind: "marker" }
  | { readonly kind: "previous-marker" }
  | { readonly kind: "next-marker" }
  | { readonly kind: "zoom"; readonly factor: number }
  | { readonly kind: "follow" }
  | { readonly kind: "help" };

/** The part of a keyboard event that matters. */
export interface Keystroke {
  readonly key: string;
  readonly code: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly repeat: boolean;
}

/** For the help sheet. */
export const SHORTCUTS: readonly (readonly [keys: string, does: string])[] = [
  ["Space or K", "Play or pause"],
  ["← →", "Back or forward 5 seconds; with Shift 1 second"],
  ["Page Up, Page Down", "Forward or back 10 seconds; with Shift move the view"],
  ["Home, End", "To the beginning or the end"],
  ["1 to 9", "Mute a stem; with Shift solo it"],
  ["M, S", "Mute or solo the stem that has the focus"],
  ["↑ ↓", "Volume of the stem that has the focus"],
  ["L", "Loop on or off"],
  ["[ ]", "Begin or end the loop here"],
  ["X", "Clear the loop"],
  ["- =", "Slower or faster; 0 for the original speed"],
  ["B", "Add a marker"],
  [", .", "To the marker before or after"],
  ["Z", "Zoom in; with Shift out"],
  ["F", "Follow the playhead or not"],
  ["?", "This help"],
];

const ZOOM = 2;
const SPEED_STEP = 0.05;

/** What a keystroke asks for; null if nothing. A held key repeats only what moves by steps. */
export function actionOf(stroke: Keystroke): Action | null {
  if (stroke.ctrlKey || stroke.metaKey || stroke.altKey) return null;
  const action = digitAction(stroke) ?? keyAction(stroke);
  if (action && stroke.repeat && !MAY_REPEAT.has(action.kind)) return null;
  return action;
}

const MAY_REPEAT: ReadonlySet<Action["kind"]> = new Set([
  "move",
  "page",
  "louder",
  "speed",
  "zoom",
  "previous-marker",
  "next-marker",
]);

/** With Shift, layouts make different characters of the digits: the key's place counts. */
function digitAction({ code, shiftKey }: Keystroke): Action | null {
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(code)?.[1];
  if (digit === undefined) return null;
  if (digit === "0") return shiftKey ? null : { kind: "speed-reset" };
  return { kind: shiftKey ? "solo" : "mute", stem: Number(digit) - 1 };
}

function keyAction({ key, shiftKey }: Keystroke): Action | null {
  switch (key.length === 1 ? key.toLowerCase() : key) {
    case " ":
    case "k":
      return { kind: "play" };
    case "ArrowLeft":
      return { kind: "move", byS: shiftKey ? -1 : -5 };
    case "ArrowRight":
      return { kind: "move", byS: shiftKey ? 1 : 5 };
    case "PageUp":
      return shiftKey ? { kind: "page", by: 1 } : { kind: "move", byS: 10 };
    case "PageDown":
      return shiftKey ? { kind: "page", by: -1 } : { kind: "move", byS: -10 };
    case "Home":
      return { kind: "start" };
    case "End":
      return { kind: "end" };
    case "m":
      return { kind: "mute", stem: null };
    case "s":
      return { kind: "solo", stem: null };
    case "ArrowUp":
      return { kind: "louder", byDb: 1 };
    case "ArrowDown":
      return { kind: "louder", byDb: -1 };
    case "l":
      return { kind: "loop" };
    case "[":
      return { kind: "loop-start" };
    case "]":
      return { kind: "loop-end" };
    case "x":
      return { kind: "loop-clear" };
    case "-":
      return { kind: "speed", by: -SPEED_STEP };
    case "=":
    case "+":
      return { kind: "speed", by: SPEED_STEP };
    case "b":
      return { kind: "marker" };
    case ",":
      return { kind: "previous-marker" };
    case ".":
      return { kind: "next-marker" };
    case "z":
      return { kind: "zoom", factor: shiftKey ? ZOOM : 1 / ZOOM };
    case "f":
      return { kind: "follow" };
    case "?":
      return { kind: "help" };
    default:
      return null;
  }
}

const SLIDER_KEYS: ReadonlySet<string> = new Set([
  "ArrowLeft",
  "ArrowRight",
  "ArrowUp",
  "ArrowDown",
  "Home",
  "End",
  "PageUp",
  "PageDown",
]);

/** Whether the element that has the focus needs the keystroke for itself. */
export function isTakenBy(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof Element)) return false;
  if (target.closest("dialog[open], [popover], textarea, select, [contenteditable]")) return true;
  const input = target.closest("input");
  // The seek slider's keys are the player's own.
  if (input?.type === "range") return SLIDER_KEYS.has(key) && !("seek" in input.dataset);
  if (input?.type === "checkbox") return key === " ";
  if (input) return true;
  return target.closest("button, a, summary") !== null && (key === " " || key === "Enter");
}
