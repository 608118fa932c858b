import { expect, test } from "vitest";
import { errorOf } from "../api/client";
import { problemOf } from "./problem";

const failed = (error: object) => errorOf(new Response(null, { status: 500 }), { error });

test("a failure that nobody foresaw names the call, so that it can be quoted", () => {
  const error = failed({
    code: "internal",
    detail: "It failed.",
    retryable: true,
    request_id: "r1",
  });

  expect(problemOf(error).detail).toBe("It failed. (r1)");
});

test("a failure whose words name the call already does so once", () => {
  const error = failed({ code: "internal", detail: "See r1.", retryable: true, request_id: "r1" });

  expect(problemOf(error).detail).toBe("See r1.");
});
