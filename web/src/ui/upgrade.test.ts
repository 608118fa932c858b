import { beforeAll, beforeEach, expect, test, vi } from "vitest";
import { reloadAfterUpgrade } from "./upgrade";

beforeAll(reloadAfterUpgrade);
beforeEach(() => sessionStorage.clear());

function missPart(): boolean {
  return dispatchEvent(new Event("vite:preloadError", { cancelable: true }));
}

test("a part that is gone after an upgrade loads the page anew", () => {
  const reload = vi.spyOn(location, "reload").mockImplementation(() => undefined);
  expect(missPart()).toBe(false);
  expect(reload).toHaveBeenCalledOnce();
});

test("a part that stays away does not load the page again and again", () => {
  const reload = vi.spyOn(location, "reload").mockImplementation(() => undefined);
  missPart();
  expect(missPart()).toBe(true);
  expect(reload).toHaveBeenCalledOnce();
});
