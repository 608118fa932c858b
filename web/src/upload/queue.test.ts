import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { noteSomebody, onNobody } from "../api/nobody";
import { unfinished } from "./finish";
import { type Chosen, type UploadItem, UploadQueue } from "./queue";
import { UploadService } from "./upload-service.fixture";
import { goOnWithUnfinished } from "./uploads";

let service: UploadService;
let queue: UploadQueue;

beforeEach(async () => {
  localStorage.clear();
  service = new UploadService();
  queue = new UploadQueue(60_000);
  // A relative address is that of the page's own service.
  (window as unknown as { happyDOM: { setURL(url: string): void } }).happyDOM.setURL(
    await service.start(),
  );
});

afterEach(async () => {
  for (const { id } of queue.items()) queue.cancel(id);
  await service.stop();
});

function chosen(name: string, content: string, profile = "band"): Chosen {
  return { file: new File([content], name, { lastModified: 1 }), profile, uploadId: null };
}

const text = (bytes: number, seed = "a") => seed.repeat(bytes);
const sha256 = (content: string) => createHash("sha256").update(content).digest("hex");
const stages = () => queue.items().map(({ stage }) => stage);
const until = (check: () => void) => vi.waitFor(check, { timeout: 15_000, interval: 10 });

async function item(holds: (item: UploadItem) => boolean): Promise<UploadItem> {
  return vi.waitFor(
    () => {
      const found = queue.items().find(holds);
      if (!found) throw new Error(JSON.stringify(queue.items()));
      return found;
    },
    { timeout: 15_000, interval: 10 },
  );
}

test("a file is sent in parts, completed, and given to a job of its profile", async () => {
  const content = text(2500);
  await queue.add([chosen("take.wav", content, "h4n")]);
  const done = await item(({ stage }) => stage === "given");

  expect(done.finished).toMatchObject({ wasHere: false, isNewJob: true });
  expect(service.jobs).toEqual([{ sha256: sha256(content), profile: "h4n" }]);
  expect(service.count(/^PUT/)).toBe(3);
});

test("what ends an upload and what makes its job have one id, the upload's", async () => {
  const content = text(1500);
  await queue.add([chosen("take.wav", content)]);
  await item(({ stage }) => stage === "given");

  const [uploadId = ""] = service.uploads.keys();
  expect(Object.fromEntries(service.traces)).toEqual({
    [`POST /api/uploads/${uploadId}/complete`]: uploadId,
    [`POST /api/recordings/${sha256(content)}/process`]: uploadId,
  });
});

test("a few files are sent at once, a few parts of each, the others wait", async () => {
  service.hold = (call) =>
    call.startsWith("PUT") ? new Promise((go) => setTimeout(go, 20)) : null;
  await queue.add([1, 2, 3, 4].map((n) => chosen(`take ${n}.wav`, text(5000, String(n)))));
  expect(stages().filter((stage) => stage === "waiting").length).toBeGreaterThanOrEqual(2);
  await until(() => expect(stages()).toEqual(Array(4).fill("given")));

  expect(service.jobs).toHaveLength(4);
  expect(service.partsAtOnce).toBeGreaterThan(1);
  expect(service.partsAtOnce).toBeLessThanOrEqual(4);
});

test("different files of one name each get their own job", async () => {
  const contents = ["a", "b", "c"].map((seed) => text(1500, seed));
  await queue.add(contents.map((content) => chosen("STE-000.wav", content)));
  await until(() => expect(stages()).toEqual(Array(3).fill("given")));

  expect(service.jobs.map((job) => job.sha256).sort()).toEqual(contents.map(sha256).sort());
});

test("the same file dropped twice is one", async () => {
  const repeated = await queue.add([
    chosen("take.wav", text(1500)),
    chosen("take.wav", text(1500)),
    chosen("take.wav", text(1500, "b")),
  ]);
  expect(repeated).toBe(1);
  expect(queue.items()).toHaveLength(2);
});

test("a recording that is there is not sent again", async () => {
  await queue.add([chosen("take.wav", text(2500))]);
  await item(({ stage }) => stage === "given");
  await queue.add([chosen("other name.wav", text(2500))]);
  const again = await item(({ stage, name }) => stage === "given" && name !== "take.wav");

  expect(again.finished).toMatchObject({ wasHere: true, isNewJob: false });
  expect(service.count(/^PUT/)).toBe(3);
});

test("two recordings of one name that are both there each get their job", async () => {
  const contents = [text(1500, "a"), text(1500, "b")];
  const both = contents.map((content) => chosen("take.wav", content));
  await queue.add(both);
  await until(() => expect(stages()).toEqual(["given", "given"]));
  service.jobs.length = 0;
  const later = new UploadQueue();
  await later.add(both);
  await until(() => expect(later.items().map(({ stage }) => stage)).toEqual(["given", "given"]));

  expect(service.jobs.map((job) => job.sha256).sort()).toEqual(contents.map(sha256).sort());
});

test("an empty file is refused without a call", async () => {
  await queue.add([chosen("take.wav", "")]);
  const { problem } = await item(({ stage }) => stage === "failed");
  expect(problem?.what).toMatch(/empty/);
  expect(service.calls).toEqual([]);
});

test.each([
  ["parts are sent", /^PUT/],
  ["it is completed", /complete$/],
  ["its job is made", /process$/],
])(
  "whoever is signed out while %s loses nothing: it goes on after the sign-in",
  async (_, calls) => {
    const content = text(2500);
    const asked = vi.fn<() => void>();
    const stop = onNobody(asked);
    service.refuse = (call) => (calls.test(call) ? { status: 401, code: "unauthenticated" } : null);
    await queue.add([chosen("take.wav", content)]);
    const { stage } = await item(({ held }) => held?.code === "unauthenticated");
    expect(stage).not.toBe("failed");
    expect(asked).toHaveBeenCalled();

    service.refuse = () => null;
    noteSomebody();
    await item((each) => each.stage === "given");
    expect(service.jobs).toEqual([{ sha256: sha256(content), profile: "band" }]);
    stop();
  },
);

test("what the service refuses is said in words, and others go on", async () => {
  let isFirst = true;
  service.refuse = (call) => {
    if (!call.endsWith("/complete") || !isFirst) return null;
    isFirst = false;
    return { status: 422, code: "audio_unsupported" };
  };
  await queue.add([chosen("notes.wav", text(500)), chosen("take.wav", text(9500))]);
  const { problem, name } = await item(({ stage }) => stage === "failed");
  await item(({ stage }) => stage === "given");

  expect(name).toBe("notes.wav");
  expect(problem).toMatchObject({ canRetry: false });
  expect(problem?.what).toMatch(/no audio or video/);
  expect(unfinished()).toEqual([]);
});

test("a file that is too large is refused before any of it is sent", async () => {
  service.refuse = (call) =>
    call === "POST /api/uploads" ? { status: 413, code: "upload_too_large" } : null;
  await queue.add([chosen("take.wav", text(1500))]);
  const { problem } = await item(({ stage }) => stage === "failed");

  expect(problem?.what).toMatch(/too large/);
  expect(service.count(/^PUT/)).toBe(0);
});

test.each([
  ["a broken connection", "break" as const],
  ["a busy service", { status: 503, code: "service_busy" }],
  ["a full disk", { status: 507, code: "no_space" }],
  ["a body that stalled", { status: 408, code: "upload_stalled" }],
])("after %s it goes on by itself with what is missing", async (_, refusal) => {
  let isFirst = true;
  service.refuse = (call) => {
    if (!call.endsWith("/parts/2") || !isFirst) return null;
    isFirst = false;
    return refusal;
  };
  const content = text(3500);
  await queue.add([chosen("take.wav", content)]);
  await item(({ held }) => held !== null);
  await item(({ stage }) => stage === "given");

  expect(service.count(/^PUT/)).toBe(5);
  expect(service.jobs).toEqual([{ sha256: sha256(content), profile: "band" }]);
});

test("parts go past the service into a bucket, and what it answers is told at the end", async () => {
  service.isBucket = true;
  const content = text(2500);
  await queue.add([chosen("take.wav", content)]);
  await item(({ stage }) => stage === "given");

  expect(service.count(/^PUT \/bucket\//)).toBe(3);
  expect(service.count(/^PUT \/api\//)).toBe(0);
  expect(Object.keys(service.etags)).toEqual(["1", "2", "3"]);
  expect(service.jobs).toEqual([{ sha256: sha256(content), profile: "band" }]);
});

test("a link that the bucket refuses is replaced by a fresh one", async () => {
  service.isBucket = true;
  let isFirst = true;
  service.refuse = (call) => {
    if (!call.startsWith("PUT") || !isFirst) return null;
    isFirst = false;
    return { status: 403, code: "unknown" };
  };
  await queue.add([chosen("take.wav", text(500))]);
  await item(({ stage }) => stage === "given");
  expect(service.count(/links$/)).toBe(2);
});

test("it waits as long as the service asks for", async () => {
  let refusedAt = 0;
  service.refuse = (call) => {
    if (!call.startsWith("PUT") || refusedAt) return null;
    refusedAt = performance.now();
    return { status: 503, code: "service_busy", retryAfterS: 2 };
  };
  await queue.add([chosen("take.wav", text(500))]);
  await item(({ stage }) => stage === "given");
  expect(performance.now() - refusedAt).toBeGreaterThan(1900);
});

test("a part whose answer was lost is not sent again", async () => {
  let isLost = false;
  service.refuse = (call) => {
    if (!call.endsWith("/parts/1") || isLost) return null;
    isLost = true;
    service.received().set(1, Buffer.from(text(1000)));
    return "break";
  };
  await queue.add([chosen("take.wav", text(2500))]);
  await item(({ stage }) => stage === "given");
  expect(service.count(/PUT .*\/parts\/1$/)).toBe(1);
});

test("an upload that the service lost is begun anew", async () => {
  let isLost = false;
  service.refuse = (call) => {
    if (!call.endsWith("/complete") || isLost) return null;
    isLost = true;
    service.uploads.clear();
    return { status: 404, code: "upload_not_found" };
  };
  const content = text(2500);
  await queue.add([chosen("take.wav", content)]);
  await item(({ stage }) => stage === "given");
  expect(service.jobs).toEqual([{ sha256: sha256(content), profile: "band" }]);
});

test("a paused file sends nothing, and goes on with what is missing", async () => {
  let release = () => {};
  service.hold = (call) =>
    call.endsWith("/parts/3")
      ? new Promise((resolve) => {
          release = resolve;
        })
      : null;
  await queue.add([chosen("take.wav", text(4000))]);
  await until(() => expect(service.count(/parts\/3$/)).toBe(1));
  await until(() => expect(service.received().size).toBeGreaterThanOrEqual(2));
  const id = queue.items()[0]?.id ?? 0;
  queue.pause(id);
  service.hold = () => null;
  const there = service.received().size;
  const before = service.count(/^PUT/);
  expect(queue.items()[0]).toMatchObject({ stage: "waiting", isPaused: true });

  queue.resume(id);
  await item(({ stage }) => stage === "given");
  expect(service.count(/^PUT/) - before).toBeLessThanOrEqual(4 - there);
  release();
});

test("a cancelled file is removed at the service and from the list", async () => {
  service.hold = (call) => (call.startsWith("PUT") ? new Promise(() => {}) : null);
  await queue.add([chosen("take.wav", text(2500))]);
  await until(() => expect(service.count(/^PUT/)).toBeGreaterThan(0));
  queue.cancel(queue.items()[0]?.id ?? 0);

  expect(queue.items()).toEqual([]);
  await until(() => expect(service.uploads.size).toBe(0));
});

test("a failed file can be tried again", async () => {
  service.refuse = (call) =>
    call.endsWith("/complete") ? { status: 400, code: "upload_mismatch" } : null;
  await queue.add([chosen("take.wav", text(500))]);
  const { id, problem } = await item(({ stage }) => stage === "failed");
  expect(problem?.canRetry).toBe(true);
  service.refuse = () => null;
  queue.retry(id);
  await item(({ stage }) => stage === "given");
});

test("what was sent whole before the page was closed gets its job at the next visit", async () => {
  service.hold = (call) => (call.endsWith("/complete") ? new Promise(() => {}) : null);
  const content = text(1500);
  await queue.add([chosen("take.wav", content)]);
  await until(() => expect(service.count(/complete$/)).toBe(1));
  service.hold = () => null;

  vi.resetModules(); // a page that is loaded anew
  const { uploads, goOnWithUnfinished } = await import("./uploads");
  goOnWithUnfinished(uploads);
  await until(() => expect(uploads.items().map(({ stage }) => stage)).toEqual(["given"]));
  expect(service.jobs).toEqual([{ sha256: sha256(content), profile: "band" }]);
  expect(unfinished()).toEqual([]);
});

test("what an earlier visit left and is gone since leaves no row", async () => {
  localStorage.setItem(
    "stemset.upload.unfinished",
    JSON.stringify([{ uploadId: "9", name: "take.wav", bytes: 5, profile: "band" }]),
  );
  goOnWithUnfinished(queue);
  expect(queue.items()).toHaveLength(1);
  await until(() => expect(queue.items()).toEqual([]));
  expect(unfinished()).toEqual([]);
});
