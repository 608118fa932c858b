import { beforeAll, expect, test } from "vitest";
import { refuseStrayDrops } from "./stray-drops";

beforeAll(refuseStrayDrops);

/** Drag something over the page and drop it; gives what the browser would do with each. */
function dropped(types: readonly string[], taking?: (event: Event) => void) {
  return ["dragenter", "dragover", "drop"].map((kind) => {
    const event = new Event(kind, { bubbles: true, cancelable: true });
    const dataTransfer = { types, dropEffect: "move" };
    Object.assign(event, { dataTransfer });
    if (taking) document.addEventListener(kind, taking, { once: true });
    document.dispatchEvent(event);
    return { isKept: event.defaultPrevented, effect: dataTransfer.dropEffect };
  });
}

test("a file that nothing takes does not replace the page", () => {
  for (const each of dropped(["Files"])) expect(each).toEqual({ isKept: true, effect: "none" });
});

test("what takes files says itself what becomes of them", () => {
  const taken = dropped(["Files"], (event) => event.preventDefault());
  for (const each of taken) expect(each).toEqual({ isKept: true, effect: "move" });
});

test("words and links are dropped as ever", () => {
  for (const each of dropped(["text/plain"]))
    expect(each).toEqual({ isKept: false, effect: "move" });
});
