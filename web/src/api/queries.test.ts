import { QueryObserver } from "@tanstack/react-query";
import { expect, test } from "vitest";
import { keys, makeQueryClient, readAnew } from "./queries";

test.each(["first", "second"])("the %s read, being under way, is not waited for", async (which) => {
  const client = makeQueryClient();
  const ends: ((read: string) => void)[] = [];
  const queryFn = () => new Promise<string>((resolve) => ends.push(resolve));
  const observer = new QueryObserver(client, { queryKey: keys.jobs, queryFn });
  const stop = observer.subscribe(() => {});
  if (which === "second") {
    ends.pop()?.("what was long ago");
    await expect.poll(() => observer.getCurrentResult().data).toBe("what was long ago");
    void observer.refetch();
  }
  const anew = readAnew(client, keys.jobs);
  await expect.poll(() => ends.length).toBe(2);
  const [before, after] = ends;
  after?.("what is");
  await anew;
  before?.("what was");
  await new Promise((resolve) => setTimeout(resolve));
  expect(observer.getCurrentResult().data).toBe("what is");
  stop();
});
