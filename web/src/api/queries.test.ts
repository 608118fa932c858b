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

test("what events brought while a read was under way stays until it is read anew", async () => {
  const client = makeQueryClient();
  client.setQueryData(keys.jobs, "before");
  const queryFn = () => new Promise<string>(() => {});
  const observer = new QueryObserver(client, { queryKey: keys.jobs, queryFn });
  const seen: (string | undefined)[] = [];
  const stop = observer.subscribe(({ data }) => seen.push(data));
  void observer.refetch();
  client.setQueryData(keys.jobs, "told by an event");
  await expect.poll(() => seen.at(-1)).toBe("told by an event");
  seen.length = 0;
  void readAnew(client, keys.jobs);
  await new Promise((resolve) => setTimeout(resolve, 20));
  for (const data of [...seen, observer.getCurrentResult().data]) {
    expect(data).toBe("told by an event");
  }
  stop();
});
