import { describe, expect, test } from "vitest";
import { type Action, actionOf, isTakenBy, type Keystroke } from "./keyboard";

function stroke(key: string, more: Partial<Keystroke> = {}): Keystroke {
  const none = { shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, repeat: false };
  return { key, code: "", ...none, ...more };
}

test.each<[Keystroke, Action]>([
  [stroke(" "), { kind: "play" }],
  [stroke("K"), { kind: "play" }],
  [stroke("ArrowLeft"), { kind: "move", byS: -5 }],
  [stroke("ArrowRight", { shiftKey: true }), { kind: "move", byS: 1 }],
  [stroke("PageUp"), { kind: "move", byS: 10 }],
  [stroke("Home"), { kind: "start" }],
  [stroke("l"), { kind: "loop" }],
  [stroke("["), { kind: "loop-start" }],
  [stroke("x"), { kind: "loop-clear" }],
  [stroke("-"), { kind: "speed", by: -0.05 }],
  [stroke("0", { code: "Digit0" }), { kind: "speed-reset" }],
  [stroke("3", { code: "Digit3" }), { kind: "mute", stem: 2 }],
  [stroke("§", { code: "Digit3", shiftKey: true }), { kind: "solo", stem: 2 }],
  [stroke("Z", { shiftKey: true }), { kind: "zoom", factor: 2 }],
  [stroke("?", { shiftKey: true }), { kind: "help" }],
])("$key does $kind", (given, action) => {
  expect(actionOf(given)).toEqual(action);
});

test.each(["ctrlKey", "metaKey", "altKey"])("with %s keys are the browser's", (modifier) => {
  expect(actionOf(stroke("l", { [modifier]: true }))).toBeNull();
});

test("a held key repeats steps and no switches", () => {
  expect(actionOf(stroke("ArrowRight", { repeat: true }))).not.toBeNull();
  expect(actionOf(stroke(" ", { repeat: true }))).toBeNull();
});

test("other keys do nothing", () => {
  expect(actionOf(stroke("q"))).toBeNull();
});

describe("isTakenBy", () => {
  function element(html: string): Element {
    document.body.innerHTML = html;
    const found = document.querySelector("[data-it]");
    if (!found) throw new Error("no element");
    return found;
  }

  test.each([
    ["a text field takes letters", "<input data-it>", "k", true],
    ["a volume slider takes arrows", '<input type="range" data-it>', "ArrowUp", true],
    ["a volume slider leaves the space bar", '<input type="range" data-it>', " ", false],
    ["the seek slider leaves arrows", '<input type="range" data-seek data-it>', "Home", false],
    ["a button takes the space bar", "<button data-it>x</button>", " ", true],
    ["a button leaves letters", "<button data-it>x</button>", "l", false],
    ["a dialog takes all", "<dialog open><p data-it>x</p></dialog>", "l", true],
    ["the page leaves all", "<p data-it>x</p>", " ", false],
  ])("%s", (_what, html, key, isTaken) => {
    expect(isTakenBy(element(html), key)).toBe(isTaken);
  });
});
