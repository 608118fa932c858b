import { expect, test } from "vitest";
import { parseEvent } from "./event-stream";
import { job } from "./job.fixture";

test("events are read as they are sent", () => {
  expect(parseEvent("hello", "{}")).toEqual({ kind: "hello" });
  expect(parseEvent("reset", "{}")).toEqual({ kind: "reset" });
  expect(parseEvent("job", JSON.stringify(job()))).toEqual({ kind: "job", job: job() });
  expect(parseEvent("recording", '{"id": "9f86"}')).toEqual({
    kind: "recording",
    id: "9f86",
    isDeleted: false,
  });
  expect(parseEvent("output", '{"id": "0c8e", "deleted": true}')).toEqual({
    kind: "output",
    id: "0c8e",
    isDeleted: true,
  });
});

test("what this version cannot read is passed over", () => {
  for (const data of ["", "{", "null", "[]", '"text"', "{}", '{"id": 5}']) {
    expect(parseEvent("job", data)).toBeNull();
    expect(parseEvent("output", data)).toBeNull();
  }
});
