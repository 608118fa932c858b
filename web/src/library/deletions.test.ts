import { expect, test, vi } from "vitest";
import { Deletions } from "./deletions";

test("a deletion hides at once and tells the service when it is sent, once", async () => {
  const deletions = new Deletions();
  const tell = vi.fn(async () => undefined);
  deletions.add("a");
  expect([...deletions.hidden]).toEqual(["a"]);
  expect(tell).not.toHaveBeenCalled();

  await Promise.all([deletions.send("a", tell), deletions.send("a", tell)]);

  expect(tell).toHaveBeenCalledOnce();
});

test("what is undone is shown again and never sent", async () => {
  const deletions = new Deletions();
  const tell = vi.fn(async () => undefined);
  deletions.add("a");
  deletions.add("b");

  expect(deletions.undo("a")).toBe(true);
  await deletions.send("a", tell);

  expect(tell).not.toHaveBeenCalled();
  expect([...deletions.hidden]).toEqual(["b"]);
});

test("what is on its way stays hidden and cannot be undone", async () => {
  const deletions = new Deletions();
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  deletions.add("a");
  const sent = deletions.send("a", () => answered);

  expect(deletions.undo("a")).toBe(false);
  expect([...deletions.hidden]).toEqual(["a"]);

  answer();
  await sent;
  expect([...deletions.hidden]).toEqual([]);
});

test("a deletion that fails brings the recording back and says why", async () => {
  const deletions = new Deletions();
  deletions.add("a");
  const sent = deletions.send("a", () => Promise.reject(new Error("no")));

  await expect(sent).rejects.toThrow("no");
  expect([...deletions.hidden]).toEqual([]);
});

test("each change is told, with a new set", () => {
  const deletions = new Deletions();
  const seen: ReadonlySet<string>[] = [deletions.hidden];
  const stop = deletions.subscribe(() => seen.push(deletions.hidden));
  deletions.add("a");
  deletions.undo("a");
  stop();
  deletions.add("b");

  expect(seen.map((each) => each.size)).toEqual([0, 1, 0]);
  expect(new Set(seen).size).toBe(3);
});
