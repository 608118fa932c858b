import { afterEach, expect, test, vi } from "vitest";
import type { PlayableOutput } from "./contract";
import { Addresses, Meter, RangedFile } from "./ranges";

const CONTENT = Uint8Array.from({ length: 100 }, (_, n) => n);
const { signal } = new AbortController();

function output(url: string, renew: () => Promise<PlayableOutput>): PlayableOutput {
  const stem = {
    name: "vocals",
    encoding: "wav" as const,
    file: { url, bytes: CONTENT.length },
    index: null,
    peaks: new Map(),
    gainDb: 0,
    isSilent: false,
  };
  return { id: "1", name: "song", rateHz: 48_000, frames: 10, stems: [stem], renew };
}

function fileOf(addresses: Addresses, meter = new Meter()): RangedFile {
  return new RangedFile(addresses, ({ stems }) => stems[0]?.file ?? { url: "", bytes: 0 }, meter);
}

/** A network in which each request gets the next of these statuses; 0 is a lost connection. */
function network(...statuses: number[]): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (url: string, { headers }: { headers: { Range: string } }) => {
    asked.push(`${url} ${headers.Range}`);
    const status = statuses.shift() ?? 206;
    if (status === 0) throw new TypeError("lost");
    const [from, to] = headers.Range.replace("bytes=", "").split("-").map(Number);
    const body = status === 200 ? CONTENT : CONTENT.slice(from, (to ?? 0) + 1);
    return new Response(status < 300 ? body : null, { status });
  });
  return asked;
}

afterEach(() => vi.unstubAllGlobals());

const never = () => Promise.reject(new Error("not asked for"));

test("a part is asked for and counted", async () => {
  const asked = network();
  const meter = new Meter();

  const part = await fileOf(new Addresses(output("/a", never)), meter).read(10, 13, signal);

  expect([...part]).toEqual([10, 11, 12]);
  expect(asked).toEqual(["/a bytes=10-12"]);
  expect(meter).toMatchObject({ requests: 1, fetchedBytes: 3 });
});

test("what failed in passing is tried again", async () => {
  const asked = network(503, 0, 206);

  const part = await fileOf(new Addresses(output("/a", never))).read(0, 2, signal);

  expect([...part]).toEqual([0, 1]);
  expect(asked).toHaveLength(3);
});

test("two files whose addresses have ended get fresh ones by one question", async () => {
  const asked = network(403, 403);
  const renew = vi.fn(async () => output("/b", never));
  const addresses = new Addresses(output("/a", renew));

  await Promise.all([fileOf(addresses).read(0, 1, signal), fileOf(addresses).read(1, 2, signal)]);

  expect(renew).toHaveBeenCalledTimes(1);
  expect(asked.slice(2).sort()).toEqual(["/b bytes=0-0", "/b bytes=1-1"]);
});

test.each([
  [404, "not there any more"],
  [200, "does not give out parts"],
])("status %i is told at once", async (status, told) => {
  const asked = network(status);

  await expect(fileOf(new Addresses(output("/a", never))).read(5, 9, signal)).rejects.toThrow(told);
  expect(asked).toHaveLength(1);
});

test("nothing is tried again once nobody wants it", async () => {
  const asked = network(503);
  const abort = new AbortController();
  const reading = fileOf(new Addresses(output("/a", never))).read(0, 2, abort.signal);
  abort.abort();

  await expect(reading).rejects.toThrow(expect.objectContaining({ name: "AbortError" }));
  expect(asked.length).toBeLessThanOrEqual(1);
});
